//! Named workloads: each asks one question of a broker.
//!
//! Decides numbers only, in the words of a workload file. They are the same on every machine, so that figures with one name can be
//! laid side by side: rates are such that two cores carry them, `max` and many partitions give sixty-four something to do.

pub struct Preset {
    pub name: &'static str,
    pub why: &'static str,
    pub settings: &'static str,
}

pub const PRESETS: [Preset; 8] = [
    Preset {
        name: "tail-latency",
        why: "What one record costs when nothing queues: a few producers at random moments",
        settings: r#"
            producers = 10
            partitions = 10
            batch-records = 1
            arrival = "poisson"
            rate = 1000
            duration = "60s"
            warm-up = "10s"
        "#,
    },
    Preset {
        name: "throughput",
        why: "How many bytes the broker takes in: large batches, as many in flight as allowed",
        settings: r#"
            producers = 8
            partitions = 16
            consumers = 2
            batch-bytes = "128KiB"
            rate = "max"
        "#,
    },
    Preset {
        name: "small-messages",
        why: "What a record costs apart from its bytes: 100 bytes, keyed, batched for 1 ms",
        settings: r#"
            producers = 8
            partitions = 8
            record-bytes = 100
            batch-bytes = "16KiB"
            linger = "1ms"
            keys = "round-robin:10000"
            rate = 50000
        "#,
    },
    Preset {
        name: "many-partitions",
        why: "What a partition costs: the same bytes, spread over a thousand of them",
        settings: r#"
            producers = 8
            partitions = 1000
            batch-records = 1
            batches-per-request = 16
            rate = 8000
        "#,
    },
    Preset {
        name: "many-producers",
        why: "What a busy connection costs: five hundred, each with little to say",
        settings: r#"
            producers = 500
            partitions = 16
            batch-records = 4
            in-flight = 1
            arrival = "poisson"
            rate = 8000
        "#,
    },
    Preset {
        name: "fan-out",
        why: "What a reader costs: ten groups read everything that one stream writes",
        settings: r#"
            producers = 4
            partitions = 8
            groups = 10
            consumers = 1
            rate = 5000
        "#,
    },
    Preset {
        name: "catch-up",
        why: "Whether readers of old data disturb producers: after `throughput`, same topic",
        settings: r#"
            producers = 4
            partitions = 16
            consumers = 4
            from = "beginning"
            rate = 10000
        "#,
    },
    Preset {
        name: "idle-connections",
        why: "What silence costs: five thousand idle connections beside a few busy ones",
        settings: r#"
            producers = 4
            idle-connections = 5000
            rate = 5000
        "#,
    },
];

#[must_use]
pub fn named(name: &str) -> Option<&'static Preset> {
    PRESETS.iter().find(|preset| preset.name == name)
}

/// For errors: `a, b, c`.
#[must_use]
pub fn names() -> String {
    PRESETS.map(|preset| preset.name).join(", ")
}

/// For the help: a line for each.
#[must_use]
pub fn descriptions() -> String {
    PRESETS.iter().map(|preset| format!("  {:<17} {}\n", preset.name, preset.why)).collect()
}
