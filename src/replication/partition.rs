//! The leader's view of a partition: epoch checks, the high watermark, and the readers that wait for it to move.

use protocol::error_code::ErrorCode;

use crate::log::{PartitionLog, Unread};
use crate::model::{DurableOffset, LeaderEpoch, Offset, ShardId, TopicPartition};
use crate::shard_message::{ReadItem, ReadResult, RequestId};
use crate::storage::LogId;

/// A fetch that waits at `home` for more to read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Watcher {
    pub home: ShardId,
    pub request: RequestId,
}

/// Lives: one per partition, on the shard that owns it.
///
/// Invariants: the high watermark never goes back, and never passes what is durable.
#[derive(Debug)]
pub struct Partition {
    pub topic_partition: TopicPartition,
    pub log: LogId,
    pub leader_epoch: LeaderEpoch,
    high_watermark: Offset,
    watchers: Vec<Watcher>,
}

impl Partition {
    /// What recovery found is durable: it is where the high watermark starts.
    #[must_use]
    pub fn new(
        topic_partition: TopicPartition,
        log: LogId,
        leader_epoch: LeaderEpoch,
        recovered: DurableOffset,
    ) -> Partition {
        Partition {
            topic_partition,
            log,
            leader_epoch,
            high_watermark: recovered.offset(),
            watchers: Vec::new(),
        }
    }

    #[must_use]
    pub fn high_watermark(&self) -> Offset {
        self.high_watermark
    }

    /// Records up to here are decided. Equal to the high watermark as long as there are no transactions.
    #[must_use]
    pub fn last_stable_offset(&self) -> Offset {
        self.high_watermark
    }

    /// With one replica, the in-sync replicas are this one, and what it has synced is committed.
    ///
    /// Without `durable_acks` the high watermark may be ahead already.
    pub fn on_durable(&mut self, end: DurableOffset, durable_acks: bool) {
        let goes_on = end.offset() >= self.high_watermark || !durable_acks;
        assert!(goes_on, "the durable end of {} went back", self.topic_partition);
        self.high_watermark = self.high_watermark.max(end.offset());
    }

    /// `durable.acks=false`: the user chose that records are readable once they are in memory.
    pub fn on_appended_without_durability(&mut self, end: Offset) {
        self.high_watermark = self.high_watermark.max(end);
    }

    /// Kafka's check of the epoch that a client believes in; -1 is not checked.
    ///
    /// Errors: FENCED_LEADER_EPOCH (the client is behind), UNKNOWN_LEADER_EPOCH (it is ahead).
    pub fn check_leader_epoch(&self, current: LeaderEpoch) -> Result<(), ErrorCode> {
        match current {
            LeaderEpoch(..0) => Ok(()),
            epoch if epoch < self.leader_epoch => Err(ErrorCode::FENCED_LEADER_EPOCH),
            epoch if epoch > self.leader_epoch => Err(ErrorCode::UNKNOWN_LEADER_EPOCH),
            _ => Ok(()),
        }
    }

    /// Plans what a consumer gets. `limit`: bytes that this partition may add; `first`: nothing was found yet in this
    /// request, so one whole batch comes whatever its size (KIP-74).
    pub fn read(
        &self,
        log: &PartitionLog,
        item: &ReadItem,
        committed_only: bool,
        limit: u64,
        first: bool,
    ) -> ReadResult {
        match self.try_read(log, item, committed_only, limit, first) {
            Ok(result) => result,
            Err(error) => failed_read(item.index, error),
        }
    }

    fn try_read(
        &self,
        log: &PartitionLog,
        item: &ReadItem,
        committed_only: bool,
        limit: u64,
        first: bool,
    ) -> Result<ReadResult, ErrorCode> {
        self.check_leader_epoch(item.current_leader_epoch)?;
        let mut result = ReadResult {
            index: item.index,
            error: ErrorCode::NONE,
            high_watermark: self.high_watermark.0,
            last_stable_offset: self.last_stable_offset().0,
            log_start_offset: log.log_start_offset().0,
            pieces: Vec::new(),
            bytes: 0,
            first_batch_bytes: 0,
            diverging: None,
            needs_index: None,
            index_is_late: false,
        };
        if item.last_fetched_epoch.0 >= 0 {
            let (epoch, end) = log.epoch_end(item.last_fetched_epoch);
            if epoch.0 < 0 {
                return Err(ErrorCode::OFFSET_OUT_OF_RANGE);
            }
            if epoch < item.last_fetched_epoch || end.0 < item.fetch_offset {
                result.diverging = Some((epoch, end));
                return Ok(result);
            }
        }
        if item.fetch_offset < log.log_start_offset().0 || item.fetch_offset > log.log_end_offset().0 {
            return Err(ErrorCode::OFFSET_OUT_OF_RANGE);
        }
        let below = if committed_only { self.last_stable_offset() } else { self.high_watermark };
        let from = Offset(item.fetch_offset);
        if from >= below || (limit == 0 && !first) {
            return Ok(result);
        }
        let plan = match log.plan_read(from, below, limit) {
            Ok(plan) => plan,
            Err(Unread::NeedsIndex { segment }) => {
                result.needs_index = Some(segment);
                return Ok(result);
            }
            Err(Unread::Error(error)) => return Err(error),
        };
        if first || plan.first_batch_bytes <= limit {
            result.pieces = plan.pieces;
            result.bytes = plan.bytes;
            result.first_batch_bytes = plan.first_batch_bytes;
        }
        Ok(result)
    }

    pub fn watch(&mut self, watcher: Watcher) {
        if !self.watchers.contains(&watcher) {
            self.watchers.push(watcher);
        }
    }

    pub fn unwatch(&mut self, watcher: Watcher) {
        self.watchers.retain(|known| *known != watcher);
    }

    #[must_use]
    pub fn watchers(&self) -> &[Watcher] {
        &self.watchers
    }
}

/// What a fetch is told of a partition that cannot be read: Kafka leaves all three offsets unknown.
#[must_use]
pub fn failed_read(index: u32, error: ErrorCode) -> ReadResult {
    ReadResult {
        index,
        error,
        high_watermark: -1,
        last_stable_offset: -1,
        log_start_offset: -1,
        pieces: Vec::new(),
        bytes: 0,
        first_batch_bytes: 0,
        diverging: None,
        needs_index: None,
        index_is_late: false,
    }
}
