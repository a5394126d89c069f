//! What a seed stands for: the shape of the broker, its clients, and how the world misbehaves. Few features at a time.

use crate::checkers::compacted::CompactionRule;
use crate::checkers::log_start::Retention;
use crate::client::admin::{AdminPlan, CompactionPlan, TopicPlan};
use crate::client::consumer::ConsumerPlan;
use crate::client::consumer_member::ConsumerMemberPlan;
use crate::client::loner::LonerPlan;
use crate::client::member::MemberPlan;
use crate::client::producer::ProducerPlan;
use crate::disk::DiskFaults;
use crate::network::NetworkFaults;
use crate::random::Random;

#[derive(Debug, Clone)]
pub struct Plan {
    /// A start picks one of them.
    pub shards: Vec<u16>,
    pub journal_bytes_max: u64,
    pub tail_bytes_max: u64,
    pub index_bytes_max: u64,
    pub admin: AdminPlan,
    pub producers: Vec<ProducerPlan>,
    pub consumers: Vec<ConsumerPlan>,
    /// Of one group.
    pub members: Vec<MemberPlan>,
    /// Of one group of the new protocol.
    pub consumer_members: Vec<ConsumerMemberPlan>,
    pub loners: Vec<LonerPlan>,
    /// Of members of the new protocol.
    pub consumer_session_ms: u32,
    /// The least time between two assignments of theirs.
    pub consumer_assignment_ms: u32,
    pub disk_faults: DiskFaults,
    /// The disk is full now and then: the longest time between, in nanoseconds; 0: never.
    pub full_gap_ns_max: u64,
    /// The longest time that it stays so.
    pub full_ns_max: u64,
    pub network_faults: NetworkFaults,
    pub log_dirs: u8,
    /// Of 100 starts, so many lack one of the log dirs, if there are several.
    pub missing_dir_percent: u64,
    /// Crashes before the world is allowed to come to rest.
    pub crashes_min: u32,
    pub steps_min: u64,
    pub commits_min: u64,
    /// A life lasts so long at most, in nanoseconds.
    pub life_ns_max: u64,
    /// Of 100 starts, so many are cut short while they recover.
    pub recovery_crash_percent: u64,
    /// Of 100 ends of a life, so many are orderly stops.
    pub stop_percent: u64,
    pub wall_jumps: bool,
    /// How often the broker looks for expired segments.
    pub retention_check_ms: u64,
    /// How often the broker looks for logs to compact, and the memory for their keys.
    pub cleaner_backoff_ms: u64,
    pub cleaner_map_bytes: u64,
    /// How old the first record of a segment becomes, where a topic says nothing: so of the topic of offsets.
    pub roll_ms: u64,
    /// Of 100 moments at which a crash is most interesting, so many have one.
    pub moment_percent: u64,
}

impl Plan {
    #[must_use]
    pub fn of_seed(seed: u64) -> Plan {
        let mut random = Random::stream(seed, "plan");
        let large = random.percent(25);
        let topics = topics(&mut random);
        let churns = topics.iter().any(|topic| topic.churns);
        let producers: Vec<ProducerPlan> =
            (0..random.between(1, 5)).map(|_| producer(&topics, large, &mut random)).collect();
        let consumers = (0..random.below(4)).map(|_| consumer(&topics, churns, &mut random)).collect();
        let pause_ns_max = random.log_uniform(1_000_000, 200_000_000);
        let (log_dirs, missing_dir_percent) = log_dirs(seed);
        let (index_bytes_max, summary_lost) = indexes(seed);
        let mut plan = Plan {
            shards: shards(&mut random),
            journal_bytes_max: journal_bytes_max(&producers, &mut random),
            tail_bytes_max: random.log_uniform(64 << 10, 32 << 20),
            index_bytes_max,
            admin: AdminPlan { topics, pause_ns_max },
            producers,
            consumers,
            members: Vec::new(),
            consumer_members: Vec::new(),
            loners: Vec::new(),
            consumer_session_ms: 45_000,
            consumer_assignment_ms: 1_000,
            disk_faults: DiskFaults { summary_lost, ..disk_faults(&mut random) },
            network_faults: network_faults(&mut random),
            full_gap_ns_max: full_gap_ns_max(seed),
            full_ns_max: 3_000_000_000,
            log_dirs,
            missing_dir_percent,
            crashes_min: random.between(2, 6) as u32,
            steps_min: 500,
            commits_min: 20,
            life_ns_max: random.log_uniform(20_000_000, 4_000_000_000),
            recovery_crash_percent: if random.percent(60) { 40 } else { 0 },
            stop_percent: if random.percent(40) { 30 } else { 0 },
            wall_jumps: random.percent(20),
            retention_check_ms: 1_000,
            cleaner_backoff_ms: 15_000,
            cleaner_map_bytes: 1 << 20,
            roll_ms: 604_800_000,
            moment_percent: *random.pick(&[0, 3, 15, 40]),
        };
        plan.let_go(seed);
        plan.maybe_crowd(seed);
        plan.maybe_group(seed);
        plan.maybe_consumer_group(seed);
        plan.maybe_compact(seed);
        plan.maybe_compact_offsets(seed);
        plan.maybe_fail_syncs(seed);
        plan
    }

    /// What may be deleted, and how soon. Of most topics nothing goes; of all in few worlds, as much and as soon as can be, while the
    /// ring turns: what is written now is unlinked a moment later. From a stream of its own: the seeds' plans stay what they were.
    fn let_go(&mut self, seed: u64) {
        let mut random = Random::stream(seed, "retention");
        let eagerly = random.percent(10);
        for topic in &mut self.admin.topics {
            topic.retention = if eagerly {
                Retention { ms: Some(random.log_uniform(1, 400) as i64), bytes: Some(0), by_request: true }
            } else {
                retention(&mut random)
            };
        }
        self.retention_check_ms = if eagerly { random.between(1, 10) } else { random.log_uniform(5, 1_000) };
        if eagerly {
            turn_the_ring(&mut self.producers);
            self.journal_bytes_max = 2 * journal_bytes_least(&self.producers);
            self.moment_percent = 40;
        }
    }

    /// For a world whose topics are others than the seed's: groups of those would wait for partitions that are not there.
    pub fn leave_groups_out(&mut self) {
        self.members.clear();
        self.consumer_members.clear();
        self.loners.clear();
    }

    /// In a third of the worlds some clients are a group. From a stream of its own: the other seeds' worlds stay what they were.
    fn maybe_group(&mut self, seed: u64) {
        let mut random = Random::stream(seed, "groups");
        if !random.percent(35) {
            return;
        }
        let topic = self.admin.topics.first().expect("there is a topic that stays");
        let members = random.between(1, 5);
        let session_timeout_ms = random.log_uniform(50, 2_000) as i32;
        for _ in 0..members {
            self.members.push(MemberPlan {
                group: "group".to_owned(),
                topic: topic.name.clone(),
                partitions: topic.partitions,
                session_timeout_ms,
                pause_ns_max: random.log_uniform(200_000, 20_000_000),
                audits: false,
            });
        }
    }

    /// In a third of the worlds some clients are a consumer group of the new protocol, in a third somebody commits alone.
    fn maybe_consumer_group(&mut self, seed: u64) {
        let mut random = Random::stream(seed, "consumer groups");
        let topic = self.admin.topics.first().expect("there is a topic that stays");
        let (topic, partitions) = (topic.name.clone(), topic.partitions);
        if random.percent(35) {
            let pause_ns_max = random.log_uniform(200_000, 20_000_000);
            self.loners.push(LonerPlan { topic: topic.clone(), partitions, pause_ns_max });
        }
        if !random.percent(35) {
            return;
        }
        self.consumer_session_ms = random.log_uniform(50, 2_000) as u32;
        self.consumer_assignment_ms = *random.pick(&[0, 0, 30, 1_000]);
        for _ in 0..random.between(1, 5) {
            self.consumer_members.push(ConsumerMemberPlan {
                group: "consumer group".to_owned(),
                topic: topic.clone(),
                partitions,
                session_timeout_ms: self.consumer_session_ms,
                pause_ns_max: random.log_uniform(200_000, 20_000_000),
            });
        }
    }

    /// In some worlds one or more topics are compacted, as soon as can be. From a stream of its own.
    fn maybe_compact(&mut self, seed: u64) {
        let mut random = Random::stream(seed, "compaction");
        if !random.percent(25) {
            return;
        }
        self.cleaner_backoff_ms = random.log_uniform(10, 400);
        self.cleaner_map_bytes = random.log_uniform(1, 1 << 16);
        for topic in &mut self.admin.topics {
            if !random.percent(70) {
                continue;
            }
            topic.retention.by_request = false;
            let min_lag_ms = if random.percent(25) { random.log_uniform(10, 300_000) as i64 } else { 0 };
            topic.compaction = Some(CompactionPlan {
                keys: random.log_uniform(2, 300),
                rule: CompactionRule {
                    min_lag_ms,
                    delete_retention_ms: random.log_uniform(1, 20_000) as i64 - 1,
                },
                segment_ms: random.log_uniform(1, 200),
                deletes: random.percent(30),
                dirty_ratio: random.pick::<&str>(&["0", "0.01", "0.5"]),
            });
        }
        self.life_ns_max = self.life_ns_max.max(300_000_000);
        let keys =
            self.admin.topics.iter().filter_map(|topic| Some((topic.name.clone(), topic.compaction?.keys)));
        let keys: Vec<(String, u64)> = keys.collect();
        for producer in &mut self.producers {
            producer.keys.clone_from(&keys);
        }
    }

    /// In some worlds coordinators have many small segments, and compaction begins before all are loaded. From a stream of its own.
    fn maybe_compact_offsets(&mut self, seed: u64) {
        let mut random = Random::stream(seed, "compaction of offsets");
        let has_groups =
            !(self.members.is_empty() && self.consumer_members.is_empty() && self.loners.is_empty());
        if has_groups && random.percent(40) {
            (self.shards, self.log_dirs) = (vec![1], 1);
            (self.cleaner_backoff_ms, self.roll_ms) = (random.log_uniform(1, 2), random.log_uniform(2, 3));
            (self.disk_faults.slow, self.full_gap_ns_max) = (300_000, 0);
        }
    }

    /// In few worlds the ring turns fast, and what lets it turn, the syncs of segments, often fails. From a stream of its own.
    fn maybe_fail_syncs(&mut self, seed: u64) {
        if Random::stream(seed, "failing syncs").percent(6) {
            turn_the_ring(&mut self.producers);
            self.journal_bytes_max = 2 * journal_bytes_least(&self.producers);
            self.disk_faults.segment_sync_error = 200_000;
        }
    }

    /// Few worlds have so many partitions in so small a ring that what a release has to carry does not fit one commit.
    fn maybe_crowd(&mut self, seed: u64) {
        let mut random = Random::stream(seed, "crowd");
        if !random.percent(12) {
            return;
        }
        let partitions = random.between(30, 60) as i32;
        let topic = self.admin.topics.first_mut().expect("there is a topic that stays");
        (topic.partitions, topic.partitions_max) = (partitions, partitions);
        for producer in &mut self.producers {
            producer.topics = vec![topic.name.clone()];
            (producer.idempotent, producer.acks) = (true, -1);
            producer.batch_bytes_max = producer.batch_bytes_max.min(2_000);
            producer.value_bytes_max = producer.value_bytes_max.min(1_000);
            producer.requests_in_flight_max = producer.requests_in_flight_max.min(6);
            producer.pause_ns_max = producer.pause_ns_max.min(2_000_000);
            producer.batches_max = 400;
        }
        self.shards = vec![1];
        self.log_dirs = 1;
        self.journal_bytes_max = 256 << 10;
        self.life_ns_max = self.life_ns_max.max(500_000_000);
        self.commits_min = 150;
        (self.crashes_min, self.moment_percent) = (10, 10);
        if random.percent(40) {
            self.disk_faults.segment_error = 10_000;
        }
        // What the logs know of their producers does not fit a file either; this one has room to seal some of them instead.
        if random.percent(30) {
            self.journal_bytes_max = 512 << 10;
            self.producers = self.producers.iter().cycle().take(9).cloned().collect();
        }
    }
}

/// From a ring that is always full to one that is never reused. A file takes the largest batch twice.
fn journal_bytes_max(producers: &[ProducerPlan], random: &mut Random) -> u64 {
    let least = journal_bytes_least(producers);
    if random.percent(50) {
        random.log_uniform(least, least * 2)
    } else {
        random.log_uniform(least, 64 << 20)
    }
}

fn journal_bytes_least(producers: &[ProducerPlan]) -> u64 {
    let batch_bytes_max = producers.iter().map(|producer| producer.batch_bytes_max).max().unwrap_or(0);
    (batch_bytes_max * 9).max(256 << 10)
}

fn shards(random: &mut Random) -> Vec<u16> {
    let first = random.between(1, 5) as u16;
    if random.percent(50) { vec![first] } else { vec![first, random.between(1, 5) as u16, 1] }
}

fn topics(random: &mut Random) -> Vec<TopicPlan> {
    let churn = random.percent(35);
    let count = random.between(1, 3) + u64::from(churn);
    let mut topics = Vec::new();
    for index in 0..count {
        let churns = churn && index == count - 1;
        let partitions = random.log_uniform(1, 12) as i32;
        let grows = random.percent(20);
        topics.push(TopicPlan {
            name: if churns { "churning".to_owned() } else { format!("steady-{index}") },
            partitions,
            partitions_max: if grows && !churns { partitions + 2 } else { partitions },
            segment_bytes: 1 << 20,
            churns,
            retention: Retention::default(),
            compaction: None,
        });
    }
    topics
}

/// Much more than the smallest ring, in batches that fit it.
fn turn_the_ring(producers: &mut [ProducerPlan]) {
    for producer in producers {
        producer.batch_bytes_max = 24_000;
        producer.value_bytes_max = 20_000;
        producer.pause_ns_max = producer.pause_ns_max.min(1_000_000);
        producer.batches_max = 400;
    }
}

/// Of most topics nothing goes.
fn retention(random: &mut Random) -> Retention {
    let ms = random.percent(20).then(|| random.log_uniform(20, 20_000) as i64);
    let bytes = random.percent(15).then(|| random.log_uniform(1, 400_000) as i64 - 1);
    Retention { ms, bytes, by_request: random.percent(35) }
}

fn some_topics(topics: &[TopicPlan], random: &mut Random) -> (Vec<String>, bool) {
    let all = random.percent(60);
    let mut chosen: Vec<&TopicPlan> = topics.iter().filter(|_| all || random.percent(50)).collect();
    if chosen.is_empty() {
        chosen.push(random.pick(topics));
    }
    (chosen.iter().map(|topic| topic.name.clone()).collect(), chosen.iter().any(|topic| topic.churns))
}

fn producer(topics: &[TopicPlan], large: bool, random: &mut Random) -> ProducerPlan {
    let (topics, by_id) = some_topics(topics, random);
    let idempotent = random.percent(60);
    let flood = !idempotent && random.percent(20);
    let batch_bytes_max = if large { 900_000 } else { random.log_uniform(200, 60_000) };
    ProducerPlan {
        idempotent,
        acks: if idempotent { -1 } else { *random.pick(&[-1, -1, 1, 1, 0]) },
        requests_in_flight_max: if flood { 400 } else { random.between(1, 6) as usize },
        topics,
        by_id,
        records_max: random.log_uniform(1, 50),
        value_bytes_max: if large {
            random.log_uniform(10_000, 800_000)
        } else {
            random.log_uniform(8, 20_000)
        },
        batch_bytes_max,
        pause_ns_max: if flood { 100_000 } else { random.log_uniform(50_000, 20_000_000) },
        batches_max: if large { 60 } else { random.between(50, 400) },
        keys: Vec::new(),
    }
}

fn consumer(topics: &[TopicPlan], churns: bool, random: &mut Random) -> ConsumerPlan {
    let (topics, by_id) = some_topics(topics, random);
    ConsumerPlan {
        topics,
        by_id: by_id || churns,
        sessions: random.percent(50),
        pause_ns_max: random.log_uniform(100_000, 50_000_000),
        drains: false,
    }
}

fn disk_faults(random: &mut Random) -> DiskFaults {
    let mut sometimes =
        |percent: u64, per_million: u64| if random.percent(percent) { per_million } else { 0 };
    DiskFaults {
        journal_error: sometimes(15, 15_000),
        segment_error: sometimes(15, 30_000),
        read_error: sometimes(10, 10_000),
        metadata_error: sometimes(10, 20_000),
        slow: sometimes(30, 10_000),
        summary_lost: 0,
        segment_sync_error: 0,
    }
}

fn log_dirs(seed: u64) -> (u8, u64) {
    let mut random = Random::stream(seed, "log dirs");
    (*random.pick(&[1, 1, 1, 2, 3]), *random.pick(&[0, 0, 20]))
}

/// Memory for indexes, and how often a summary is not found. From a stream of its own: the seeds' plans stay what they were.
fn indexes(seed: u64) -> (u64, u64) {
    let mut random = Random::stream(seed, "indexes");
    (random.log_uniform(256, 1 << 20), if random.percent(30) { 200_000 } else { 0 })
}

/// From a stream of its own: the other seeds' worlds stay what they were.
fn full_gap_ns_max(seed: u64) -> u64 {
    let mut random = Random::stream(seed, "full disk");
    if random.percent(35) { random.log_uniform(20_000_000, 5_000_000_000) } else { 0 }
}

fn network_faults(random: &mut Random) -> NetworkFaults {
    let cut = if random.percent(50) { random.log_uniform(500, 20_000) } else { 0 };
    NetworkFaults { cut, slow: if random.percent(30) { 10_000 } else { 0 } }
}
