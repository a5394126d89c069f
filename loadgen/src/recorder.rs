//! What one thread measures: histograms and counts, recorded without a lock and merged at the end.
//!
//! Decides which samples belong to the measured part: a latency by its intended moment, so that slow answers to requests near the
//! end are not left out; a count by the moment of its acknowledgement, so that rates are those of the clock. Percentiles are
//! taken from merged histograms, never averaged. What happens after the end is in no second: a thread that looks at its clock late would
//! otherwise add it to the last one.

use std::collections::{BTreeMap, VecDeque};

use base64::Engine as _;
use hdrhistogram::Histogram;
use hdrhistogram::serialization::{Serializer as _, V2DeflateSerializer};

use crate::conversation::Nanoseconds;
use crate::report::{Consumed, Produced, Summary};
use crate::window::Window;

/// Connections of one thread above this share histograms.
pub const SLOTS_MAX: usize = 256;
const LOWEST_NS: u64 = 128;
const HIGHEST_NS: u64 = 60_000_000_000;
const DIGITS: u8 = 3;
const SECOND: Nanoseconds = 1_000_000_000;
/// With a linger, the moments of a batch's records are looked at in so many places at most, each for its neighbours too.
const LINGER_PLACES_MAX: u32 = 32;

/// One acknowledged request, or the acknowledged part of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Acknowledged {
    pub slot: usize,
    pub intended: Nanoseconds,
    pub ready: Nanoseconds,
    pub written: Nanoseconds,
    pub acknowledged: Nanoseconds,
    /// Moments of the first and last record.
    pub first: Nanoseconds,
    pub last: Nanoseconds,
    pub batches: u32,
    pub records: u32,
    pub bytes: u64,
}

/// What happened in one second.
#[derive(Clone, Debug)]
pub struct Interval {
    pub response: Histogram<u64>,
    pub records: u64,
    pub bytes: u64,
    pub errors: u64,
    pub consumed_records: u64,
}

impl Default for Interval {
    fn default() -> Interval {
        Interval::new()
    }
}

impl Interval {
    #[must_use]
    pub fn new() -> Interval {
        Interval { response: histogram(), records: 0, bytes: 0, errors: 0, consumed_records: 0 }
    }

    pub fn merge(&mut self, other: &Interval) {
        merge(&mut self.response, &other.response);
        self.records += other.records;
        self.bytes += other.bytes;
        self.errors += other.errors;
        self.consumed_records += other.consumed_records;
    }
}

#[derive(Clone, Debug)]
pub struct Recorder {
    window: Window,
    /// Response by batch, by connection.
    responses: Vec<Histogram<u64>>,
    service: Histogram<u64>,
    delay: Histogram<u64>,
    by_record: Histogram<u64>,
    end_to_end: Histogram<u64>,
    /// Seconds that nobody has taken, the first of them first; later ones where the thread was late to tell of one.
    intervals: VecDeque<Interval>,
    taken: u64,
    produced: Produced,
    consumed: Consumed,
    /// Of the whole run.
    acknowledged_batches: u64,
}

impl Recorder {
    #[must_use]
    pub fn new(window: Window, connections: usize) -> Recorder {
        Recorder {
            window,
            responses: (0..connections.clamp(1, SLOTS_MAX)).map(|_| histogram()).collect(),
            service: histogram(),
            delay: histogram(),
            by_record: histogram(),
            end_to_end: histogram(),
            intervals: VecDeque::new(),
            taken: 0,
            produced: Produced::default(),
            consumed: Consumed::default(),
            acknowledged_batches: 0,
        }
    }

    #[must_use]
    pub fn window(&self) -> &Window {
        &self.window
    }

    /// The second of `at`; None after the end.
    fn interval_at(&mut self, at: Nanoseconds) -> Option<&mut Interval> {
        if at >= self.window.end.moment() {
            return None;
        }
        let second = at.saturating_sub(self.window.start) / SECOND;
        Some(self.nth_interval(second.saturating_sub(self.taken) as usize))
    }

    fn nth_interval(&mut self, index: usize) -> &mut Interval {
        if self.intervals.len() <= index {
            self.intervals.resize_with(index + 1, Interval::new);
        }
        &mut self.intervals[index]
    }

    pub fn on_acknowledged(&mut self, what: &Acknowledged) {
        let response = what.acknowledged.saturating_sub(what.intended);
        self.acknowledged_batches += u64::from(what.batches);
        if let Some(interval) = self.interval_at(what.acknowledged) {
            interval.records += u64::from(what.records);
            interval.bytes += what.bytes;
            add(&mut interval.response, response, what.batches);
        }
        if self.window.contains(what.acknowledged) {
            self.produced.records += u64::from(what.records);
            self.produced.batches += u64::from(what.batches);
            self.produced.requests += 1;
            self.produced.bytes += what.bytes;
        }
        if !self.window.contains(what.intended) {
            return;
        }
        let slots = self.responses.len();
        add(&mut self.responses[what.slot % slots], response, what.batches);
        add(&mut self.service, what.acknowledged.saturating_sub(what.written), what.batches);
        let ready = what.ready.max(what.intended);
        add(&mut self.delay, what.written.saturating_sub(ready), what.batches);
        self.add_records(what);
    }

    fn add_records(&mut self, what: &Acknowledged) {
        if what.first == what.last {
            return add(&mut self.by_record, what.acknowledged.saturating_sub(what.first), what.records);
        }
        let places = what.records.clamp(1, LINGER_PLACES_MAX);
        for place in 0..places {
            let begin = u64::from(place) * u64::from(what.records) / u64::from(places);
            let end = u64::from(place + 1) * u64::from(what.records) / u64::from(places);
            // The moment of the record in the middle of its neighbours.
            let spread = (what.last - what.first) as f64 / f64::from(what.records.saturating_sub(1).max(1));
            let middle = (begin + end - 1) as f64 / 2.0;
            let moment = what.first + (spread * middle) as u64;
            add(&mut self.by_record, what.acknowledged.saturating_sub(moment), (end - begin) as u32);
        }
    }

    /// `batches` ended otherwise than acknowledged, or must be sent again, for the reason of this name.
    pub fn on_error(&mut self, name: &str, batches: u64) {
        self.nth_interval(0).errors += batches;
        match self.produced.errors.get_mut(name) {
            Some(count) => *count += batches,
            None => {
                self.produced.errors.insert(name.to_owned(), batches);
            }
        }
    }

    pub fn on_disconnect(&mut self) {
        self.produced.disconnects += 1;
    }

    pub fn on_due(&mut self, records: u64) {
        self.produced.records_due += records;
    }

    /// A consumer read batches at `now`.
    pub fn on_consumed(&mut self, now: Nanoseconds, read: &Consumed) {
        if let Some(interval) = self.interval_at(now) {
            interval.consumed_records += read.records;
        }
        if self.window.contains(now) {
            self.consumed.records += read.records;
            self.consumed.batches += read.batches;
            self.consumed.bytes += read.bytes;
            self.consumed.fetches += read.fetches;
        }
    }

    /// A consumer read at `now` a batch of this run.
    pub fn on_end_to_end(&mut self, now: Nanoseconds, intended: Nanoseconds) {
        if self.window.contains(intended) {
            add(&mut self.end_to_end, now.saturating_sub(intended), 1);
        }
    }

    #[must_use]
    pub fn acknowledged_batches(&self) -> u64 {
        self.acknowledged_batches
    }

    /// What happened in the next second that was not taken.
    pub fn take_interval(&mut self) -> Interval {
        self.taken += 1;
        self.intervals.pop_front().unwrap_or_default()
    }
}

/// All recorders of a run as one.
#[derive(Clone, Debug)]
pub struct Merged {
    pub produced: Produced,
    pub consumed: Consumed,
    pub response: Histogram<u64>,
    pub service: Histogram<u64>,
    pub delay: Histogram<u64>,
    pub by_record: Histogram<u64>,
    pub end_to_end: Histogram<u64>,
    /// The p99 of response of each connection, ascending.
    pub connection_p99: Vec<u64>,
    /// Of the whole run.
    pub acknowledged_batches: u64,
}

#[must_use]
pub fn merged(recorders: &[Recorder]) -> Merged {
    let mut all = Merged {
        produced: Produced::default(),
        consumed: Consumed::default(),
        response: histogram(),
        service: histogram(),
        delay: histogram(),
        by_record: histogram(),
        end_to_end: histogram(),
        connection_p99: Vec::new(),
        acknowledged_batches: 0,
    };
    for one in recorders {
        for response in &one.responses {
            merge(&mut all.response, response);
            if !response.is_empty() {
                all.connection_p99.push(response.value_at_quantile(0.99));
            }
        }
        merge(&mut all.service, &one.service);
        merge(&mut all.delay, &one.delay);
        merge(&mut all.by_record, &one.by_record);
        merge(&mut all.end_to_end, &one.end_to_end);
        merge_produced(&mut all.produced, &one.produced);
        all.consumed.records += one.consumed.records;
        all.consumed.batches += one.consumed.batches;
        all.consumed.bytes += one.consumed.bytes;
        all.consumed.fetches += one.consumed.fetches;
        all.acknowledged_batches += one.acknowledged_batches;
    }
    all.connection_p99.sort_unstable();
    all
}

fn merge_produced(all: &mut Produced, one: &Produced) {
    all.records += one.records;
    all.batches += one.batches;
    all.requests += one.requests;
    all.bytes += one.bytes;
    all.records_due += one.records_due;
    all.disconnects += one.disconnects;
    let errors: &mut BTreeMap<String, u64> = &mut all.errors;
    for (name, count) in &one.errors {
        *errors.entry(name.clone()).or_default() += count;
    }
}

#[must_use]
pub fn summary(histogram: &Histogram<u64>) -> Summary {
    if histogram.is_empty() {
        return Summary::default();
    }
    let at = |quantile| histogram.value_at_quantile(quantile);
    let mut bytes = Vec::new();
    V2DeflateSerializer::new()
        .serialize(histogram, &mut bytes)
        .expect("a vector takes what a histogram of our bounds needs");
    Summary {
        samples: histogram.len(),
        mean_ns: histogram.mean(),
        min_ns: histogram.min(),
        p50_ns: at(0.5),
        p90_ns: at(0.9),
        p99_ns: at(0.99),
        p999_ns: at(0.999),
        p9999_ns: at(0.9999),
        max_ns: histogram.max(),
        histogram: base64::engine::general_purpose::STANDARD.encode(bytes),
    }
}

fn histogram() -> Histogram<u64> {
    let mut histogram =
        Histogram::new_with_bounds(LOWEST_NS, HIGHEST_NS, DIGITS).expect("the bounds are in order");
    histogram.auto(true);
    histogram
}

fn add(histogram: &mut Histogram<u64>, value: u64, count: u32) {
    histogram.record_n(value, u64::from(count)).expect("the histogram grows to any value below 2^63");
}

fn merge(into: &mut Histogram<u64>, from: &Histogram<u64>) {
    into.add(from).expect("the histogram grows to any value below 2^63");
}

#[cfg(test)]
mod tests {
    use hdrhistogram::serialization::Deserializer;

    use super::*;
    use crate::window::ScheduleEnd;

    fn window() -> Window {
        Window { start: 0, begin: 1_000_000, end: ScheduleEnd::at(2_000_000) }
    }

    fn sample() -> Acknowledged {
        Acknowledged {
            slot: 0,
            intended: 1_500_000,
            ready: 1_500_000,
            written: 1_510_000,
            acknowledged: 1_600_000,
            first: 1_500_000,
            last: 1_500_000,
            batches: 1,
            records: 10,
            bytes: 1_000,
        }
    }

    fn close(value: u64, expect: u64) {
        assert!(value.abs_diff(expect) <= expect / 500 + 256, "{value} is not about {expect}");
    }

    #[test]
    fn latencies_belong_to_their_intended_moment_and_counts_to_their_answer() {
        let mut recorder = Recorder::new(window(), 1);
        recorder.on_acknowledged(&sample());
        recorder.on_acknowledged(&Acknowledged { acknowledged: 9_000_000, ..sample() });
        recorder.on_acknowledged(&Acknowledged { intended: 999_999, ..sample() });
        let all = merged(&[recorder]);
        assert_eq!(all.response.len(), 2);
        close(all.response.max(), 7_500_000);
        assert_eq!((all.produced.records, all.produced.requests), (20, 2));
        close(all.delay.max(), 10_000);
        close(all.service.min(), 90_000);
        assert_eq!(all.by_record.len(), 20);
    }

    #[test]
    fn a_place_that_was_late_is_not_the_generators_delay() {
        let mut recorder = Recorder::new(window(), 1);
        recorder.on_acknowledged(&Acknowledged { ready: 1_509_000, ..sample() });
        close(merged(&[recorder]).delay.max(), 1_000);
    }

    #[test]
    fn records_of_a_lingered_batch_count_from_their_own_moments() {
        for (records, median) in [(10, 50_000), (1_000, 55_000)] {
            let mut recorder = Recorder::new(window(), 1);
            let last = 1_590_000;
            recorder.on_acknowledged(&Acknowledged { intended: last, last, records, ..sample() });
            let by_record = merged(&[recorder]).by_record;
            assert_eq!(by_record.len(), u64::from(records));
            assert!(by_record.value_at_quantile(0.5).abs_diff(median) < 3_000);
            assert!(by_record.max() > by_record.min() + 80_000);
        }
    }

    #[test]
    fn percentiles_are_those_of_all_samples() {
        let recorders: Vec<Recorder> = (1..=4u64)
            .map(|thread| {
                let mut recorder = Recorder::new(window(), 2);
                for index in 0..100 {
                    let acknowledged = 1_500_000 + thread * 10_000 + index;
                    recorder.on_acknowledged(&Acknowledged {
                        slot: index as usize % 2,
                        acknowledged,
                        ..sample()
                    });
                }
                recorder
            })
            .collect();
        let all = merged(&recorders);
        close(all.response.value_at_quantile(0.5), 20_000);
        close(all.response.value_at_quantile(0.99), 40_000);
        assert_eq!(all.connection_p99.len(), 8);
        close(all.connection_p99[0], 10_000);
    }

    #[test]
    fn a_summary_carries_its_histogram() {
        let mut recorder = Recorder::new(window(), 1);
        recorder.on_acknowledged(&sample());
        let summary = summary(&merged(&[recorder]).response);
        let bytes = base64::engine::general_purpose::STANDARD.decode(&summary.histogram).unwrap();
        let read: Histogram<u64> = Deserializer::new().deserialize(&mut &bytes[..]).unwrap();
        assert_eq!((read.len(), read.max()), (1, summary.max_ns));
        assert_eq!(summary.samples, 1);
    }

    #[test]
    fn an_interval_begins_where_the_last_one_ended() {
        let mut recorder = Recorder::new(window(), 1);
        recorder.on_acknowledged(&sample());
        recorder.on_error("MESSAGE_TOO_LARGE", 2);
        let mut first = recorder.take_interval();
        assert_eq!((first.records, first.errors, first.response.len()), (10, 2, 1));
        let second = recorder.take_interval();
        assert_eq!((second.records, second.errors, second.response.len()), (0, 0, 0));
        first.merge(&second);
        assert_eq!(first.records, 10);
        assert_eq!(merged(&[recorder]).produced.errors["MESSAGE_TOO_LARGE"], 2);
    }

    #[test]
    fn a_late_thread_counts_each_answer_in_its_own_second_and_none_after_the_end() {
        let window = Window { start: 0, begin: 0, end: ScheduleEnd::at(2 * SECOND) };
        let mut recorder = Recorder::new(window.clone(), 1);
        let read = |records| Consumed { records, ..Consumed::default() };
        // The thread tells of its first second when all of this has happened.
        for (at, records) in
            [(SECOND - 1, 1), (SECOND, 2), (2 * SECOND - 1, 3), (2 * SECOND, 4), (5 * SECOND, 5)]
        {
            recorder.on_acknowledged(&Acknowledged { acknowledged: at, records, ..sample() });
            recorder.on_consumed(at, &read(u64::from(records)));
        }
        let seconds = [recorder.take_interval(), recorder.take_interval(), recorder.take_interval()];
        assert_eq!(seconds.each_ref().map(|second| second.records), [1, 5, 0]);
        assert_eq!(seconds.each_ref().map(|second| second.consumed_records), [1, 5, 0]);
        assert_eq!(seconds.each_ref().map(|second| second.response.len()), [1, 2, 0]);
        assert_eq!(merged(&[recorder]).produced.records, 6, "the seconds and the whole agree");
    }

    #[test]
    fn an_end_that_came_forward_is_the_end_of_counts() {
        let window = window();
        let mut recorder = Recorder::new(window.clone(), 1);
        recorder.on_acknowledged(&sample());
        window.end.bring_forward(1_600_000);
        recorder.on_acknowledged(&sample());
        let all = merged(&[recorder]);
        assert_eq!((all.produced.records, all.response.len()), (10, 2));
    }
}
