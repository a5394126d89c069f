//! What the engine's tests share: a small workload.

use core::time::Duration;

use crate::workload::{Acks, Arrival, Codec, ConsumeFrom, Keys, Rate, Workload};

pub fn workload() -> Workload {
    Workload {
        topic: "topic".into(),
        topics: 1,
        partitions: 1,
        replication_factor: 1,
        topic_configs: Vec::new(),
        producers: 1,
        consumers: 0,
        groups: 1,
        consume_from: ConsumeFrom::End,
        idle_connections: 0,
        record_bytes: 100,
        records_per_batch: 10,
        batches_per_request: 1,
        linger: Duration::ZERO,
        codec: Codec::None,
        keys: Keys::None,
        acks: Acks::All,
        in_flight: 5,
        idempotent: false,
        rate: Rate::Max,
        arrival: Arrival::Uniform,
        duration: Duration::from_millis(300),
        warm_up: Duration::ZERO,
        seed: 1,
        fetch_wait: Duration::from_millis(100),
        fetch_bytes_min: 1,
        fetch_bytes_max: 1 << 20,
        partition_fetch_bytes_max: 1 << 20,
    }
}
