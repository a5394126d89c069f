//! The rules that can be switched off, each by a name: those of the broker, and the lies of the disk below it.
//!
//! A simulator that does not notice is worth nothing, so the swarm must catch every one of them.

use penstock::mutations::Mutations;

use crate::disk::DiskMutations;

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Mutation {
    pub broker: Mutations,
    pub disk: DiskMutations,
}

const DISK: [&str; 8] = [
    "disk_never_syncs",
    "disk_completes_before_sync",
    "disk_hides_sync_errors",
    "seal_answers_before_summary",
    "log_start_not_synced",
    "writer_forgets_last_block",
    "swap_not_synced",
    "compaction_drops_latest",
];

impl Mutation {
    pub fn names() -> impl Iterator<Item = &'static str> {
        DISK.into_iter().chain(Mutations::NAMES.iter().copied())
    }

    #[must_use]
    pub fn named(name: &str) -> Option<Mutation> {
        let mut mutation = Mutation::default();
        match name {
            "disk_never_syncs" => mutation.disk.never_sync = true,
            "disk_completes_before_sync" => mutation.disk.complete_before_sync = true,
            "writer_forgets_last_block" => mutation.disk.forget_last_block = true,
            "seal_answers_before_summary" => mutation.disk.seal_before_summary = true,
            "disk_hides_sync_errors" => mutation.disk.ignore_sync_errors = true,
            "log_start_not_synced" => mutation.disk.log_start_not_synced = true,
            "swap_not_synced" => mutation.disk.swap_not_synced = true,
            "compaction_drops_latest" => mutation.disk.compaction_drops_latest = true,
            name => mutation.broker = Mutations::named(name)?,
        }
        Some(mutation)
    }
}
