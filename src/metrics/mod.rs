//! What is counted: plain numbers of one shard, owned by that shard, never shared.
//!
//! A scrape asks each shard for a copy; between scrapes nothing costs more than an addition. The names that users see are in
//! `names.rs`; how they become text is in `prometheus.rs`. Nothing here decides when to count.

mod histogram;
pub mod names;
pub mod prometheus;

use std::sync::Arc;

pub use histogram::Histogram;

use crate::model::{Instant, Lag, PartitionIndex};

/// Larger than every API key of Kafka 4.
pub const API_KEYS_MAX: usize = 128;

/// The counters of one Kafka API.
#[derive(Debug, Clone, Default)]
pub struct ApiMetrics {
    pub requests: u64,
    pub request_bytes: u64,
    pub response_bytes: u64,
    /// Answers with an error code in them.
    pub errors: u64,
    /// From the frame's arrival at the shard to its answer's release.
    pub latency: Option<Box<Histogram>>,
}

/// What the core of one shard counts.
///
/// Lives: one per shard, inside it.
#[derive(Debug, Clone, Default)]
pub struct ShardMetrics {
    /// By API key; grows to the largest key that was seen.
    pub apis: Vec<ApiMetrics>,
    /// Frames that no answer could be made for: the connection was closed.
    pub refused_frames: u64,
    /// When the first record was acknowledged that had to be durable for it.
    pub first_acknowledged: Option<Instant>,
    pub produced_batches: u64,
    pub produced_bytes: u64,
    pub fetched_bytes: u64,
    pub partitions: u64,
    pub parked_requests: u64,
    pub memory: MemoryMetrics,
    pub storage: StorageMetrics,
    pub cleaner: CleanerMetrics,
    pub lags: GroupLags,
}

/// Bytes that a shard holds now, by what for.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct MemoryMetrics {
    pub hot_tail_bytes: u64,
    /// Indexes of sealed segments.
    pub index_bytes: u64,
    pub unsent_bytes: u64,
    pub frame_bytes: u64,
}

/// What journal and write-behind count.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct StorageMetrics {
    pub entries: u64,
    pub carried_bytes: u64,
    pub checkpoint_bytes: u64,
    pub closed_for_room: u64,
    pub journal_ring_bytes: u64,
    pub journal_live_bytes: u64,
    pub sealed_segments: u64,
    pub evicted_bytes: u64,
    pub log_starts_moved: u64,
    pub unlinked_segments: u64,
    pub index_loads: u64,
    pub index_evictions: u64,
    pub failed: bool,
    pub offline_partitions: u64,
    /// Records are refused until the disk has room again.
    pub lacks_space: bool,
    pub space_refusals: u64,
}

/// What compaction counts.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct CleanerMetrics {
    /// Passes over a log.
    pub runs: u64,
    /// Those that ended with an error: the log is left alone for a while.
    pub failures: u64,
    /// Of segments: once for their keys, once to rewrite them.
    pub bytes_read: u64,
    pub bytes_written: u64,
    pub records_removed: u64,
    /// Segments that were replaced.
    pub segments_replaced: u64,
    pub busy_ms: u64,
    /// Of the dirtiest log, when all of them were looked at last.
    pub dirty_millionths_max: u64,
}

impl CleanerMetrics {
    /// Of both.
    #[must_use]
    pub fn plus(&self, other: &CleanerMetrics) -> CleanerMetrics {
        CleanerMetrics {
            runs: self.runs + other.runs,
            failures: self.failures + other.failures,
            bytes_read: self.bytes_read + other.bytes_read,
            bytes_written: self.bytes_written + other.bytes_written,
            records_removed: self.records_removed + other.records_removed,
            segments_replaced: self.segments_replaced + other.segments_replaced,
            busy_ms: self.busy_ms + other.busy_ms,
            dirty_millionths_max: self.dirty_millionths_max.max(other.dirty_millionths_max),
        }
    }
}

/// How far a group is behind in one partition.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GroupLag {
    pub group_id: String,
    pub topic: String,
    pub partition: PartitionIndex,
    pub lag: Lag,
    /// Age of the first record behind the committed offset when it was measured; 0 when there is none.
    pub age_ms: Option<u64>,
}

/// The lags of all groups that a shard coordinates, as they were measured last.
#[derive(Debug, Clone, Default)]
pub struct GroupLags {
    /// Shared with whoever scrapes.
    pub measured: Arc<Vec<GroupLag>>,
    /// Committed offsets beyond `LAG_SERIES_MAX` and `LAG_GROUP_ID_BYTES_MAX`.
    pub omitted: u64,
}

/// What the runtime of one shard counts.
#[derive(Debug, Clone, Default)]
pub struct RuntimeMetrics {
    pub turns: u64,
    pub parks: u64,
    pub inputs: u64,
    pub connections: u64,
    pub connections_accepted: u64,
    pub connections_refused: u64,
    pub connections_idle_closed: u64,
    pub accept_errors: u64,
    pub received_bytes: u64,
    pub sent_bytes: u64,
    pub sendfile_bytes: u64,
    /// Ranges of segment files that had to be read from the disk before they could be sent.
    pub cold_reads: u64,
    /// Segment files of this shard's partitions that are open for reading.
    pub segment_descriptors: u64,
    pub journal_commits: u64,
    pub journal_bytes: u64,
    pub journal_latency: Histogram,
    pub segment_writes: u64,
    pub segment_bytes: u64,
    pub segment_syncs: u64,
    pub file_system_syncs: u64,
    pub mesh_messages: u64,
}

/// One shard's numbers at one moment.
#[derive(Debug, Clone)]
pub struct ShardSnapshot {
    pub shard: u16,
    pub core: ShardMetrics,
    pub runtime: RuntimeMetrics,
}

impl ShardMetrics {
    /// The counters of `api_key`; keys beyond `API_KEYS_MAX` share the last place.
    pub fn api(&mut self, api_key: i16) -> &mut ApiMetrics {
        let index = usize::try_from(api_key).unwrap_or(API_KEYS_MAX - 1).min(API_KEYS_MAX - 1);
        if index >= self.apis.len() {
            self.apis.resize_with(index + 1, ApiMetrics::default);
        }
        &mut self.apis[index]
    }

    pub fn on_request(&mut self, api_key: i16, bytes: u64) {
        let api = self.api(api_key);
        api.requests += 1;
        api.request_bytes += bytes;
    }

    pub fn on_response(&mut self, api_key: i16, bytes: u64, latency_ns: u64) {
        let api = self.api(api_key);
        api.response_bytes += bytes;
        api.latency.get_or_insert_default().record_ns(latency_ns);
    }
}

#[cfg(test)]
mod tests;
