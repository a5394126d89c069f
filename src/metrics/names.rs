//! Every metric's name, kind and help, once: the text of `/metrics` comes from this table.

/// Counters end in `_total` in the text; the encoder adds that.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    Counter,
    Gauge,
    Histogram,
}

#[derive(Debug, Clone, Copy)]
pub struct Name {
    pub name: &'static str,
    pub kind: Kind,
    pub help: &'static str,
}

const fn counter(name: &'static str, help: &'static str) -> Name {
    Name { name, kind: Kind::Counter, help }
}

const fn gauge(name: &'static str, help: &'static str) -> Name {
    Name { name, kind: Kind::Gauge, help }
}

const fn histogram(name: &'static str, help: &'static str) -> Name {
    Name { name, kind: Kind::Histogram, help }
}

pub const API_REQUESTS: Name = counter("penstock_api_requests", "Requests by Kafka API key");
pub const API_REQUEST_BYTES: Name = counter("penstock_api_request_bytes", "Bytes of requests by API key");
pub const API_RESPONSE_BYTES: Name = counter("penstock_api_response_bytes", "Bytes of responses by API key");
pub const API_ERRORS: Name = counter("penstock_api_errors", "Responses with an error code by API key");
pub const API_LATENCY: Name =
    histogram("penstock_api_latency_seconds", "Request's arrival to the release of its response, by API key");
pub const REFUSED_FRAMES: Name = counter(
    "penstock_refused_frames",
    "Frames that closed their connection: malformed, or of an unknown API",
);
pub const PRODUCED_BATCHES: Name = counter("penstock_produced_batches", "Record batches appended");
pub const PRODUCED_BYTES: Name = counter("penstock_produced_bytes", "Bytes of record batches appended");
pub const FETCHED_BYTES: Name =
    counter("penstock_fetched_bytes", "Bytes of record batches in fetch responses");
pub const FIRST_ACKNOWLEDGED_SECONDS: Name = gauge(
    "penstock_first_acknowledged_seconds",
    "From the start of the process to the first record that this shard acknowledged; 0: none yet",
);
pub const PARTITIONS: Name = gauge("penstock_partitions", "Partitions whose log is on this shard");
pub const PARKED_REQUESTS: Name =
    gauge("penstock_parked_requests", "Requests that wait for data or for a sync");
pub const MEMORY_BYTES: Name = gauge("penstock_memory_bytes", "Bytes held now, by what for");
pub const STORAGE_ENTRIES: Name = counter("penstock_journal_entries", "Entries of journal commits");
pub const STORAGE_CARRIED_BYTES: Name =
    counter("penstock_journal_carried_bytes", "Bytes written again so that journal space can be reused");
pub const CHECKPOINT_BYTES: Name = counter(
    "penstock_journal_checkpoint_bytes",
    "Bytes written of what logs know, producers above all, so that journal space can be reused",
);
pub const CLOSED_FOR_ROOM: Name = counter(
    "penstock_segments_closed_for_room",
    "Segments ended early since what their logs know, together, would take too much of a journal file",
);
pub const JOURNAL_RING_BYTES: Name = gauge("penstock_journal_ring_bytes", "Size of the journal's files");
pub const JOURNAL_LIVE_BYTES: Name =
    gauge("penstock_journal_live_bytes", "Journal bytes that are not yet in segments");
pub const SEALED_SEGMENTS: Name = counter("penstock_sealed_segments", "Segments sealed since the start");
pub const EVICTED_BYTES: Name = counter("penstock_tail_evicted_bytes", "Bytes dropped from the hot tail");
pub const LOG_STARTS_MOVED: Name =
    counter("penstock_log_starts_moved", "Log starts moved, by retention or DeleteRecords");
pub const UNLINKED_SEGMENTS: Name =
    counter("penstock_unlinked_segments", "Segments below a log start that were given to be unlinked");
pub const INDEX_LOADS: Name =
    counter("penstock_index_loads", "Indexes of sealed segments loaded because a reader needed them");
pub const INDEX_EVICTIONS: Name =
    counter("penstock_index_evictions", "Indexes of sealed segments dropped for index.cache.bytes");
pub const STORAGE_FAILED: Name = gauge(
    "penstock_log_dir_failed",
    "1 after a failed journal or segment write: the shard appends nothing more",
);
pub const OFFLINE_PARTITIONS: Name = gauge(
    "penstock_offline_partitions",
    "Partitions that cannot be served: their disk failed, or their files are damaged",
);
pub const STORAGE_LACKS_SPACE: Name =
    gauge("penstock_log_dir_lacks_space", "1 while the disk has no room: records are refused until it has");
pub const SPACE_REFUSALS: Name =
    counter("penstock_log_dir_space_refusals", "Writes for which the disk had no room; each is tried again");
pub const CLEANER_RUNS: Name = counter("penstock_cleaner_runs", "Passes of compaction over a log");
pub const CLEANER_FAILURES: Name =
    counter("penstock_cleaner_failures", "Those that failed; the log is left alone for a minute then");
pub const CLEANER_READ_BYTES: Name = counter(
    "penstock_cleaner_read_bytes",
    "Bytes of segments that compaction read: once for their keys, once to rewrite them",
);
pub const CLEANER_WRITTEN_BYTES: Name =
    counter("penstock_cleaner_written_bytes", "Bytes of segments that compaction wrote");
pub const CLEANER_REMOVED_RECORDS: Name =
    counter("penstock_cleaner_removed_records", "Records that compaction took away");
pub const CLEANER_REPLACED_SEGMENTS: Name =
    counter("penstock_cleaner_replaced_segments", "Segments that compaction put others in the place of");
pub const CLEANER_SECONDS: Name = counter(
    "penstock_cleaner_seconds",
    "Time that passes of compaction took, pauses for their rate included",
);
pub const CLEANER_DIRTY_RATIO: Name = gauge(
    "penstock_cleaner_dirty_ratio_max",
    "Share of dirty bytes of the dirtiest compacted log at the last look, from 0 to 1",
);
pub const GROUP_LAG_RECORDS: Name = gauge(
    "penstock_group_lag_records",
    "Offsets between a group's committed offset and the high watermark; what compaction took away counts",
);
pub const GROUP_LAG_BYTES: Name = gauge(
    "penstock_group_lag_bytes",
    "Bytes of the log behind a group's committed offset; estimated inside a segment whose index is not in memory",
);
pub const GROUP_LAG_SECONDS: Name = gauge(
    "penstock_group_lag_seconds",
    "Age of the first record behind a group's committed offset, by the timestamp of its batch, 0 if there is none; estimated inside a \
     segment whose index is not in memory; absent where records have no timestamps",
);
pub const GROUP_LAG_OMITTED: Name = gauge(
    "penstock_group_lag_omitted",
    "Committed offsets whose lag is not told, because there are too many of them or the group's name is very long",
);
pub const TURNS: Name = counter("penstock_turns", "Turns of the shard's loop");
pub const PARKS: Name = counter("penstock_parks", "Times the loop had nothing to do and slept");
pub const INPUTS: Name = counter("penstock_inputs", "Inputs that the shard was stepped with");
pub const CONNECTIONS: Name = gauge("penstock_connections", "Open client connections");
pub const CONNECTIONS_ACCEPTED: Name = counter("penstock_connections_accepted", "Connections accepted");
pub const CONNECTIONS_REFUSED: Name =
    counter("penstock_connections_refused", "Connections over max.connections or max.connections.per.ip");
pub const CONNECTIONS_IDLE: Name =
    counter("penstock_connections_idle_closed", "Connections closed by connections.max.idle.ms");
pub const ACCEPT_ERRORS: Name =
    counter("penstock_accept_errors", "Failed accepts, such as too many open files");
pub const RECEIVED_BYTES: Name = counter("penstock_received_bytes", "Bytes received from clients");
pub const SENT_BYTES: Name = counter("penstock_sent_bytes", "Bytes sent to clients");
pub const SENDFILE_BYTES: Name =
    counter("penstock_sendfile_bytes", "Bytes of it sent straight from segment files");
pub const COLD_READS: Name = counter("penstock_cold_reads", "Ranges that had to come from the disk first");
pub const SEGMENT_DESCRIPTORS: Name =
    gauge("penstock_segment_descriptors", "Segment files that are open for reading");
pub const JOURNAL_COMMITS: Name =
    counter("penstock_journal_commits", "Group commits: one write and one sync each");
pub const JOURNAL_BYTES: Name =
    counter("penstock_journal_bytes", "Bytes of journal commits, padding included");
pub const JOURNAL_LATENCY: Name =
    histogram("penstock_journal_commit_seconds", "Write and sync of one group commit");
pub const SEGMENT_WRITES: Name = counter("penstock_segment_writes", "Writes to segment files");
pub const SEGMENT_BYTES: Name = counter("penstock_segment_written_bytes", "Bytes written to segment files");
pub const SEGMENT_SYNCS: Name = counter("penstock_segment_syncs", "Batched syncs of segment files");
pub const FILE_SYSTEM_SYNCS: Name = counter(
    "penstock_file_system_syncs",
    "Those of them that synced the whole file system: many files at once",
);
pub const MESH_MESSAGES: Name = counter("penstock_mesh_messages", "Messages to other shards");

/// Upper bounds of the latency buckets in the text, in microseconds.
pub const LATENCY_BOUNDS_US: [u64; 14] =
    [50, 100, 200, 400, 800, 1_600, 3_200, 6_400, 12_800, 25_600, 51_200, 102_400, 409_600, 1_638_400];
