//! The partitions that this shard owns, and who waits for them.

use std::sync::Arc;

use crate::model::topic_config::TopicConfig;
use crate::model::{DurableOffset, Offset, ShardId, TopicPartition};
use crate::replication::{Partition, Watcher};
use crate::shard_message::{INDEX_IS_LOADED, RequestId};
use crate::stdx::IdMap;
use crate::storage::LogId;

/// Invariants: `logs` and `by_name` hold the same partitions; a watcher is in `watched` exactly where it is in partitions.
#[derive(Debug, Default)]
pub(super) struct Partitions {
    by_name: IdMap<TopicPartition, LogId>,
    logs: IdMap<LogId, Owned>,
    watched: IdMap<(ShardId, RequestId), Vec<LogId>>,
}

#[derive(Debug)]
struct Owned {
    partition: Partition,
    config: Arc<TopicConfig>,
}

impl Partitions {
    pub fn get(&self, of: TopicPartition) -> Option<&Partition> {
        self.by_name.get(&of).and_then(|log| self.logs.get(log)).map(|owned| &owned.partition)
    }

    pub fn get_mut(&mut self, of: TopicPartition) -> Option<&mut Partition> {
        let log = self.by_name.get(&of)?;
        self.logs.get_mut(log).map(|owned| &mut owned.partition)
    }

    pub fn len(&self) -> usize {
        self.logs.len()
    }

    pub fn iter(&self) -> impl Iterator<Item = &Partition> {
        self.logs.values().map(|owned| &owned.partition)
    }

    pub fn logs(&self) -> impl Iterator<Item = LogId> + '_ {
        self.logs.keys().copied()
    }

    pub fn insert(&mut self, partition: Partition, config: Arc<TopicConfig>) {
        self.by_name.insert(partition.topic_partition, partition.log);
        self.logs.insert(partition.log, Owned { partition, config });
    }

    /// The partition's log, if it was there, and who waited for it.
    pub fn remove(&mut self, of: TopicPartition) -> Option<(LogId, Vec<Watcher>)> {
        let log = self.by_name.remove(&of)?;
        let watchers = self.take_watchers(log);
        self.logs.remove(&log);
        Some((log, watchers))
    }

    /// The log, if its configuration is another one now.
    pub fn set_config(&mut self, of: TopicPartition, config: &Arc<TopicConfig>) -> Option<LogId> {
        let log = *self.by_name.get(&of)?;
        let owned = self.logs.get_mut(&log)?;
        if Arc::ptr_eq(&owned.config, config) {
            return None;
        }
        owned.config = config.clone();
        Some(log)
    }

    /// What lies beyond it may yet be taken back, or belongs to a transaction that is open.
    pub fn last_stable_offset(&self, log: LogId) -> Option<Offset> {
        self.logs.get(&log).map(|owned| owned.partition.last_stable_offset())
    }

    pub fn has_durable_acks(&self, log: LogId) -> bool {
        self.logs.get(&log).is_none_or(|owned| owned.config.durable_acks)
    }

    pub fn on_durable(&mut self, log: LogId, end: DurableOffset) {
        if let Some(owned) = self.logs.get_mut(&log) {
            owned.partition.on_durable(end, owned.config.durable_acks);
        }
    }

    pub fn on_appended_without_durability(&mut self, log: LogId, end: Offset) {
        if let Some(owned) = self.logs.get_mut(&log) {
            owned.partition.on_appended_without_durability(end);
        }
    }

    /// Registers the watcher. True: there is more already than it knows, and it is not registered. `is_loading`: is an index of
    /// this log on its way? One that was, when the watcher looked, and no longer is, may have come in between.
    pub fn watch(
        &mut self,
        home: ShardId,
        request: RequestId,
        known: &[(TopicPartition, Offset)],
        is_loading: &dyn Fn(LogId) -> bool,
    ) -> bool {
        let has_more = |(of, end): &(TopicPartition, Offset)| {
            self.get(*of).is_none_or(|partition| match *end {
                INDEX_IS_LOADED => !is_loading(partition.log),
                end => partition.high_watermark() > end,
            })
        };
        if known.iter().any(has_more) {
            return true;
        }
        let mut logs = Vec::with_capacity(known.len());
        for (of, _) in known {
            if let Some(partition) = self.get_mut(*of) {
                partition.watch(Watcher { home, request });
                logs.push(partition.log);
            }
        }
        self.watched.insert((home, request), logs);
        false
    }

    pub fn unwatch(&mut self, home: ShardId, request: RequestId) {
        for log in self.watched.remove(&(home, request)).unwrap_or_default() {
            if let Some(owned) = self.logs.get_mut(&log) {
                owned.partition.unwatch(Watcher { home, request });
            }
        }
    }

    /// Those who wait for this log; each is told once, so it waits for no other log any more either.
    pub fn take_watchers(&mut self, log: LogId) -> Vec<Watcher> {
        let Some(owned) = self.logs.get(&log) else { return Vec::new() };
        let watchers = owned.partition.watchers().to_vec();
        for watcher in &watchers {
            self.unwatch(watcher.home, watcher.request);
        }
        watchers
    }
}
