//! Which partitions a fetch names: all of them, or with a session (KIP-227) those whose position has moved.
//!
//! Decides session id, epoch and order. A fetch without a session begins with the partition after the last that had data, so that
//! none starves behind the byte limit; with one, that is the broker's business.

use protocol::messages::fetch::{FetchPartition, FetchRequest, FetchTopic, ForgottenTopic, ReplicaState};
use protocol::{Array, Uuid};

use super::{FetchSettings, FetchedPartition};

/// No session is wanted.
const EPOCH_NONE: i32 = -1;
/// A new session is wanted.
const EPOCH_NEW: i32 = 0;

/// Lives: per connection.
/// Invariants: `moved` and `done` are of the session `id`; without one, every request is a full one.
#[derive(Debug)]
pub(super) struct Session {
    wanted: bool,
    /// 0: there is none.
    id: i32,
    /// Of the next request.
    epoch: i32,
    /// Partitions whose position is not the one last sent.
    moved: Vec<usize>,
    /// Partitions that have been read to their end.
    done: Vec<usize>,
    /// Where the next full request begins.
    first: usize,
}

impl Session {
    pub(super) fn new(wanted: bool) -> Session {
        Session { wanted, id: 0, epoch: 0, moved: Vec::new(), done: Vec::new(), first: 0 }
    }

    /// The next request asks for everything, and for a new session.
    pub(super) fn forget(&mut self) {
        self.id = 0;
        self.moved.clear();
        self.done.clear();
    }

    /// A fetch was answered without an error. Session 0: the broker does not keep one.
    pub(super) fn on_answer(&mut self, session_id: i32) {
        if !self.wanted {
            return;
        }
        if session_id != self.id {
            self.forget();
            self.id = session_id;
            self.epoch = 1;
        } else if self.epoch == i32::MAX {
            self.epoch = 1;
        } else {
            self.epoch += 1;
        }
    }

    pub(super) fn on_moved(&mut self, id: usize, is_done: bool) {
        self.first = id + 1;
        if self.id != 0 {
            if is_done { self.done.push(id) } else { self.moved.push(id) }
        }
    }

    pub(super) fn request<'a>(
        &mut self,
        settings: &FetchSettings,
        partitions: &'a [FetchedPartition],
    ) -> FetchRequest<'a> {
        let (asked, forgotten) = if self.id == 0 {
            (self.all(partitions), Vec::new())
        } else {
            (sorted(&mut self.moved), sorted(&mut self.done))
        };
        let session_epoch = match (self.wanted, self.id) {
            (false, _) => EPOCH_NONE,
            (true, 0) => EPOCH_NEW,
            (true, _) => self.epoch,
        };
        FetchRequest {
            cluster_id: None,
            replica_id: -1,
            replica_state: ReplicaState { replica_id: -1, replica_epoch: -1 },
            max_wait_ms: i32::try_from(settings.wait.as_millis()).unwrap_or(i32::MAX),
            min_bytes: i32::try_from(settings.bytes_min).unwrap_or(i32::MAX),
            max_bytes: i32::try_from(settings.bytes_max).unwrap_or(i32::MAX),
            isolation_level: 0,
            session_id: self.id,
            session_epoch,
            topics: topics(&asked, settings, partitions),
            forgotten_topics_data: forgotten_topics(&forgotten, partitions),
            rack_id: "",
        }
    }

    /// All that have not been read to their end: each topic once, the one of `first` first, in it `first` first.
    fn all(&self, partitions: &[FetchedPartition]) -> Vec<usize> {
        let count = partitions.len();
        let first = if self.first < count { self.first } else { 0 };
        let Some(at_first) = partitions.get(first) else { return Vec::new() };
        let topic_start = partitions.partition_point(|other| other.topic < at_first.topic);
        let topic_end = partitions.partition_point(|other| other.topic <= at_first.topic);
        (first..topic_end)
            .chain(topic_start..first)
            .chain(topic_end..count)
            .chain(0..topic_start)
            .filter(|id| !partitions[*id].is_done())
            .collect()
    }
}

fn sorted(ids: &mut Vec<usize>) -> Vec<usize> {
    let mut ids = std::mem::take(ids);
    ids.sort_unstable();
    ids.dedup();
    ids
}

fn by_topic<'a, 'i>(
    ids: &'i [usize],
    partitions: &'a [FetchedPartition],
) -> impl Iterator<Item = (&'a str, &'i [usize])> + use<'a, 'i> {
    ids.chunk_by(|a, b| partitions[*a].topic == partitions[*b].topic)
        .map(|chunk| (&*partitions[chunk[0]].topic, chunk))
}

fn topics<'a>(
    ids: &[usize],
    settings: &FetchSettings,
    partitions: &'a [FetchedPartition],
) -> Array<'a, FetchTopic<'a>> {
    let partition_max_bytes = i32::try_from(settings.partition_bytes_max).unwrap_or(i32::MAX);
    let asked = |id: &usize| FetchPartition {
        partition: partitions[*id].partition,
        current_leader_epoch: -1,
        fetch_offset: partitions[*id].position,
        last_fetched_epoch: -1,
        log_start_offset: -1,
        partition_max_bytes,
        replica_directory_id: Uuid::ZERO,
        high_watermark: i64::MAX,
    };
    by_topic(ids, partitions)
        .map(|(topic, ids)| FetchTopic {
            topic,
            topic_id: Uuid::ZERO,
            partitions: ids.iter().map(asked).collect(),
        })
        .collect()
}

fn forgotten_topics<'a>(ids: &[usize], partitions: &'a [FetchedPartition]) -> Array<'a, ForgottenTopic<'a>> {
    by_topic(ids, partitions)
        .map(|(topic, ids)| ForgottenTopic {
            topic,
            topic_id: Uuid::ZERO,
            partitions: ids.iter().map(|id| partitions[*id].partition).collect(),
        })
        .collect()
}
