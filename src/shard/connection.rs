//! One client connection: which request comes next, and in which order answers leave.
//!
//! Kafka's rule is that answers leave in the order of requests. Kafka keeps it by reading the next request only after
//! answering the one before. Here Produce overlaps Produce: request n+1 is appended while n waits for its sync. Everything
//! else waits for its turn, so that a client sees no difference.

use core::net::IpAddr;
use std::collections::VecDeque;

use bytes::BytesMut;
use protocol::Piece;
use protocol::api_key::ApiKey;

use crate::limits::{CONNECTION_FRAMES_BYTES_MAX, CONNECTION_REQUESTS_MAX, CONNECTION_UNSENT_BYTES_MAX};
use crate::model::Instant;
use crate::stdx::SlabKey;

const PRODUCE: i16 = ApiKey::Produce as i16;

/// Where an answer belongs: the n-th request of a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Place(pub u64);

/// Lives: one per connection, on the shard that accepted it.
///
/// Invariants: `slots` are the requests begun and not yet handed to the socket, in order; the first is not `Done`.
#[derive(Debug)]
pub struct Connection {
    pub listener: u16,
    pub peer: IpAddr,
    received: VecDeque<BytesMut>,
    received_bytes: u64,
    slots: VecDeque<Slot>,
    first_place: u64,
    /// Bytes of begun requests, released when they are answered.
    begun_bytes: u64,
    unsent_bytes: u64,
    paused: bool,
    closing: bool,
}

#[derive(Debug)]
struct Slot {
    api_key: i16,
    began: Instant,
    bytes: u64,
    /// The parked request behind it, if it could not be answered at once.
    request: Option<SlabKey>,
    /// None: under way. Some(empty): done, and nothing is sent (acks=0).
    answer: Option<Vec<Piece>>,
}

/// An answer on its way to the socket, with what is counted about it. No pieces: a request without an answer.
#[derive(Debug)]
pub struct Leaving {
    pub api_key: i16,
    pub began: Instant,
    pub bytes: u64,
    pub pieces: Vec<Piece>,
}

/// Whether the runtime must be told about this socket.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reading {
    Unchanged,
    Pause,
    Resume,
}

impl Connection {
    #[must_use]
    pub fn new(listener: u16, peer: IpAddr) -> Connection {
        Connection {
            listener,
            peer,
            received: VecDeque::new(),
            received_bytes: 0,
            slots: VecDeque::new(),
            first_place: 0,
            begun_bytes: 0,
            unsent_bytes: 0,
            paused: false,
            closing: false,
        }
    }

    pub fn on_received(&mut self, frame: BytesMut) {
        if !self.closing {
            self.received_bytes += frame.len() as u64;
            self.received.push_back(frame);
        }
    }

    /// Returns by how much less is unsent.
    pub fn on_sent(&mut self, bytes: u64) -> u64 {
        let sent = bytes.min(self.unsent_bytes);
        self.unsent_bytes -= sent;
        sent
    }

    /// No further request is begun; what is under way may finish.
    pub fn start_closing(&mut self) {
        self.closing = true;
        self.received.clear();
        self.received_bytes = 0;
    }

    #[must_use]
    pub fn is_closing(&self) -> bool {
        self.closing
    }

    /// The next request, if it may begin now, and the place of its answer.
    pub fn begin_next(&mut self, now: Instant) -> Option<(Place, BytesMut)> {
        let api_key = api_key_of(self.received.front()?);
        let overlaps = self.slots.front().is_none_or(|first| first.api_key == PRODUCE && api_key == PRODUCE);
        let has_room = self.slots.len() < CONNECTION_REQUESTS_MAX
            && self.unsent_bytes < CONNECTION_UNSENT_BYTES_MAX
            && (self.slots.is_empty() || self.begun_bytes < CONNECTION_FRAMES_BYTES_MAX);
        if !overlaps || !has_room || self.closing {
            return None;
        }
        let frame = self.received.pop_front()?;
        let bytes = frame.len() as u64;
        self.received_bytes -= bytes;
        self.begun_bytes += bytes;
        let place = Place(self.first_place + self.slots.len() as u64);
        self.slots.push_back(Slot { api_key, began: now, bytes, request: None, answer: None });
        Some((place, frame))
    }

    /// Remembers the parked request of a place, so that it can be dropped with the connection.
    pub fn attach(&mut self, place: Place, request: SlabKey) {
        if let Some(slot) = self.slot_mut(place) {
            slot.request = Some(request);
        }
    }

    /// Requests that wait for something; they die with the connection.
    pub fn parked(&self) -> impl Iterator<Item = SlabKey> + '_ {
        self.slots.iter().filter_map(|slot| slot.request)
    }

    fn slot_mut(&mut self, place: Place) -> Option<&mut Slot> {
        let index = usize::try_from(place.0.checked_sub(self.first_place)?).ok()?;
        self.slots.get_mut(index)
    }

    /// Stores the answer; returns the answers that may leave now, in order, and the request bytes that this releases.
    /// Empty pieces: a request without an answer.
    pub fn complete(&mut self, place: Place, answer: Vec<Piece>) -> (Vec<Leaving>, u64) {
        let Some(slot) = self.slot_mut(place) else { return (Vec::new(), 0) };
        assert!(slot.answer.is_none(), "a request is answered once");
        slot.answer = Some(answer);
        slot.request = None;
        let mut leaving = Vec::new();
        let begun_before = self.begun_bytes;
        while let Some(slot) = self.slots.front_mut() {
            let Some(pieces) = slot.answer.take() else { break };
            let bytes = pieces.iter().map(Piece::len).sum();
            leaving.push(Leaving { api_key: slot.api_key, began: slot.began, bytes, pieces });
            self.begun_bytes -= slot.bytes;
            self.unsent_bytes += bytes;
            self.slots.pop_front();
            self.first_place += 1;
        }
        (leaving, begun_before - self.begun_bytes)
    }

    #[must_use]
    pub fn unsent_bytes(&self) -> u64 {
        self.unsent_bytes
    }

    /// Bytes of requests that are under way.
    #[must_use]
    pub fn begun_bytes(&self) -> u64 {
        self.begun_bytes
    }

    /// Whether to stop or go on reading the socket: frames that wait are bounded by what may wait.
    pub fn update_reading(&mut self) -> Reading {
        let full = self.received_bytes >= CONNECTION_FRAMES_BYTES_MAX
            || self.received.len() >= CONNECTION_REQUESTS_MAX;
        match (self.paused, full) {
            (false, true) => {
                self.paused = true;
                Reading::Pause
            }
            (true, false) if self.received.is_empty() => {
                self.paused = false;
                Reading::Resume
            }
            _ => Reading::Unchanged,
        }
    }

    #[must_use]
    pub fn has_waiting_frames(&self) -> bool {
        !self.received.is_empty()
    }
}

/// By the first two bytes alone: enough to decide whether it may overlap. A frame too short to have a key has -1.
pub fn api_key_of(frame: &BytesMut) -> i16 {
    frame.first_chunk().map_or(-1, |key| i16::from_be_bytes(*key))
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::*;

    const METADATA: i16 = 3;

    fn frame(api_key: i16) -> BytesMut {
        BytesMut::from(&api_key.to_be_bytes()[..])
    }

    fn answer(text: &'static str) -> Vec<Piece> {
        vec![Piece::Bytes(Bytes::from_static(text.as_bytes()))]
    }

    fn connection(keys: &[i16]) -> Connection {
        let mut connection = Connection::new(0, IpAddr::from([127, 0, 0, 1]));
        keys.iter().for_each(|key| connection.on_received(frame(*key)));
        connection
    }

    fn begin_all(connection: &mut Connection) -> Vec<Place> {
        std::iter::from_fn(|| connection.begin_next(Instant(0)).map(|(place, _)| place)).collect()
    }

    #[test]
    fn only_produce_overlaps_produce() {
        for (keys, begun) in [
            (&[PRODUCE, PRODUCE, PRODUCE][..], 3),
            (&[PRODUCE, METADATA, PRODUCE], 1),
            (&[METADATA, PRODUCE], 1),
            (&[METADATA, METADATA], 1),
        ] {
            assert_eq!(begin_all(&mut connection(keys)).len(), begun, "{keys:?}");
        }
    }

    #[test]
    fn answers_leave_in_the_order_of_requests() {
        let mut connection = connection(&[PRODUCE, PRODUCE, PRODUCE]);
        let places = begin_all(&mut connection);
        assert!(connection.complete(places[2], answer("c")).0.is_empty());
        assert!(connection.complete(places[1], Vec::new()).0.is_empty());
        let (leaving, freed) = connection.complete(places[0], answer("a"));
        let pieces: Vec<_> = leaving.into_iter().map(|leaving| leaving.pieces).collect();
        assert_eq!((pieces, freed), (vec![answer("a"), Vec::new(), answer("c")], 6));
    }

    #[test]
    fn a_reader_that_never_reads_begins_nothing_more() {
        let mut connection = connection(&[METADATA, METADATA]);
        let places = begin_all(&mut connection);
        let large = Bytes::from(vec![0; usize::try_from(CONNECTION_UNSENT_BYTES_MAX).expect("small")]);
        connection.complete(places[0], vec![Piece::Bytes(large)]);
        assert!(begin_all(&mut connection).is_empty());
        connection.on_sent(1);
        assert_eq!(begin_all(&mut connection).len(), 1);
    }

    #[test]
    fn a_client_that_sends_without_end_is_paused_and_resumed() {
        let mut connection = connection(&vec![METADATA; CONNECTION_REQUESTS_MAX + 1]);
        assert_eq!(connection.update_reading(), Reading::Pause);
        assert_eq!(connection.update_reading(), Reading::Unchanged);
        while let Some((place, _)) = connection.begin_next(Instant(0)) {
            connection.complete(place, Vec::new());
        }
        assert_eq!(connection.update_reading(), Reading::Resume);
    }
}
