//! The mind of a connection that fetches: it reads its partitions from an offset on, and tells of each record batch.
//!
//! Decides what is asked for next, which answers are tried again and which end the run. One fetch is in flight. Judges nothing:
//! what a batch means is the ledger's business (`BatchSink`), and which partitions a connection has is its owner's.

use std::collections::BTreeMap;
use std::sync::Arc;

use core::time::Duration;

use protocol::messages::fetch::{FetchResponse, PartitionData};
use protocol::{ApiKey, ErrorCode, Message, Reader, Records, frame};

use crate::conversation::{Conversation, Nanoseconds, Next, Outgoing, Piece, Request};
use crate::error::{ErrorKind, LoadError};
use crate::ledger::FoundBatch;
use crate::workload::Workload;

mod batches;
mod session;
#[cfg(test)]
mod tests;

use batches::Walk;
use session::Session;

/// The fetch versions that name topics and not their ids, in format 2 of record batches.
const VERSION_MIN: i16 = 4;
const VERSION_MAX: i16 = 12;
/// The first version with fetch sessions.
const VERSION_WITH_SESSIONS: i16 = 7;
const TOPIC_BYTES_MAX: usize = 249;
/// Between an answer that was only errors and the next request.
const RETRY_AFTER: Duration = Duration::from_millis(100);
/// Answers in a row that may hold beginnings of batches and no whole one.
const CUT_ANSWERS_MAX: u32 = 100;

/// Hears of every record batch, in the order in which they were read.
pub trait BatchSink {
    /// `partition` counts the assignments as they were given.
    fn on_batch(&mut self, partition: usize, found: FoundBatch, now: Nanoseconds);
}

/// A topic-partition to read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Assignment {
    pub topic: Arc<str>,
    pub partition: i32,
    pub start_offset: i64,
    /// Where reading ends; None: nowhere, until the schedule is over.
    pub until: Option<i64>,
}

/// How is fetched.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FetchSettings {
    /// As `fetch_version` chose it.
    pub version: i16,
    /// Keep a session, so that only partitions whose position has moved are named again.
    pub sessions: bool,
    pub wait: Duration,
    pub bytes_min: u32,
    pub bytes_max: u32,
    pub partition_bytes_max: u32,
    pub client_id: String,
}

impl FetchSettings {
    #[must_use]
    pub fn of(workload: &Workload, version: i16, client_id: &str) -> FetchSettings {
        FetchSettings {
            version,
            sessions: version >= VERSION_WITH_SESSIONS,
            wait: workload.fetch_wait,
            bytes_min: workload.fetch_bytes_min,
            bytes_max: workload.fetch_bytes_max,
            partition_bytes_max: workload.partition_fetch_bytes_max,
            client_id: client_id.into(),
        }
    }
}

/// The newest version of Fetch that we and a broker that offers `offered` (first and last) speak.
pub fn fetch_version(offered: Option<(i16, i16)>) -> Result<i16, LoadError> {
    let common = offered.map(|(first, last)| (first.max(VERSION_MIN), last.min(VERSION_MAX)));
    match (common, offered) {
        (Some((first, last)), _) if first <= last => Ok(last),
        (_, None) => Err(LoadError::failed("the broker does not offer Fetch", "is it a Kafka broker?")),
        (_, Some((first, last))) => Err(LoadError::failed(
            format!(
                "the broker offers Fetch {first} to {last}, and this reads {VERSION_MIN} to {VERSION_MAX}"
            ),
            "",
        )),
    }
}

/// What one connection has read. Bytes are those of whole record batches.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct FetchCounts {
    pub fetches: u64,
    pub batches: u64,
    pub records: u64,
    pub bytes: u64,
    /// Answers that are tried again, by the name of their error.
    pub retries: BTreeMap<&'static str, u64>,
}

/// One topic-partition as it is being read.
#[derive(Debug)]
struct FetchedPartition {
    /// In the list of assignments.
    index: usize,
    topic: Arc<str>,
    partition: i32,
    position: i64,
    until: Option<i64>,
}

impl FetchedPartition {
    fn is_done(&self) -> bool {
        self.until.is_some_and(|until| self.position >= until)
    }

    fn name(&self) -> String {
        format!("{}-{}", self.topic, self.partition)
    }
}

/// Reads a set of partitions through one connection.
///
/// Invariants: positions only grow, over reconnections too; at most one request is in flight.
#[derive(Debug)]
pub struct Consumer<S> {
    settings: FetchSettings,
    sink: S,
    /// By topic and partition.
    partitions: Vec<FetchedPartition>,
    /// Of `partitions`, those that have not reached their end.
    open_count: usize,
    session: Session,
    correlation_id: i32,
    in_flight: Option<i32>,
    connected: bool,
    stopping: bool,
    retry_at: Option<Nanoseconds>,
    /// Since when every answer was to be tried again.
    failing_since: Option<Nanoseconds>,
    cut_answers: u32,
    counts: FetchCounts,
}

impl<S: BatchSink> Consumer<S> {
    /// Reads `assignments` on a connection that is there.
    ///
    /// Errors: a version that this does not speak, a topic's name that no topic can have, a partition named twice.
    pub fn new(
        assignments: &[Assignment],
        settings: FetchSettings,
        sink: S,
    ) -> Result<Consumer<S>, LoadError> {
        fetch_version(Some((settings.version, settings.version)))?;
        let mut partitions: Vec<FetchedPartition> = assignments
            .iter()
            .enumerate()
            .map(|(index, assignment)| FetchedPartition {
                index,
                topic: Arc::clone(&assignment.topic),
                partition: assignment.partition,
                position: assignment.start_offset,
                until: assignment.until,
            })
            .collect();
        partitions.sort_by(|a, b| (&a.topic, a.partition).cmp(&(&b.topic, b.partition)));
        if let Some(long) = partitions.iter().find(|partition| partition.topic.len() > TOPIC_BYTES_MAX) {
            return Err(LoadError::usage(format!("no topic is called {}", long.topic), ""));
        }
        let is_twice = |pair: &&[FetchedPartition]| {
            (&pair[0].topic, pair[0].partition) == (&pair[1].topic, pair[1].partition)
        };
        if let Some(pair) = partitions.windows(2).find(is_twice) {
            return Err(LoadError::usage(format!("{} is to be read twice", pair[0].name()), ""));
        }
        let open_count = partitions.iter().filter(|partition| !partition.is_done()).count();
        let session = Session::new(settings.sessions && settings.version >= VERSION_WITH_SESSIONS);
        Ok(Consumer {
            settings,
            sink,
            partitions,
            open_count,
            session,
            correlation_id: 0,
            in_flight: None,
            connected: true,
            stopping: false,
            retry_at: None,
            failing_since: None,
            cut_answers: 0,
            counts: FetchCounts::default(),
        })
    }

    #[must_use]
    pub fn counts(&self) -> &FetchCounts {
        &self.counts
    }

    pub fn sink_mut(&mut self) -> &mut S {
        &mut self.sink
    }

    /// Since when every answer has been an error that is tried again: how long that may last is the owner's decision.
    #[must_use]
    pub fn failing_since(&self) -> Option<Nanoseconds> {
        self.failing_since
    }

    /// The position of each assignment, in the order in which they were given.
    #[must_use]
    pub fn positions(&self) -> Vec<i64> {
        let mut positions = vec![0; self.partitions.len()];
        for partition in &self.partitions {
            positions[partition.index] = partition.position;
        }
        positions
    }

    fn request(&mut self) -> Request {
        self.correlation_id = self.correlation_id.wrapping_add(1);
        self.in_flight = Some(self.correlation_id);
        let request = self.session.request(&self.settings, &self.partitions);
        let header = frame::RequestHeader {
            api_key: ApiKey::Fetch.key(),
            api_version: self.settings.version,
            correlation_id: self.correlation_id,
            client_id: Some(&self.settings.client_id),
        };
        let pieces = frame::encode_request(header, &request)
            .expect("names and counts were checked when the consumer was made");
        let own = pieces.iter().filter_map(|piece| match piece {
            protocol::Piece::Bytes(bytes) => Some(Piece::Own(bytes.to_vec())),
            protocol::Piece::File(_) => None,
        });
        Request { pieces: own.collect() }
    }

    /// Something went wrong that may pass.
    fn count_retry(&mut self, code: ErrorCode) {
        *self.counts.retries.entry(code.name()).or_default() += 1;
    }

    /// The answer as a whole: is there anything in it? Otherwise it was counted, to be tried again.
    fn accept(&mut self, error_code: i16, session_id: i32) -> Result<bool, LoadError> {
        let code = known_code(error_code, || "a fetch".into())?;
        match code {
            ErrorCode::NONE => {
                self.session.on_answer(session_id);
                Ok(true)
            }
            _ if code.retriable() => {
                // The broker has forgotten the session, or lost count: all of it anew.
                self.session.forget();
                self.count_retry(code);
                Ok(false)
            }
            _ => Err(LoadError::failed(format!("the broker answers a fetch with {code}"), "")),
        }
    }

    /// Returns what the answer had for this partition.
    fn on_partition(
        &mut self,
        topic: &str,
        data: &PartitionData<'_>,
        now: Nanoseconds,
    ) -> Result<Found, LoadError> {
        let name = (topic, data.partition_index);
        let found = self.partitions.binary_search_by(|other| (&*other.topic, other.partition).cmp(&name));
        let Ok(id) = found else {
            return Err(garbage(format!("a fetch of partitions without {topic}-{}", data.partition_index)));
        };
        let partition = &mut self.partitions[id];
        if partition.is_done() {
            return Ok(Found::default());
        }
        let code = known_code(data.error_code, || format!("a fetch of {}", partition.name()))?;
        match code {
            ErrorCode::NONE => {}
            ErrorCode::OFFSET_OUT_OF_RANGE => return Err(out_of_range(partition, data)),
            _ if code.retriable() => {
                self.count_retry(code);
                return Ok(Found { errors: 1, ..Found::default() });
            }
            _ => {
                let what = format!("the broker answers a fetch of {} with {code}", partition.name());
                return Err(LoadError::failed(what, ""));
            }
        }
        let Some(Records::Wire(bytes)) = &data.records else { return Ok(Found::default()) };
        let index = partition.index;
        let walk = Walk { high_watermark: data.high_watermark, bytes };
        let seen = walk.tell(partition, |found| self.sink.on_batch(index, found, now))?;
        self.counts.batches += seen.batches;
        self.counts.records += seen.records;
        self.counts.bytes += seen.bytes;
        if seen.moved {
            self.session.on_moved(id, partition.is_done());
            self.open_count -= usize::from(partition.is_done());
        }
        Ok(Found { whole: seen.batches, cut: u64::from(seen.cut), errors: 0 })
    }
}

/// What one answer had.
#[derive(Clone, Copy, Debug, Default)]
struct Found {
    whole: u64,
    /// Partitions of which it had the beginning of a batch and no whole one.
    cut: u64,
    errors: u64,
}

impl<S: BatchSink> Conversation for Consumer<S> {
    fn poll(&mut self, now: Nanoseconds, outgoing: &mut Outgoing) -> Next {
        if self.in_flight.is_some() {
            return Next::OnAnswer;
        }
        if self.stopping || self.open_count == 0 {
            return Next::Finished;
        }
        if !self.connected {
            return Next::OnAnswer;
        }
        if let Some(at) = self.retry_at.filter(|at| now < *at) {
            return Next::At(at);
        }
        self.retry_at = None;
        let request = self.request();
        outgoing.requests.push_back(request);
        Next::OnAnswer
    }

    fn on_written(&mut self, _at: Nanoseconds, _room_since: Nanoseconds, _requests: usize) {}

    fn on_answer(&mut self, now: Nanoseconds, answer: &[u8]) -> Result<(), LoadError> {
        let version = self.settings.version;
        let unreadable =
            |error| garbage(format!("an answer to Fetch {version} that cannot be read: {error}"));
        let mut reader = Reader::new(answer);
        let correlation_id =
            frame::decode_response_header(&mut reader, ApiKey::Fetch, version).map_err(unreadable)?;
        if self.in_flight != Some(correlation_id) {
            return Err(garbage(format!(
                "an answer with correlation id {correlation_id}, which nobody asked"
            )));
        }
        let response = FetchResponse::decode(&mut reader, version).map_err(unreadable)?;
        self.in_flight = None;
        self.counts.fetches += 1;
        let mut total = Found::default();
        if self.accept(response.error_code, response.session_id)? {
            for topic in &response.responses {
                for data in &topic.partitions {
                    let found = self.on_partition(topic.topic, &data, now)?;
                    total.whole += found.whole;
                    total.cut += found.cut;
                    total.errors += found.errors;
                }
            }
        } else {
            total.errors += 1;
        }
        if total.errors == 0 {
            self.failing_since = None;
        } else if total.whole == 0 {
            self.failing_since.get_or_insert(now);
            self.retry_at = Some(now.saturating_add(RETRY_AFTER.as_nanos() as u64));
        }
        let is_only_cut = total.cut > 0 && total.whole == 0;
        self.cut_answers = if is_only_cut { self.cut_answers + 1 } else { 0 };
        if self.cut_answers > CUT_ANSWERS_MAX {
            return Err(garbage("only beginnings of record batches, again and again".into()));
        }
        Ok(())
    }

    fn on_disconnected(&mut self, _now: Nanoseconds) {
        self.connected = false;
        self.in_flight = None;
        self.session.forget();
    }

    fn on_connected(&mut self, _now: Nanoseconds) {
        self.connected = true;
        self.in_flight = None;
        self.session.forget();
    }

    fn on_stop(&mut self, _now: Nanoseconds) {
        self.stopping = true;
    }
}

fn known_code(code: i16, what: impl FnOnce() -> String) -> Result<ErrorCode, LoadError> {
    ErrorCode::try_from(code).map_err(|_| {
        LoadError::failed(format!("the broker answers {} with unknown error {code}", what()), "")
    })
}

fn out_of_range(partition: &FetchedPartition, data: &PartitionData<'_>) -> LoadError {
    let FetchedPartition { position, .. } = partition;
    let name = partition.name();
    let high_watermark = data.high_watermark;
    if (0..*position).contains(&high_watermark) {
        return LoadError {
            kind: ErrorKind::Verification,
            what: format!("{name} was read up to offset {position} and ends at {high_watermark} now"),
            fix: "the broker has lost what it had shown".into(),
        };
    }
    LoadError::failed(
        format!("{name} offset {position}: OFFSET_OUT_OF_RANGE"),
        "the log does not have it (any more): retention, or a broker that has lost it",
    )
}

fn garbage(what: String) -> LoadError {
    LoadError::failed(format!("the broker sends {what}"), "is it a Kafka broker?")
}
