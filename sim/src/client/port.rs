//! One client's end of a connection: frames out of bytes, and each answer matched with its request, in order.

use std::collections::VecDeque;

use bytes::{Buf, Bytes, BytesMut};
use penstock::model::{Instant, ShardId};
use protocol::ApiKey;

use super::Io;
use crate::network::LinkId;

/// No answer for so long, and the client gives the connection up.
const REQUEST_TIMEOUT_NS: u64 = 30_000_000_000;

/// Answers larger than this are no answers.
const ANSWER_BYTES_MAX: usize = 256 * 1024 * 1024;

/// A request that waits for its answer.
#[derive(Debug)]
pub struct Pending<E> {
    pub correlation_id: i32,
    pub api_key: ApiKey,
    pub version: i16,
    pub expects: E,
    pub sent_at: Instant,
}

pub struct Port<E> {
    link: Option<LinkId>,
    inbox: BytesMut,
    correlation_id: i32,
    pub pending: VecDeque<Pending<E>>,
}

impl<E> Default for Port<E> {
    fn default() -> Self {
        Port { link: None, inbox: BytesMut::new(), correlation_id: 0, pending: VecDeque::new() }
    }
}

impl<E> Port<E> {
    /// Connected, now or already. False: the broker is down.
    pub fn ensure_open(&mut self, io: &mut Io<'_>) -> bool {
        if self.link.is_none() && io.shards > 0 {
            let shard = ShardId(io.random.below(u64::from(io.shards)) as u16);
            let frame_bytes_max = penstock::limits::REQUEST_BYTES_MAX;
            self.link = Some(io.network.connect(io.client, shard, frame_bytes_max, io.schedule));
        }
        self.link.is_some()
    }

    #[must_use]
    pub fn is_open(&self) -> bool {
        self.link.is_some()
    }

    /// Whether the broker at the other end was told to stop: then it answers what it has, and goes.
    #[must_use]
    pub fn saw_stop(&self, io: &Io<'_>) -> bool {
        self.link.is_some_and(|link| io.network.saw_stop(link))
    }

    #[must_use]
    pub fn takes_more(&self, io: &Io<'_>) -> bool {
        self.link.is_none_or(|link| io.network.takes_more(link))
    }

    #[must_use]
    pub fn is_current(&self, link: LinkId) -> bool {
        self.link == Some(link)
    }

    /// The correlation id of the next request.
    pub fn next_correlation_id(&mut self) -> i32 {
        self.correlation_id = self.correlation_id.wrapping_add(1);
        self.correlation_id
    }

    /// Sends a request whose bytes carry the id that `next_correlation_id` gave last. `expects` None: it has no answer.
    pub fn send(&mut self, io: &mut Io<'_>, api_key: ApiKey, version: i16, bytes: Bytes, expects: Option<E>) {
        let Some(link) = self.link else { return };
        if let Some(expects) = expects {
            let (correlation_id, sent_at) = (self.correlation_id, io.schedule.instant());
            self.pending.push_back(Pending { correlation_id, api_key, version, expects, sent_at });
        }
        io.network.write(link, bytes, io.schedule);
    }

    /// Whether the oldest request has waited too long.
    #[must_use]
    pub fn is_overdue(&self, now: Instant) -> bool {
        self.pending.front().is_some_and(|pending| now.ns_since(pending.sent_at) > REQUEST_TIMEOUT_NS)
    }

    pub fn close(&mut self, io: &mut Io<'_>) {
        if let Some(link) = self.link.take() {
            io.network.close(link, io.schedule);
        }
        self.forget();
    }

    /// The connection is gone.
    pub fn forget(&mut self) {
        self.link = None;
        self.inbox.clear();
        self.pending.clear();
    }

    pub fn receive(&mut self, bytes: &[u8]) {
        self.inbox.extend_from_slice(bytes);
    }

    /// What a client with one request at a time was answered by these bytes. None: nothing whole, or they came by a
    /// connection that it gave up.
    pub fn take_answer(&mut self, link: LinkId, bytes: &[u8]) -> Option<Result<(Pending<E>, Bytes), String>> {
        if !self.is_current(link) {
            return None;
        }
        self.receive(bytes);
        self.next_answer().transpose()
    }

    /// The next whole answer, with the request it answers. Its bytes begin at the response header.
    pub fn next_answer(&mut self) -> Result<Option<(Pending<E>, Bytes)>, String> {
        let Some(prefix) = self.inbox.first_chunk::<4>() else { return Ok(None) };
        let length = usize::try_from(i32::from_be_bytes(*prefix)).unwrap_or(usize::MAX);
        if !(4..=ANSWER_BYTES_MAX).contains(&length) {
            return Err(format!("an answer of {length} bytes"));
        }
        if self.inbox.len() < 4 + length {
            return Ok(None);
        }
        self.inbox.advance(4);
        let frame = self.inbox.split_to(length).freeze();
        let correlation_id = i32::from_be_bytes(*frame.first_chunk().expect("at least four bytes"));
        let pending = self.pending.pop_front().ok_or("an answer that nobody asked for")?;
        if pending.correlation_id != correlation_id {
            let expected = pending.correlation_id;
            return Err(format!("answers out of order: {correlation_id}, expected {expected}"));
        }
        Ok(Some((pending, frame)))
    }
}
