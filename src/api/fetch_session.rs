//! Incremental fetch sessions (KIP-227): what a client fetches is remembered, so that neither side repeats it.
//!
//! A session lives on the shard of the connection that made it; its id names that shard. A client that comes back through
//! another shard is told FETCH_SESSION_ID_NOT_FOUND and starts a new one, as after any restart of a broker.

use std::collections::BTreeMap;
use std::sync::Arc;

use protocol::error_code::ErrorCode;
use protocol::messages::fetch::FetchRequest;

use crate::limits::{FETCH_SESSION_EVICTION_MS, FETCH_SESSION_PARTITIONS_MAX};
use crate::model::{Instant, LeaderEpoch, Now, PartitionIndex, ShardId, TopicId};
use crate::shard_message::ReadResult;

const SESSIONS_FROM: i16 = 7;
const TOPIC_IDS_FROM: i16 = 13;
/// Epoch of a request that wants everything and no session.
const FINAL_EPOCH: i32 = -1;
/// Epoch of a request that wants everything and a session.
const INITIAL_EPOCH: i32 = 0;
/// Ids of one shard: below the bits that name it.
const IDS_PER_SHARD: i32 = 1 << 20;

/// A partition as the client calls it: by topic name, or by topic id from version 13 on.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct PartitionKey {
    pub topic_id: Option<TopicId>,
    pub name: Arc<str>,
    pub partition: PartitionIndex,
}

impl PartitionKey {
    #[must_use]
    pub fn is_same_topic(&self, other: &PartitionKey) -> bool {
        (self.topic_id, &self.name) == (other.topic_id, &other.name)
    }
}

/// What the client wants of a partition.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Wanted {
    pub fetch_offset: i64,
    pub current_leader_epoch: LeaderEpoch,
    pub last_fetched_epoch: LeaderEpoch,
    pub bytes_max: u64,
}

/// How a request uses sessions.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SessionUse {
    /// Everything is reported, nothing remembered.
    None,
    /// The first answer of a session: everything is reported.
    Created(i32),
    /// Only what changed is reported.
    Incremental(i32),
}

#[derive(Debug)]
struct Session {
    next_epoch: i32,
    by_id: bool,
    last_used: Instant,
    /// In the order in which they are read: who gave records goes to the end.
    order: BTreeMap<u64, (PartitionKey, Remembered)>,
    ranks: BTreeMap<PartitionKey, u64>,
    next_rank: u64,
}

#[derive(Debug)]
struct Remembered {
    wanted: Wanted,
    /// What the client was told last. None: nothing, or an error.
    told: Option<(i64, i64)>,
}

/// Lives: one per shard.
#[derive(Debug)]
pub struct FetchSessions {
    sessions_max: usize,
    first_id: i32,
    next: i32,
    sessions: BTreeMap<i32, Session>,
    partitions: usize,
}

type Begun = (Vec<(PartitionKey, Wanted)>, SessionUse);

impl FetchSessions {
    #[must_use]
    pub fn new(shard: ShardId, sessions_max: usize) -> FetchSessions {
        let first_id = 1 + i32::from(shard.0 % 2000) * IDS_PER_SHARD;
        FetchSessions { sessions_max, first_id, next: 0, sessions: BTreeMap::new(), partitions: 0 }
    }

    /// What to read for this request, and how to report it.
    ///
    /// Errors: FETCH_SESSION_ID_NOT_FOUND, INVALID_FETCH_SESSION_EPOCH, FETCH_SESSION_TOPIC_ID_ERROR.
    pub fn begin(
        &mut self,
        now: Now,
        version: i16,
        request: &FetchRequest<'_>,
        wanted: Vec<(PartitionKey, Wanted)>,
    ) -> Result<Begun, ErrorCode> {
        if version < SESSIONS_FROM {
            return Ok((wanted, SessionUse::None));
        }
        match request.session_epoch {
            FINAL_EPOCH => {
                self.remove(request.session_id);
                Ok((wanted, SessionUse::None))
            }
            INITIAL_EPOCH => {
                self.remove(request.session_id);
                let created = self.create(now.instant, version, &wanted);
                Ok((wanted, created))
            }
            epoch => self.go_on(now.instant, version, request, epoch, wanted),
        }
    }

    fn create(&mut self, now: Instant, version: i16, wanted: &[(PartitionKey, Wanted)]) -> SessionUse {
        if wanted.is_empty() || !self.make_room(now, wanted.len()) {
            return SessionUse::None;
        }
        let mut session = Session {
            next_epoch: 1,
            by_id: version >= TOPIC_IDS_FROM,
            last_used: now,
            order: BTreeMap::new(),
            ranks: BTreeMap::new(),
            next_rank: 0,
        };
        for (key, wanted) in wanted {
            session.set(key.clone(), *wanted);
        }
        let id = loop {
            let id = self.first_id + self.next;
            self.next = (self.next + 1) % IDS_PER_SHARD;
            if !self.sessions.contains_key(&id) {
                break id;
            }
        };
        self.partitions += session.ranks.len();
        self.sessions.insert(id, session);
        SessionUse::Created(id)
    }

    fn go_on(
        &mut self,
        now: Instant,
        version: i16,
        request: &FetchRequest<'_>,
        epoch: i32,
        changes: Vec<(PartitionKey, Wanted)>,
    ) -> Result<Begun, ErrorCode> {
        let id = request.session_id;
        let session = self.sessions.get_mut(&id).ok_or(ErrorCode::FETCH_SESSION_ID_NOT_FOUND)?;
        if session.next_epoch != epoch {
            return Err(ErrorCode::INVALID_FETCH_SESSION_EPOCH);
        }
        if session.by_id != (version >= TOPIC_IDS_FROM) {
            return Err(ErrorCode::FETCH_SESSION_TOPIC_ID_ERROR);
        }
        let before = session.ranks.len();
        session.last_used = now;
        session.next_epoch = if epoch == i32::MAX { 1 } else { epoch + 1 };
        for (key, wanted) in changes {
            session.set(key, wanted);
        }
        for topic in &request.forgotten_topics_data {
            let name: Arc<str> = if session.by_id { Arc::from("") } else { Arc::from(topic.topic) };
            let topic_id = session.by_id.then_some(TopicId(topic.topic_id.0));
            for partition in &topic.partitions {
                let partition = PartitionIndex(partition);
                session.forget(&PartitionKey { topic_id, name: name.clone(), partition });
            }
        }
        self.partitions = self.partitions - before + session.ranks.len();
        if session.ranks.is_empty() {
            self.remove(id);
            return Ok((Vec::new(), SessionUse::None));
        }
        let wanted =
            session.order.values().map(|(key, remembered)| (key.clone(), remembered.wanted)).collect();
        Ok((wanted, SessionUse::Incremental(id)))
    }

    /// Whether the client must be told of this partition; remembers what it is told.
    pub fn must_report(&mut self, session: &SessionUse, key: &PartitionKey, result: &ReadResult) -> bool {
        let (id, incremental) = match *session {
            SessionUse::None => return true,
            SessionUse::Created(id) => (id, false),
            SessionUse::Incremental(id) => (id, true),
        };
        let Some(session) = self.sessions.get_mut(&id) else { return true };
        let Some(remembered) = session.remembered(key) else { return true };
        let failed = result.error != ErrorCode::NONE;
        let told = (!failed).then_some((result.high_watermark, result.log_start_offset));
        let changed = failed || result.bytes > 0 || result.diverging.is_some() || remembered.told != told;
        remembered.told = told;
        if result.bytes > 0 {
            session.move_to_end(key);
        }
        changed || !incremental
    }

    /// The id for the answer.
    #[must_use]
    pub fn finish(&self, session: &SessionUse) -> i32 {
        match *session {
            SessionUse::None => 0,
            SessionUse::Created(id) | SessionUse::Incremental(id) => id,
        }
    }

    #[must_use]
    pub fn len(&self) -> usize {
        self.sessions.len()
    }

    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.sessions.is_empty()
    }

    fn remove(&mut self, id: i32) {
        if let Some(session) = self.sessions.remove(&id) {
            self.partitions -= session.ranks.len();
        }
    }

    /// Evicts a session that has not been used for a while, if room is needed. False: there is none.
    fn make_room(&mut self, now: Instant, partitions: usize) -> bool {
        if self.partitions + partitions > FETCH_SESSION_PARTITIONS_MAX {
            return false;
        }
        if self.sessions.len() < self.sessions_max {
            return true;
        }
        let idle = |session: &Session| session.last_used.after_ms(FETCH_SESSION_EVICTION_MS) <= now;
        let oldest = self.sessions.iter().min_by_key(|(_, session)| session.last_used);
        let evicted = oldest.filter(|(_, session)| idle(session)).map(|(id, _)| *id);
        if let Some(id) = evicted {
            self.remove(id);
        }
        evicted.is_some()
    }
}

impl Session {
    /// Adds a partition at the end, or changes it where it is.
    fn set(&mut self, key: PartitionKey, wanted: Wanted) {
        if let Some(remembered) = self.remembered(&key) {
            remembered.wanted = wanted;
            return;
        }
        self.ranks.insert(key.clone(), self.next_rank);
        self.order.insert(self.next_rank, (key, Remembered { wanted, told: None }));
        self.next_rank += 1;
    }

    fn remembered(&mut self, key: &PartitionKey) -> Option<&mut Remembered> {
        let rank = self.ranks.get(key)?;
        self.order.get_mut(rank).map(|(_, remembered)| remembered)
    }

    fn forget(&mut self, key: &PartitionKey) {
        if let Some(rank) = self.ranks.remove(key) {
            self.order.remove(&rank);
        }
    }

    /// So that each partition of a long list gets its turn when answers are full.
    fn move_to_end(&mut self, key: &PartitionKey) {
        let Some(rank) = self.ranks.get_mut(key) else { return };
        if let Some(entry) = self.order.remove(rank) {
            *rank = self.next_rank;
            self.order.insert(self.next_rank, entry);
            self.next_rank += 1;
        }
    }
}
#[cfg(test)]
mod tests {
    use protocol::Array;
    use protocol::messages::fetch::ForgottenTopic;

    use super::*;
    use crate::replication::failed_read;

    const VERSION: i16 = 12;

    fn at(seconds: u64) -> Now {
        Now { instant: Instant(seconds * 1_000_000_000), wall_ms: 0 }
    }

    fn key(partition: i32) -> PartitionKey {
        PartitionKey { topic_id: None, name: Arc::from("t"), partition: PartitionIndex(partition) }
    }

    fn wanted(partition: i32) -> (PartitionKey, Wanted) {
        let unknown = LeaderEpoch(-1);
        let wanted = Wanted {
            fetch_offset: 0,
            current_leader_epoch: unknown,
            last_fetched_epoch: unknown,
            bytes_max: 1,
        };
        (key(partition), wanted)
    }

    fn request(session_id: i32, session_epoch: i32) -> FetchRequest<'static> {
        FetchRequest { session_id, session_epoch, ..Default::default() }
    }

    fn read(high_watermark: i64, bytes: u64) -> ReadResult {
        let none = failed_read(0, ErrorCode::NONE);
        ReadResult { high_watermark, log_start_offset: 0, bytes, ..none }
    }

    /// A session with partitions 0, 1, 2, all told once.
    fn session(sessions: &mut FetchSessions) -> i32 {
        let begun = sessions.begin(at(0), VERSION, &request(0, 0), vec![wanted(0), wanted(1), wanted(2)]);
        let (_, session) = begun.expect("a new session");
        for partition in 0..3 {
            assert!(
                sessions.must_report(&session, &key(partition), &read(0, 0)),
                "the first answer is whole"
            );
        }
        sessions.finish(&session)
    }

    fn partitions(begun: &Begun) -> Vec<i32> {
        begun.0.iter().map(|(key, _)| key.partition.0).collect()
    }

    #[test]
    fn only_what_changed_is_reported() {
        let mut sessions = FetchSessions::new(ShardId(0), 10);
        let id = session(&mut sessions);
        let begun = sessions.begin(at(1), VERSION, &request(id, 1), Vec::new()).expect("goes on");
        assert_eq!((partitions(&begun), begun.1), (vec![0, 1, 2], SessionUse::Incremental(id)));
        let mut report = |partition, result| sessions.must_report(&begun.1, &key(partition), &result);
        assert!(!report(0, read(0, 0)), "nothing new");
        assert!(report(1, read(5, 0)), "the high watermark moved");
        assert!(report(2, read(0, 9)), "there are records");
        assert!(report(0, failed_read(0, ErrorCode::OFFSET_OUT_OF_RANGE)));
        assert!(report(0, read(0, 0)), "the error is over");
    }

    #[test]
    fn who_gave_records_goes_to_the_end() {
        let mut sessions = FetchSessions::new(ShardId(0), 10);
        let id = session(&mut sessions);
        let begun = sessions.begin(at(1), VERSION, &request(id, 1), Vec::new()).expect("goes on");
        sessions.must_report(&begun.1, &key(0), &read(1, 100));
        let begun = sessions.begin(at(1), VERSION, &request(id, 2), Vec::new()).expect("goes on");
        assert_eq!(partitions(&begun), [1, 2, 0]);
    }

    #[test]
    fn partitions_are_added_and_forgotten() {
        let mut sessions = FetchSessions::new(ShardId(0), 10);
        let id = session(&mut sessions);
        let forgotten: Array<'_, _> =
            vec![ForgottenTopic { topic: "t", partitions: vec![0, 2].into(), ..Default::default() }].into();
        let change = FetchRequest { forgotten_topics_data: forgotten, ..request(id, 1) };
        let begun = sessions.begin(at(1), VERSION, &change, vec![wanted(7)]).expect("goes on");
        assert_eq!(partitions(&begun), [1, 7]);
    }

    #[test]
    fn wrong_ids_and_epochs_are_errors() {
        let mut sessions = FetchSessions::new(ShardId(0), 10);
        let id = session(&mut sessions);
        for (version, id, epoch, error) in [
            (VERSION, id, 5, ErrorCode::INVALID_FETCH_SESSION_EPOCH),
            (VERSION, id + 1, 1, ErrorCode::FETCH_SESSION_ID_NOT_FOUND),
            (TOPIC_IDS_FROM, id, 1, ErrorCode::FETCH_SESSION_TOPIC_ID_ERROR),
        ] {
            let begun = sessions.begin(at(1), version, &request(id, epoch), Vec::new());
            assert_eq!(begun.err(), Some(error));
        }
        let closed =
            sessions.begin(at(1), VERSION, &request(id, FINAL_EPOCH), vec![wanted(0)]).expect("full");
        assert_eq!((closed.1, sessions.len()), (SessionUse::None, 0));
    }

    #[test]
    fn only_an_idle_session_makes_room_for_another() {
        let mut sessions = FetchSessions::new(ShardId(0), 1);
        session(&mut sessions);
        let mut create = |seconds| sessions.begin(at(seconds), VERSION, &request(0, 0), vec![wanted(0)]);
        assert_eq!(create(100).expect("served").1, SessionUse::None);
        assert!(matches!(create(121).expect("served").1, SessionUse::Created(_)));
    }
}
