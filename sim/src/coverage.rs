//! Which branches of journal, write-behind and recovery a run went through: named counts, summed over seeds.

use std::collections::BTreeMap;

use penstock::storage::StorageCounters;

use crate::checkers::Ledger;
use crate::disk::DiskCounters;
use crate::network::NetworkCounters;
use crate::node::Node;

#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Coverage {
    counts: BTreeMap<String, u64>,
}

impl Coverage {
    pub fn add(&mut self, name: &str, count: u64) {
        if let Some(sum) = self.counts.get_mut(name) {
            *sum += count;
        } else {
            self.counts.insert(name.to_owned(), count);
        }
    }

    pub fn merge(&mut self, other: &Coverage) {
        other.iter().for_each(|(name, count)| self.add(name, count));
    }

    pub fn iter(&self) -> impl Iterator<Item = (&str, u64)> {
        self.counts.iter().map(|(name, count)| (name.as_str(), *count))
    }

    #[must_use]
    pub fn count(&self, name: &str) -> u64 {
        self.counts.get(name).copied().unwrap_or(0)
    }

    /// The end of a life: what its shards counted.
    pub fn add_node(&mut self, node: &Node) {
        let counters = &node.counters;
        self.add("node: turns", counters.turns);
        self.add("node: messages between shards", counters.messages);
        self.add("node: deadlines", counters.ticks);
        self.add("node: journal failures", counters.journal_failures);
        self.add("node: segment failures", counters.segment_failures);
        self.add("node: stops begun", counters.stops);
        for index in 0..node.shards() {
            if let Some(shard) = node.shard(index) {
                self.add_storage(&shard.storage().counters());
            }
        }
    }

    fn add_storage(&mut self, counters: &StorageCounters) {
        self.add("journal: files released", counters.files_released);
        self.add("journal: entries", counters.journal.entries);
        self.add("journal: commits that only release", counters.journal.release_commits);
        self.add("journal: bytes carried forward", counters.carried_bytes);
        self.add("journal: checkpoint bytes", counters.checkpoint_bytes);
        self.add("journal: checkpoints left out", counters.checkpoints_left_out);
        self.add("journal: segments recorded already", counters.recorded_already);
        self.add("storage: segments closed for room", counters.closed_for_room);
        self.add("storage: segment writes", counters.segment_writes);
        self.add("storage: segments sealed", counters.segments_sealed);
        self.add("storage: segment syncs", counters.segment_syncs);
        self.add("storage: log starts moved", counters.log_starts_moved);
        self.add("storage: segments unlinked", counters.segments_unlinked);
        self.add("compaction: passes", counters.cleaner.runs);
        self.add("compaction: segments replaced", counters.cleaner.segments_replaced);
        self.add("indexes: evicted", counters.index_evictions);
        self.add("storage: room found after a refusal", counters.space_ends);
    }

    /// The end of a world.
    pub fn add_world(&mut self, disk: &DiskCounters, network: &NetworkCounters, ledger: &Ledger) {
        self.add("groups: commits acknowledged", ledger.groups.acknowledged);
        self.add("groups: assignments told", ledger.groups.assignments);
        self.add("groups: deleted", ledger.groups.deletions);
        self.add("consumer groups: partitions moved", ledger.ownership.moves);
        self.add("disk: commits synced", disk.commits);
        self.add("disk: commits out of order", disk.commits_out_of_order);
        self.add("disk: journal files prepared", disk.journal_files);
        self.add("disk: segment reads", disk.reads);
        self.add("disk: partitions deleted", disk.deletes);
        self.add("disk: metadata appends", disk.metadata_appends);
        self.add("disk: errors", disk.errors);
        self.add("disk: log starts written", disk.log_starts);
        self.add("disk: segments unlinked", disk.segments_unlinked);
        self.add("crash: log starts lost", disk.log_starts_lost);
        self.add("summaries: unsynced kept by a crash", disk.summaries.kept);
        self.add("summaries: unsynced lost by a crash", disk.summaries.lost);
        self.add("summaries: unsynced torn by a crash", disk.summaries.torn);
        self.add("summaries: another's shown after a crash", disk.summaries.old);
        self.add("indexes: loaded", disk.summaries.loads);
        self.add("indexes: loaded from batches", disk.summaries.loads_by_scan);
        self.add("compaction: maps filled", disk.compactions.maps);
        self.add("compaction: maps that did not hold all", disk.compactions.full_maps);
        self.add("compaction: segments rewritten", disk.compactions.rewrites);
        self.add("compaction: segments that stayed as they are", disk.compactions.unchanged);
        self.add("compaction: swaps", disk.compactions.swaps);
        self.add("compaction: segments merged into others", disk.compactions.merged);
        self.add("compaction: records dropped", disk.compactions.records_dropped);
        self.add("compaction: steps given up", disk.compactions.given_up);
        self.add("disk: times it was full", disk.full);
        self.add("disk: operations without room", disk.no_room);
        self.add("recovery: journals removed", disk.journals_removed);
        self.add("recovery: partitions removed", disk.partitions_removed);
        self.add("recovery: segments truncated", disk.segments_truncated);
        self.add("crash: unsynced blocks kept", disk.damage.kept);
        self.add("crash: unsynced blocks lost", disk.damage.lost);
        self.add("crash: unsynced blocks torn", disk.damage.torn);
        self.add("crash: stale blocks shown", disk.damage.stale);
        self.add("crash: files vanished", disk.files_vanished);
        self.add("crash: unlinked files back", disk.files_reappeared);
        self.add("crash: metadata log torn", disk.metadata_torn);
        self.add("network: answers that name closed files", network.answers_to_closed_files);
        self.add("network: closed by the broker", network.closed_by_broker);
        self.add("network: connections", network.links);
        self.add("network: cuts", network.cuts);
        self.add("network: sockets paused", network.pauses);
        self.add("network: frames received directly", network.direct_receives);
        self.add("network: file pieces sent", network.file_pieces);
        self.add("clients: records acknowledged", ledger.acknowledged);
        self.add("clients: records read", ledger.observed);
        self.add("clients: batches refused", ledger.refused);
        self.add("clients: log starts moved", ledger.log_starts_moved);
        self.add("clients: topics deleted", ledger.topics.deletions);
    }

    /// What no seed has reached.
    pub fn unreached(&self) -> impl Iterator<Item = &str> {
        self.iter().filter(|(_, count)| *count == 0).map(|(name, _)| name)
    }
}

impl std::fmt::Display for Coverage {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        for (name, count) in self.iter() {
            let mark = if count == 0 { "  <- never reached" } else { "" };
            writeln!(formatter, "  {name:<46} {count:>12}{mark}")?;
        }
        Ok(())
    }
}
