//! What load is wanted: a value with every number settled, so that nothing behind it has defaults.
//!
//! Decides what the words of a workload mean and which combinations make no sense. Where the numbers come from (flags, file,
//! preset) is decided in `settings`.

use std::time::Duration;

use serde::{Deserialize, Serialize};

/// Units: bytes of a record are those of its value; bytes of a batch are all bytes of the record batch on the wire.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Workload {
    /// Topics are `<topic>` if there is one, else `<topic>-0`, `<topic>-1`, ...
    pub topic: String,
    pub topics: u32,
    /// Of each topic.
    pub partitions: u32,
    pub replication_factor: i16,
    /// Topic configs given at creation, such as `durable.acks=false`.
    pub topic_configs: Vec<(String, String)>,
    /// Connections that produce.
    pub producers: u32,
    /// Connections that fetch, in each consumer group; 0: nobody reads during the run.
    pub consumers: u32,
    /// How many times everything is read: each group reads all partitions, by assignment.
    pub groups: u32,
    /// Where consumers start: the end of the log before the run, or its beginning.
    pub consume_from: ConsumeFrom,
    /// Connections that do nothing.
    pub idle_connections: u32,
    pub record_bytes: u32,
    pub records_per_batch: u32,
    /// Record batches, each for another partition, in one Produce request.
    pub batches_per_request: u32,
    pub linger: Duration,
    pub codec: Codec,
    pub keys: Keys,
    pub acks: Acks,
    pub in_flight: u32,
    pub idempotent: bool,
    /// Of all producers together.
    pub rate: Rate,
    pub arrival: Arrival,
    pub duration: Duration,
    pub warm_up: Duration,
    pub seed: u64,
    /// Fetch: how long the broker may wait, from how many bytes it must answer, and the most it may send.
    pub fetch_wait: Duration,
    pub fetch_bytes_min: u32,
    pub fetch_bytes_max: u32,
    pub partition_fetch_bytes_max: u32,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ConsumeFrom {
    End,
    Beginning,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Codec {
    None,
    Gzip,
    Snappy,
    Lz4,
    Zstd,
}

#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Keys {
    /// No keys; each connection takes its partitions in turns.
    None,
    /// This many keys in turns; a key is always in the same partition, chosen as Kafka's clients do.
    RoundRobin(u32),
    /// This many keys, the n-th as often as 1/n^exponent.
    Zipf { keys: u32, exponent: f64 },
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Acks {
    None,
    Leader,
    All,
}

impl Acks {
    #[must_use]
    pub fn on_the_wire(self) -> i16 {
        match self {
            Acks::None => 0,
            Acks::Leader => 1,
            Acks::All => -1,
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Rate {
    /// Closed loop: as many requests in flight as are allowed, always.
    Max,
    RecordsPerSecond(f64),
    /// Bytes of record batches.
    BytesPerSecond(f64),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Arrival {
    Uniform,
    Poisson,
}

/// Where the broker is and how this run is made, beside the workload: not part of what is compared.
#[derive(Clone, Debug, PartialEq)]
pub struct Options {
    pub bootstrap: String,
    /// Cores of the generator's own threads, one thread each; empty: one thread, not pinned.
    pub cpus: Vec<usize>,
    /// Never sleep between batches: exact at low rates, costs a whole core.
    pub spin: bool,
    pub verify: Verify,
    /// The process of the broker, for its processor time, memory and disk.
    pub broker_pid: Option<u32>,
    /// The most memory of the ledger.
    pub ledger_bytes_max: u64,
    /// How long the broker may be away before the run is given up.
    pub reconnect_for: Duration,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verify {
    /// Consumers judge during the run where there are any; what they have not read is read after it.
    On,
    /// After the run this command restarts the broker, then everything is read.
    AfterRestart {
        command: String,
    },
    Off,
}
