//! The rules of journal, storage and coordinators that a test build can switch off, one each, so that tests prove they would notice.
//!
//! Without the cargo feature `mutations` every question answers false at compile time: a release build holds no trace of them.

macro_rules! mutations {
    ($($(#[$doc:meta])* $name:ident,)*) => {
        /// Which rules are broken on purpose. All false by default.
        #[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
        pub struct Mutations {
            $($(#[$doc])* pub $name: bool,)*
        }

        impl Mutations {
            /// Every mutation by name, for a test that tries them one after the other.
            pub const NAMES: &'static [&'static str] = &[$(stringify!($name)),*];

            /// The set that holds only the named one; None if there is no such rule.
            #[must_use]
            pub fn named(name: &str) -> Option<Mutations> {
                let mut one = Mutations::default();
                match name {
                    $(stringify!($name) => one.$name = true,)*
                    _ => return None,
                }
                Some(one)
            }

            $(#[inline(always)]
            pub(crate) const fn $name(self) -> bool {
                cfg!(feature = "mutations") && self.$name
            })*
        }
    };
}

mutations! {
    /// The remainder is carried without waiting for a sync of the segment files.
    never_sync_segments,
    /// A journal file is free as soon as its carry commit is issued.
    reuse_space_too_early,
    /// Replay takes any commit with a good CRC, also behind one that does not fit.
    no_chain_check,
    /// Replay accepts commits of an earlier life of the file.
    ignore_file_sequence,
    /// A start follows a journal whose last commits may not be on the disk.
    replay_unsynced_journal,
    /// A journal file is released though segments are still to be completed from it.
    restore_not_awaited,
    /// A segment that is completed from the journal lacks its last piece.
    restore_cut_short,
    /// Bytes count as durable when their commit is issued.
    ack_before_commit,
    /// A commit counts as durable without the commits before it.
    ack_out_of_order,
    /// Recovery leaves a segment as long as its file is.
    trust_scanned_end,
    /// The end of a segment is recorded, but what it leaves over is not written again.
    skip_carry,
    /// A checkpoint tells what the log knows at its end, though some of that waits for its commit.
    checkpoint_ahead_of_data,
    /// A checkpoint tells of no producers.
    checkpoint_without_producers,
    /// What was journaled after a checkpoint does not count for what the log knows.
    ignore_batches_after_checkpoint,
    /// Once a newer file records an end of a segment, what lies behind that end is not carried out of an older one.
    release_forgets_newer_bytes,
    /// The end that was recorded last of a segment is not carried out of the file that records it.
    release_forgets_segment_end,
    /// The last block of a quiet partition is recorded as written, and is not.
    skip_flush,
    /// The end of a quiet partition is recorded with the padding of its last block.
    record_padded_end,
    /// Recovery forgets the idempotent producers.
    forget_producer_state,
    /// Recovery replays one journal only.
    replay_stops_at_first_journal,
    /// A sealed segment keeps the length of its last block.
    seal_without_truncate,
    /// Write-behind does not wait for the commit.
    write_undurable_bytes,
    /// Segments are unlinked while the log start above them is still being written.
    unlink_before_log_start,
    /// Segments are unlinked before the journal's word that they are sealed is durable.
    unlink_unrecorded,
    /// The age of a segment is that of its first batch.
    retention_by_first_timestamp,
    /// Recovery does not read where logs start.
    ignore_log_start,
    /// Neither file headers nor commits say which files are dead.
    no_oldest_live,
    /// A summary is believed whatever segment it speaks of.
    summary_not_checked,
    /// Who waits for an index is not told that it is there.
    index_load_wakes_nobody,
    /// A segment write that found no room counts as written.
    enospc_is_success,
    /// After a failure, all that was handed to the journal counts as durable.
    ack_after_failed_sync,
    /// A failed sync of segments counts as done.
    sync_error_is_success,
    /// A start takes segments that compaction has replaced.
    replaced_segments_count,
    /// Compacted segments are put in place before the journal has heard of their length.
    swap_unrecorded,
    /// Compaction knows of no producers.
    compaction_forgets_producers,
    /// Tombstones go at the second look, however young.
    tombstones_go_at_once,
    /// Records are compacted however young.
    compaction_ignores_lag,
    /// A partition is opened in a log dir that its id gives, not in the one that its record names.
    dir_by_hash_not_by_record,
    /// Answers of coordinators do not wait for the commit of what they rest on.
    coordinator_answers_before_commit,
    /// A coordinator counts as loaded after the first batch of its partition.
    coordinator_loads_one_batch,
    /// A coordinator that waits for a segment while compaction replaces it does not hear of its successor.
    coordinator_misses_swap,
    /// What writes nothing is answered at once, though it may tell of what is not durable.
    coordinator_reads_do_not_wait,
    /// Members of a classic group commit in whatever generation they think it is.
    group_commit_of_any_generation,
    /// Of a classic group's records, a start keeps the first.
    group_load_keeps_first_record,
    /// A start takes what was committed before a group's record for an earlier group's.
    group_record_drops_offsets,
    /// A start does not replay that offsets were deleted.
    offset_tombstones_not_loaded,
    /// A member of a consumer group that is put out leaves what it owned behind.
    consumer_keeps_owner,
    /// A member of a consumer group that is written out of the log stays in memory.
    consumer_keeps_member,
    /// A partition is given to a member while another has it.
    consumer_assigns_owned,
    /// What a member is to give up counts as given up.
    consumer_awaits_no_revocation,
    /// A start does not replay what members own, and at which epoch.
    consumer_assignments_not_loaded,
    /// After a start nobody is put out for its silence.
    consumer_sessions_not_loaded,
    /// A session ends as if the member had joined and never been heard of.
    consumer_heartbeat_renews_nothing,
    /// A group's new epoch has the target of the one before.
    consumer_target_not_remade,
    /// A member commits for whatever it owned once.
    consumer_commit_of_any_epoch,
}
