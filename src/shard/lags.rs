//! How far the groups of this shard's coordinators are behind: measured now and then, for whoever scrapes.
//!
//! ```text
//! time -> committed offsets of all groups, bounded -> MeasureLag to the shards of their partitions -> LagMeasured -> the metrics
//! ```
//!
//! Decides when, and of how many offsets. What a lag is, is decided by the log. No commit costs anything for it.

use crate::effect::{Effect, Effects};
use crate::limits::{LAG_GROUP_ID_BYTES_MAX, LAG_INTERVAL_MS, LAG_SERIES_MAX};
use crate::metrics::GroupLag;
use crate::model::{Instant, Lag, Now, PartitionIndex, TopicPartition};
use crate::shard_message::{LagItem, ShardMessage};

use super::Shard;
use super::requests::by_shard;

/// Lives: one per shard.
#[derive(Debug)]
pub(super) struct Lags {
    /// When the present round, or the last one, began.
    began: Instant,
    round: u64,
    /// What was asked in this round; `index` of an item is its place.
    asked: Vec<GroupLag>,
    /// By place: it is known.
    is_known: Vec<bool>,
    /// Shards that have not answered.
    outstanding: usize,
    omitted: u64,
}

impl Lags {
    pub fn new(now: Now) -> Lags {
        Lags {
            began: now.instant,
            round: 0,
            asked: Vec::new(),
            is_known: Vec::new(),
            outstanding: 0,
            omitted: 0,
        }
    }
}

impl Shard {
    /// None: no groups are coordinated here.
    pub(super) fn lags_deadline(&self) -> Option<Instant> {
        let is_needed = !self.stopping && !self.coordinators.seats.is_empty();
        is_needed.then(|| self.lags.began.after_ms(LAG_INTERVAL_MS))
    }

    /// Begins a round, if it is time. One that is still under way is given up.
    pub(super) fn maybe_measure_lags(&mut self, now: Now, effects: &mut Effects) {
        if self.lags_deadline().is_none_or(|deadline| deadline > now.instant) {
            return;
        }
        self.lags.began = now.instant;
        self.lags.round += 1;
        let items = self.committed_offsets();
        let groups = by_shard(items);
        self.lags.outstanding = groups.len();
        if groups.is_empty() {
            self.tell_lags();
        }
        let round = self.lags.round;
        for (shard, items) in groups {
            if shard == self.id {
                let lags = self.lags_of(&items);
                self.on_lag_measured(now, round, lags);
            } else {
                let message = ShardMessage::MeasureLag { round, items };
                effects.push(Effect::TellShard { to: shard, message });
            }
        }
    }

    /// What is to be asked, by shard, and noted in `lags`. Of topics that are gone nothing is; beyond the limit none is looked at.
    fn committed_offsets(&mut self) -> Vec<(crate::model::ShardId, LagItem)> {
        let (mut asked, mut items, mut too_long) = (Vec::new(), Vec::new(), 0);
        let count: usize = self.group_coordinators().map(|groups| groups.offsets().count()).sum();
        let all = self.group_coordinators().flat_map(|groups| groups.offsets().iter());
        for (group_id, topic, partition, committed) in all.take(LAG_SERIES_MAX) {
            let Some(topic_id) = self.image.names.get(topic).copied() else { continue };
            if group_id.len() > LAG_GROUP_ID_BYTES_MAX {
                too_long += 1;
                continue;
            }
            let partition = PartitionIndex(partition);
            let topic_partition = TopicPartition { topic_id, partition };
            let index = u32::try_from(asked.len()).expect("limited by LAG_SERIES_MAX");
            items.push((
                super::shard_of(topic_partition, self.shards),
                LagItem { index, topic_partition, committed },
            ));
            let (group_id, topic) = (group_id.to_owned(), topic.to_owned());
            asked.push(GroupLag { group_id, topic, partition, lag: Lag::default(), age_ms: None });
        }
        self.lags.is_known = vec![false; asked.len()];
        let omitted = count.saturating_sub(LAG_SERIES_MAX) + too_long;
        (self.lags.asked, self.lags.omitted) = (asked, omitted as u64);
        items
    }

    /// Of those partitions that are here, and served.
    pub(super) fn lags_of(&self, items: &[LagItem]) -> Vec<(u32, Lag)> {
        let lag = |item: &LagItem| {
            let partition = self.partitions.get(item.topic_partition)?;
            let is_served = self.storage.serves(partition.log);
            let log = is_served.then(|| self.storage.log(partition.log))?;
            Some((item.index, log.lag(item.committed, partition.high_watermark())))
        };
        items.iter().filter_map(lag).collect()
    }

    pub(super) fn on_lag_measured(&mut self, now: Now, round: u64, lags: Vec<(u32, Lag)>) {
        if round != self.lags.round || self.lags.outstanding == 0 {
            return;
        }
        for (index, lag) in lags {
            let index = index as usize;
            if let (Some(known), Some(is_known)) =
                (self.lags.asked.get_mut(index), self.lags.is_known.get_mut(index))
            {
                known.lag = lag;
                known.age_ms = age_ms(&lag, now.wall_ms);
                *is_known = true;
            }
        }
        self.lags.outstanding -= 1;
        if self.lags.outstanding == 0 {
            self.tell_lags();
        }
    }

    fn tell_lags(&mut self) {
        let asked = std::mem::take(&mut self.lags.asked).into_iter();
        let measured = asked.zip(&self.lags.is_known).filter(|(_, is_known)| **is_known);
        self.metrics.lags.measured = std::sync::Arc::new(measured.map(|(lag, _)| lag).collect());
        self.metrics.lags.omitted = self.lags.omitted;
    }
}

/// Clocks of producers may be ahead of ours.
fn age_ms(lag: &Lag, wall_ms: i64) -> Option<u64> {
    if lag.records == 0 {
        return Some(0);
    }
    let timestamp_ms = lag.timestamp_ms?;
    Some(u64::try_from(wall_ms.saturating_sub(timestamp_ms)).unwrap_or(0))
}
