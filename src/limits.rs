//! Every bound of the broker that is ours and not the user's, and how the bounds relate.

/// The unit of direct I/O: journal commits start on it, segment writes are whole multiples of it.
pub const BLOCK_BYTES: u64 = 4096;

/// What one `recv` may deliver, at least.
pub const RECEIVE_BYTES: usize = 128 * 1024;

/// Frames are received into chunks of this size and keep them alive.
pub const RECEIVE_CHUNK_BYTES: usize = 512 * 1024;

/// A frame larger than this closes the connection (`socket.request.max.bytes` may lower it).
pub const REQUEST_BYTES_MAX: usize = 100 * 1024 * 1024;

/// A frame's memory grows by at most this much ahead of the bytes that have arrived.
pub const FRAME_GROWTH_BYTES: usize = 1024 * 1024 + 64 * 1024;

/// Requests of one connection that may be under way (pipelined Produce) before its socket is no longer read.
pub const CONNECTION_REQUESTS_MAX: usize = 256;

/// Answer bytes of one connection that may wait for its socket before its requests wait.
pub const CONNECTION_UNSENT_BYTES_MAX: u64 = 8 * 1024 * 1024;

/// Answer bytes of all connections of a shard that may wait for sockets before each Fetch gets one batch only.
pub const SHARD_UNSENT_BYTES_MAX: u64 = 256 * 1024 * 1024;

/// Inputs that the driver hands over between two rounds of effects.
pub const TURN_INPUTS_MAX: usize = 1024;

/// Entries and padding of one journal commit.
pub const COMMIT_BYTES_MAX: u64 = 4 * 1024 * 1024;

/// What the journal carries of one log when it gives up bytes of its segment. A log that needs more (some 1,600 idempotent producers)
/// has its segment sealed instead.
pub const CHECKPOINT_BYTES_MAX: u64 = 256 * 1024;

/// Commits that may be at the device at once. More is gained only where a device overlaps syncs.
pub const COMMITS_IN_FLIGHT_MAX: usize = 2;

/// The first journal file: small, so that filling it with zeros does not delay the first start.
pub const JOURNAL_FIRST_FILE_BYTES: u64 = 16 * 1024 * 1024;

/// The files that the ring grows by.
pub const JOURNAL_FILE_BYTES: u64 = 64 * 1024 * 1024;

/// A partition's bytes go to its segment once this many are durable in the journal.
pub const SEGMENT_WRITE_BYTES: u64 = 512 * 1024;

/// Bytes of segment writes of one shard under way; beyond it new ones wait.
pub const SEGMENT_WRITES_BYTES_MAX: u64 = 16 * 1024 * 1024;

/// A group of entries always fits the smallest journal file together with both headers.
const _: () = assert!(COMMIT_BYTES_MAX + 3 * BLOCK_BYTES < JOURNAL_FIRST_FILE_BYTES);
const _: () = assert!(CHECKPOINT_BYTES_MAX <= COMMIT_BYTES_MAX / 4);
const _: () = assert!(FRAME_GROWTH_BYTES <= REQUEST_BYTES_MAX);
const _: () = assert!(RECEIVE_BYTES <= RECEIVE_CHUNK_BYTES && RECEIVE_CHUNK_BYTES <= FRAME_GROWTH_BYTES);
const _: () = assert!(SEGMENT_WRITE_BYTES.is_multiple_of(BLOCK_BYTES));
const _: () = assert!(SEGMENT_WRITE_BYTES <= SEGMENT_WRITES_BYTES_MAX);

/// Bytes of requests of one connection that may be under way, and as many that may wait; one request always may.
pub const CONNECTION_FRAMES_BYTES_MAX: u64 = 4 * 1024 * 1024;

/// Bytes of requests of all connections of a shard that may be under way. Beyond it nothing new begins.
pub const SHARD_REQUESTS_BYTES_MAX: u64 = 256 * 1024 * 1024;

/// A session that was used more recently than this is not evicted for a new one.
pub const FETCH_SESSION_EVICTION_MS: u64 = 120_000;

/// Partitions in all sessions of a shard: what they remember is bounded, too.
pub const FETCH_SESSION_PARTITIONS_MAX: usize = 1_000_000;

const _: () = assert!(CONNECTION_FRAMES_BYTES_MAX < SHARD_REQUESTS_BYTES_MAX);

/// How often each partition is looked at for what has expired.
pub const HOUSEKEEPING_INTERVAL_MS: u64 = 60_000;

/// Partitions that one turn looks at.
pub const HOUSEKEEPING_LOGS_PER_TURN: usize = 1024;

/// Logs of one shard whose start moves or whose segments are being unlinked; others wait.
pub const TRIMS_IN_FLIGHT_MAX: usize = 4;

/// Segments that one order to unlink names: a log with thousands of them must not keep others waiting.
pub const UNLINKS_PER_TRIM_MAX: usize = 16;

/// DeleteRecords waits this long for the disk at least: its timeout is meant for replicas.
pub const DELETE_RECORDS_WAIT_MS_MIN: u64 = 5_000;

/// What one direct write of a segment carries at most. Half of it cost a fifth more processor time per byte.
pub const BULK_WRITE_BYTES: usize = 1024 * 1024;

/// Memory that the DMA buffers of one shard's bulk executor come from, unless locked memory is scarce.
pub const BULK_MEMORY_BYTES: usize = 4 * 1024 * 1024;

/// Data syncs of segment files at the disk at once, of all shards in one log dir: each keeps a kernel thread busy.
pub const BULK_SYNCS_IN_FLIGHT_MAX: usize = 64;

/// More files than this at once are made durable by one sync of their file system (docs/decisions/0004).
pub const SYNCED_ONE_BY_ONE_MAX: usize = 256;

/// Threads that list the partitions of a log dir at a start, and how many are not worth another one.
pub const LIST_THREADS: usize = 8;
pub const LISTED_BY_ONE_MIN: usize = 64;

/// Threads that bring journaled bytes into segment files at a start, and the orders that wait for each of them: a batch or a stroke each.
pub const RESTORE_THREADS: usize = 4;
pub const RESTORE_QUEUE: usize = 64;

/// Segments that are completed from the journal together, while the broker serves, and about how many bytes of them.
pub const RESTORE_SEGMENTS_MAX: usize = 512;
pub const RESTORE_BYTES_MAX: u64 = 32 * 1024 * 1024;

/// They are copied in strokes: so much of the journal is read at once, with what lies between two pieces if it is no more than this, and
/// written when so much has come together for one segment, or for all of them.
pub const RESTORE_READ_BYTES: u64 = 1024 * 1024;
pub const RESTORE_SKIP_BYTES: u64 = 16 * 1024;
pub const RESTORE_WRITE_BYTES: usize = 256 * 1024;
pub const RESTORE_UNWRITTEN_BYTES_MAX: usize = 8 * 1024 * 1024;

/// How often a running broker writes down which segments it has sealed, so that a start need not ask each of them.
pub const CATALOGUE_INTERVAL_MS: u64 = 600_000;

/// So many of them, or of others that were sealed, are recorded in a crowded journal together, unless fewer are under way.
pub const SEALS_TOLD_TOGETHER: usize = 8;

/// What each shard may have of them at least.
pub const BULK_SYNCS_PER_SHARD_MIN: usize = 4;

/// One direct read of a cold segment, and how many of them are ahead of the one that is waited for.
pub const BULK_READ_BYTES: usize = 512 * 1024;
pub const BULK_READS_AHEAD: usize = 4;

/// Cold ranges are read for clients by so many threads of each shard. The device has two pieces of each of them to read at a time, and one
/// of a compaction: a commit that comes meanwhile waits for no more.
pub const COLD_READERS: usize = 2;
pub const COLD_PIECE_BYTES: u64 = 128 * 1024;

/// So long after its last commit a log dir is quiet, and the kernel reads ahead as it likes.
pub const QUIET_AFTER_MS: u64 = 1_000;

/// A client that goes on is read ahead of by as much as it has read, up to this.
pub const COLD_AHEAD_BYTES_MAX: u64 = 4 * 1024 * 1024;

/// What a file that has no name any more loses in one step: where freed blocks are discarded, the device is busy with that.
pub const RECLAIM_BYTES: u64 = 1024 * 1024;

/// A new journal file is filled with zeros in writes of this size, one at a time.
pub const JOURNAL_FILL_BYTES: usize = 1024 * 1024;

const _: () = assert!((BULK_WRITE_BYTES as u64).is_multiple_of(BLOCK_BYTES));
const _: () = assert!((BULK_READ_BYTES as u64).is_multiple_of(BLOCK_BYTES));
const _: () = assert!((JOURNAL_FILL_BYTES as u64).is_multiple_of(BLOCK_BYTES));
const _: () = assert!(BULK_READS_AHEAD * BULK_READ_BYTES < BULK_MEMORY_BYTES);
const _: () = assert!(BULK_SYNCS_PER_SHARD_MIN <= BULK_SYNCS_IN_FLIGHT_MAX);

/// A fetch that would be answered with nothing waits so long for the index of the records that it asks for, whatever its own limit is;
/// then the answer is KAFKA_STORAGE_ERROR. Beside records of others a partition has that error when somebody has waited so long for it.
pub const FETCH_INDEX_WAIT_MS: u64 = 10_000;

/// So many deadlines of requests that were answered long ago are kept, beside two for each request.
pub const STALE_DEADLINES_MAX: usize = 1024;

/// What a full disk refused is tried again after a pause that doubles from the first to the second.
pub const SPACE_RETRY_MS_MIN: u64 = 100;
pub const SPACE_RETRY_MS_MAX: u64 = 5_000;

const _: () = assert!(SPACE_RETRY_MS_MIN <= SPACE_RETRY_MS_MAX);

/// For so long after a refusal for want of room a producer's later batches may still be on their way.
pub const OVERTAKING_MS_MAX: u64 = 30_000;

/// Of one broker. Their numbers fit 8 bits.
pub const LOG_DIRS_MAX: usize = 64;

/// What is kept on each disk for the metadata log, so that a topic can be deleted when nothing else has room.
pub const RESERVE_BYTES: u64 = 8 * 1024 * 1024;

/// How often the free space of each log dir is looked at.
pub const SPACE_LOOK_MS: u64 = 1_000;

/// Records of one Fetch answer, whatever `fetch.max.bytes` says: the answer's length must fit 32 bits, its other fields included.
pub const FETCH_RECORDS_BYTES_MAX: u64 = 1024 * 1024 * 1024;

/// An index that could not be loaded is not asked for again before: a reader that insists must not keep the disk busy.
pub const INDEX_RETRY_MS: u64 = 1_000;

/// Indexes of sealed segments that stay in memory whatever `index.cache.bytes` says.
pub const INDEXES_KEPT_MIN: usize = 4;

/// Groups that may have settings of their own: they are in every shard's image.
pub const GROUP_SETTINGS_MAX: usize = 10_000;

/// How often the lag of groups is measured.
pub const LAG_INTERVAL_MS: u64 = 5_000;

/// Committed offsets of the groups of one shard whose lag is measured, and told to whoever scrapes.
pub const LAG_SERIES_MAX: usize = 2_000;

/// Groups of longer names are left out of it: their names stand in every line that a scrape gets.
pub const LAG_GROUP_ID_BYTES_MAX: usize = 256;

/// Segments that compaction merges into one.
pub const COMPACTED_SEGMENTS_MAX: usize = 64;

/// The shortest pause between two looks for dirty logs, whatever `log.cleaner.backoff.ms` says.
pub const CLEANER_BACKOFF_MS_MIN: u64 = 10;

/// A log whose compaction has failed is left alone for so long.
pub const COMPACTION_RETRY_MS: u64 = 60_000;

/// The least that the map of one compaction has, whatever `log.cleaner.dedupe.buffer.size` says.
pub const OFFSET_MAP_BYTES_MIN: u64 = 4096;

/// Segment files that the whole process keeps open for reading: one part in so many of its limit of open files, within bounds.
pub const SEGMENT_DESCRIPTORS_SHARE: u64 = 4;
pub const SEGMENT_DESCRIPTORS_MIN: u64 = 64;
pub const SEGMENT_DESCRIPTORS_MAX: u64 = 16_384;

/// A compiled regular expression of a consumer group's subscription, and what looking up may do in one go, in names matched.
pub const GROUP_REGEX_BYTES_MAX: usize = 1024 * 1024;
pub const GROUP_REGEX_SLICE: usize = 4096;

/// Topics that changed are looked up again for regular expressions no sooner than this after the last time.
pub const GROUP_REGEX_REFRESH_MS_MIN: u64 = 1_000;

/// What a coordinator's partition is read by while it is loaded, and how much of all of them one turn replays.
pub const COORDINATOR_READ_BYTES: u64 = 256 * 1024;
pub const COORDINATOR_LOAD_BYTES_PER_TURN: u64 = 1024 * 1024;

const _: () = assert!(COORDINATOR_READ_BYTES <= COORDINATOR_LOAD_BYTES_PER_TURN);

/// What a batch of an internal topic may inflate to: others than this broker may have written and compressed it.
pub const COORDINATOR_BATCH_INFLATED_BYTES_MAX: usize = 64 * 1024 * 1024;

/// What a coordinator puts into one batch, even if its topic takes more: a record of a very large group may need it.
pub const COORDINATOR_BATCH_BYTES_MAX: u32 = 8 * 1024 * 1024;

const _: () = assert!(COORDINATOR_BATCH_BYTES_MAX as u64 + 4 * BLOCK_BYTES < JOURNAL_FIRST_FILE_BYTES);

/// A coordinator whose partition could not be loaded tries again after this long.
pub const COORDINATOR_RETRY_MS: u64 = 5_000;

/// A shard that wakes up this much later than it asked to was stopped: sessions of group members get that time back.
pub const PAUSE_MS_MIN: u64 = 1_000;

/// Members of one group that were told an id and have not joined with it.
pub const PENDING_MEMBERS_MAX: usize = 10_000;

/// Groups that one turn looks at for offsets that expire, and offsets that it lets go.
pub const SWEEP_GROUPS_PER_TURN: usize = 500;
pub const SWEEP_OFFSETS_PER_TURN: usize = 2_000;
