//! From what people write to what is run: flags over a file over a preset over the defaults, then validated.
//!
//! Decides names, defaults and ranges. A flag and a key of a workload file are one definition with one name. Errors name the key, its
//! value, its range and what to do. How single values are written is decided in `words`.

use std::fmt::Display;
use std::ops::RangeInclusive;
use std::time::Duration;

use clap::Args;
use serde::{Deserialize, Serialize};

use crate::error::LoadError;
use crate::presets;
use crate::stamp::STAMP_BYTES;
use crate::words::{Bytes, Cpus, Word};
use crate::workload::{Acks, Arrival, Codec, ConsumeFrom, Keys, Options, Rate, Verify, Workload};

/// What somebody asked for; None: nothing was said.
#[derive(Args, Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
pub struct RawSettings {
    /// A named workload, see below; flags and the file win over it
    #[arg(long, value_name = "NAME")]
    pub preset: Option<String>,

    /// The broker, or any broker of the cluster [default: 127.0.0.1:9092]
    #[arg(long, value_name = "HOST:PORT", help_heading = "Broker and topics")]
    pub bootstrap: Option<String>,
    /// The topic; it is created if it is not there [default: penstock-load]
    #[arg(long, value_name = "NAME", help_heading = "Broker and topics")]
    pub topic: Option<String>,
    /// How many topics; more than one are called NAME-0, NAME-1, ... [default: 1]
    #[arg(long, value_name = "N", help_heading = "Broker and topics")]
    pub topics: Option<u32>,
    /// Partitions of each topic [default: 4]
    #[arg(long, value_name = "N", help_heading = "Broker and topics")]
    pub partitions: Option<u32>,
    /// Replicas of each partition; -1: as the broker likes [default: -1]
    #[arg(long, value_name = "N", allow_negative_numbers = true, help_heading = "Broker and topics")]
    pub replication_factor: Option<i16>,
    /// A config of the topic when it is created, such as durable.acks=false; repeatable
    #[arg(long, value_name = "KEY=VALUE", help_heading = "Broker and topics")]
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub topic_config: Vec<String>,

    /// Connections that produce [default: 4]
    #[arg(long, value_name = "N", help_heading = "Producers")]
    pub producers: Option<u32>,
    /// Bytes of each record's value [default: 1KiB]
    #[arg(long, value_name = "SIZE", help_heading = "Producers")]
    pub record_bytes: Option<Word<Bytes>>,
    /// Records in a full batch [default: 16]
    #[arg(long, value_name = "N", help_heading = "Producers")]
    pub batch_records: Option<u32>,
    /// Or: as many records as fit into this many bytes before compression
    #[arg(long, value_name = "SIZE", help_heading = "Producers")]
    pub batch_bytes: Option<Word<Bytes>>,
    /// Batches, each for another partition, in one request [default: 1]
    #[arg(long, value_name = "N", help_heading = "Producers")]
    pub batches_per_request: Option<u32>,
    /// How long a record waits for others; 0s: whole batches are handed over at once [default: 0s]
    #[arg(long, value_name = "TIME", help_heading = "Producers")]
    pub linger: Option<Word<Duration>>,
    /// none, gzip, snappy, lz4 or zstd [default: none]
    #[arg(long, value_name = "NAME", help_heading = "Producers")]
    pub codec: Option<Word<Codec>>,
    /// none, round-robin:N, or zipf:N:EXPONENT: N keys, the n-th as often as 1/n^EXPONENT [default: none]
    #[arg(long, value_name = "KIND", help_heading = "Producers")]
    pub keys: Option<Word<Keys>>,
    /// all, leader (1) or none (0) [default: all]
    #[arg(long, value_name = "WHOSE", allow_negative_numbers = true, help_heading = "Producers")]
    pub acks: Option<Word<Acks>>,
    /// Requests of one connection that wait for an answer [default: 5]
    #[arg(long, value_name = "N", help_heading = "Producers")]
    pub in_flight: Option<u32>,
    /// Each connection has a producer id [default: true with acks=all and at most 5 in flight]
    #[arg(long, value_name = "BOOL", num_args = 0..=1, default_missing_value = "true", require_equals = true)]
    #[arg(help_heading = "Producers")]
    pub idempotent: Option<bool>,

    /// Connections that read, in each group; 0: nobody reads during the run [default: 1]
    #[arg(long, value_name = "N", help_heading = "Readers")]
    pub consumers: Option<u32>,
    /// How many times everything is read [default: 1]
    #[arg(long, value_name = "N", help_heading = "Readers")]
    pub groups: Option<u32>,
    /// Where readers start: end or beginning [default: end]
    #[arg(long, value_name = "WHERE", help_heading = "Readers")]
    pub from: Option<Word<ConsumeFrom>>,
    /// Connections that do nothing [default: 0]
    #[arg(long, value_name = "N", help_heading = "Readers")]
    pub idle_connections: Option<u32>,
    /// How long the broker may hold a fetch that finds too little [default: 500ms]
    #[arg(long, value_name = "TIME", help_heading = "Readers")]
    pub fetch_wait: Option<Word<Duration>>,
    /// What is enough for an answer [default: 1B]
    #[arg(long, value_name = "SIZE", help_heading = "Readers")]
    pub fetch_bytes_min: Option<Word<Bytes>>,
    /// The most in one answer [default: 50MiB]
    #[arg(long, value_name = "SIZE", help_heading = "Readers")]
    pub fetch_bytes_max: Option<Word<Bytes>>,
    /// The most of one partition in one answer [default: 1MiB]
    #[arg(long, value_name = "SIZE", help_heading = "Readers")]
    pub partition_fetch_bytes_max: Option<Word<Bytes>>,

    /// Of all producers: 100000 or 100k (records/s), 100MB/s, or max: as fast as answers come [default: 10000]
    #[arg(long, value_name = "RATE", help_heading = "Pace")]
    pub rate: Option<Word<Rate>>,
    /// Moments of batches: uniform or poisson [default: uniform]
    #[arg(long, value_name = "KIND", help_heading = "Pace")]
    pub arrival: Option<Word<Arrival>>,
    /// How long it is measured [default: 30s]
    #[arg(long, value_name = "TIME", help_heading = "Pace")]
    pub duration: Option<Word<Duration>>,
    /// How long before that it is not [default: 5s]
    #[arg(long, value_name = "TIME", help_heading = "Pace")]
    pub warm_up: Option<Word<Duration>>,
    /// Schedules, keys and bytes follow from it [default: 1]
    #[arg(long, value_name = "N", help_heading = "Pace")]
    pub seed: Option<u64>,

    /// Cores of the generator's threads, such as 0,2-3: one thread on each [default: one thread, not pinned]
    #[arg(long, value_name = "LIST", help_heading = "Generator")]
    pub cpus: Option<Word<Cpus>>,
    /// Never sleep between batches: exact to the microsecond, costs whole cores
    #[arg(long, value_name = "BOOL", num_args = 0..=1, default_missing_value = "true", require_equals = true)]
    #[arg(help_heading = "Generator")]
    pub spin: Option<bool>,
    /// The broker's process: its processor time, memory and disk are measured
    #[arg(long, value_name = "PID", help_heading = "Generator")]
    pub broker_pid: Option<u32>,
    /// The most memory for remembering what was acknowledged [default: 1GiB]
    #[arg(long, value_name = "SIZE", help_heading = "Generator")]
    pub ledger_bytes_max: Option<Word<Bytes>>,
    /// How long the broker may be away before the run is given up [default: 30s]
    #[arg(long, value_name = "TIME", help_heading = "Generator")]
    pub reconnect_for: Option<Word<Duration>>,

    /// Run this (with sh -c) after the run: it restarts the broker; then everything is read back
    #[arg(long, value_name = "COMMAND", help_heading = "Verdict")]
    pub verify_after: Option<String>,
    /// Believe the broker's acknowledgements
    #[arg(long, value_name = "BOOL", num_args = 0..=1, default_missing_value = "true", require_equals = true)]
    #[arg(help_heading = "Verdict")]
    pub no_verify: Option<bool>,
    /// What must hold, else the exit code is 3: 'response.p99<2ms', 'errors==0'; repeatable
    #[arg(long, value_name = "RULE", help_heading = "Verdict")]
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub expect: Vec<String>,
}

/// Everything a run needs to know.
#[derive(Clone, Debug, PartialEq)]
pub struct Settings {
    pub workload: Workload,
    pub options: Options,
    /// Not parsed yet: `expectation` does.
    pub expect: Vec<String>,
}

/// A workload file: what it is called in errors, and what is in it.
#[derive(Clone, Copy, Debug)]
pub struct WorkloadFile<'a> {
    pub name: &'a str,
    pub text: &'a str,
}

/// Flags over the file over the preset that either of them names.
pub fn settle(flags: &RawSettings, file: Option<WorkloadFile<'_>>) -> Result<Settings, LoadError> {
    let file = file.map(read_file).transpose()?.unwrap_or_default();
    let mut layers = vec![flags.clone(), file.clone()];
    if let Some(name) = flags.preset.as_ref().or(file.preset.as_ref()) {
        layers.push(read_preset(name)?);
    }
    validate(&stack(layers))
}

/// A file that gives the same workload again, in the words of the flags.
#[must_use]
pub fn to_toml(workload: &Workload) -> String {
    toml::to_string(&RawSettings::from(workload)).expect("numbers, words and lists are TOML")
}

/// The workload of which people have not said anything.
#[must_use]
pub fn default_workload() -> Workload {
    Workload {
        topic: "penstock-load".to_owned(),
        topics: 1,
        partitions: 4,
        replication_factor: -1,
        topic_configs: Vec::new(),
        producers: 4,
        consumers: 1,
        groups: 1,
        consume_from: ConsumeFrom::End,
        idle_connections: 0,
        record_bytes: 1024,
        records_per_batch: 16,
        batches_per_request: 1,
        linger: Duration::ZERO,
        codec: Codec::None,
        keys: Keys::None,
        acks: Acks::All,
        in_flight: 5,
        idempotent: true,
        rate: Rate::RecordsPerSecond(10_000.0),
        arrival: Arrival::Uniform,
        duration: Duration::from_secs(30),
        warm_up: Duration::from_secs(5),
        seed: 1,
        fetch_wait: Duration::from_millis(500),
        fetch_bytes_min: 1,
        fetch_bytes_max: 50 << 20,
        partition_fetch_bytes_max: 1 << 20,
    }
}

fn read_file(file: WorkloadFile<'_>) -> Result<RawSettings, LoadError> {
    toml::from_str(file.text).map_err(|error| {
        let line = error.span().map_or(0, |span| file.text[..span.start].lines().count().max(1));
        // Serde lists all names behind an unknown one, which buries the one that is wrong.
        let message = error.message().split(", expected one of").next().unwrap_or_default();
        LoadError::usage(
            format!("{}:{line}: {message}", file.name),
            "keys are called as the flags are; `penstock load --print-workload` prints a file to start from",
        )
    })
}

fn read_preset(name: &str) -> Result<RawSettings, LoadError> {
    let preset = presets::named(name).ok_or_else(|| {
        LoadError::usage(format!("there is no preset `{name}`"), format!("it is one of {}", presets::names()))
    })?;
    Ok(toml::from_str(preset.settings).expect("the tests read every preset"))
}

/// Ways to say the same thing: one in an upper layer silences all in those below.
const RIVALS: [[&str; 2]; 2] = [["batch-records", "batch-bytes"], ["verify-after", "no-verify"]];

/// Uppermost first.
fn stack(layers: Vec<RawSettings>) -> RawSettings {
    let mut merged = toml::Table::new();
    for layer in layers {
        let mut layer = toml::Table::try_from(layer).expect("numbers, words and lists are TOML");
        for rivals in RIVALS {
            if rivals.iter().any(|key| merged.contains_key(*key)) {
                rivals.iter().for_each(|key| drop(layer.remove(*key)));
            }
        }
        for (key, value) in layer {
            merged.entry(key).or_insert(value);
        }
    }
    merged.try_into().expect("every value came from such a field")
}

const PARTITIONS_MAX: u32 = 100_000;
const CONNECTIONS_MAX: u32 = 100_000;
const RECORDS_PER_BATCH_MAX: u32 = 1_000_000;
const MEBIBYTE: u64 = 1 << 20;

fn validate(raw: &RawSettings) -> Result<Settings, LoadError> {
    let base = default_workload();
    let record_bytes = bytes(
        "record-bytes",
        raw.record_bytes.as_ref(),
        u64::from(base.record_bytes),
        STAMP_BYTES as u64..=64 * MEBIBYTE,
        "the first 32 bytes of a batch's first record are its stamp, by which it is known again",
    )?;
    let keys = word(&raw.keys, base.keys);
    let acks = word(&raw.acks, base.acks);
    let in_flight =
        number("in-flight", raw.in_flight, base.in_flight, 1..=10_000, "1 waits for each answer")?;
    let workload = Workload {
        topic: raw.topic.clone().unwrap_or(base.topic),
        topics: number("topics", raw.topics, base.topics, 1..=10_000, "1 is usual")?,
        partitions: number("partitions", raw.partitions, base.partitions, 1..=PARTITIONS_MAX, "4 is usual")?,
        replication_factor: replication_factor(raw.replication_factor.unwrap_or(base.replication_factor))?,
        topic_configs: topic_configs(&raw.topic_config)?,
        producers: number("producers", raw.producers, base.producers, 1..=CONNECTIONS_MAX, "4 are usual")?,
        consumers: number("consumers", raw.consumers, base.consumers, 0..=CONNECTIONS_MAX, "1 is usual")?,
        groups: number("groups", raw.groups, base.groups, 1..=1_000, "with --consumers 0 nobody reads")?,
        consume_from: word(&raw.from, base.consume_from),
        idle_connections: number("idle-connections", raw.idle_connections, 0, 0..=1_000_000, "0 is usual")?,
        record_bytes,
        records_per_batch: records_per_batch(raw, base.records_per_batch, record_bytes, keys)?,
        batches_per_request: number(
            "batches-per-request",
            raw.batches_per_request,
            1,
            1..=10_000,
            "1 is usual",
        )?,
        linger: duration("linger", raw.linger.as_ref(), base.linger, seconds(0)..=seconds(60))?,
        codec: word(&raw.codec, base.codec),
        keys,
        acks,
        in_flight,
        idempotent: raw.idempotent.unwrap_or(acks == Acks::All && in_flight <= IDEMPOTENT_IN_FLIGHT_MAX),
        rate: word(&raw.rate, base.rate),
        arrival: word(&raw.arrival, base.arrival),
        duration: duration(
            "duration",
            raw.duration.as_ref(),
            base.duration,
            seconds(1)..=seconds(7 * 86_400),
        )?,
        warm_up: duration("warm-up", raw.warm_up.as_ref(), base.warm_up, seconds(0)..=seconds(86_400))?,
        seed: number("seed", raw.seed, base.seed, 0..=i64::MAX as u64, "any number will do")?,
        fetch_wait: duration(
            "fetch-wait",
            raw.fetch_wait.as_ref(),
            base.fetch_wait,
            seconds(0)..=seconds(60),
        )?,
        fetch_bytes_min: fetch_bytes("fetch-bytes-min", raw.fetch_bytes_min.as_ref(), base.fetch_bytes_min)?,
        fetch_bytes_max: fetch_bytes("fetch-bytes-max", raw.fetch_bytes_max.as_ref(), base.fetch_bytes_max)?,
        partition_fetch_bytes_max: fetch_bytes(
            "partition-fetch-bytes-max",
            raw.partition_fetch_bytes_max.as_ref(),
            base.partition_fetch_bytes_max,
        )?,
    };
    make_sense(&workload)?;
    Ok(Settings { workload, options: options(raw)?, expect: raw.expect.clone() })
}

fn options(raw: &RawSettings) -> Result<Options, LoadError> {
    let ledger_bytes_max = raw.ledger_bytes_max.as_ref().map_or(1 << 30, |word| word.0.0);
    within(
        "ledger-bytes-max",
        ledger_bytes_max,
        MEBIBYTE..=1 << 40,
        "a batch takes some 50 bytes until it is read",
    )?;
    Ok(Options {
        bootstrap: bootstrap(raw.bootstrap.as_deref().unwrap_or("127.0.0.1:9092"))?,
        cpus: raw.cpus.clone().map_or_else(Vec::new, |word| word.0.0),
        spin: raw.spin.unwrap_or(false),
        verify: verify(raw)?,
        broker_pid: raw.broker_pid,
        ledger_bytes_max,
        reconnect_for: duration(
            "reconnect-for",
            raw.reconnect_for.as_ref(),
            seconds(30),
            seconds(0)..=seconds(86_400),
        )?,
    })
}

fn verify(raw: &RawSettings) -> Result<Verify, LoadError> {
    match (&raw.verify_after, raw.no_verify.unwrap_or(false)) {
        (Some(_), true) => {
            Err(LoadError::usage("verify-after and no-verify contradict each other", "give one of them"))
        }
        (Some(command), false) => Ok(Verify::AfterRestart { command: command.clone() }),
        (None, true) => Ok(Verify::Off),
        (None, false) => Ok(Verify::On),
    }
}

/// Kafka keeps the order of an idempotent producer only so far.
const IDEMPOTENT_IN_FLIGHT_MAX: u32 = 5;

/// Settings that are fine one by one.
fn make_sense(workload: &Workload) -> Result<(), LoadError> {
    let refuse = |what: String, fix: &str| Err(LoadError::usage(what, fix));
    let name = &workload.topic;
    let is_legal = |letter: char| letter.is_ascii_alphanumeric() || "._-".contains(letter);
    if name.is_empty() || name.len() > 240 || !name.chars().all(is_legal) || name == "." || name == ".." {
        return refuse(
            format!("topic = {name:?} is no name of a topic"),
            "it has 1 to 240 letters, digits, dots, dashes and underscores",
        );
    }
    let partitions = u64::from(workload.topics) * u64::from(workload.partitions);
    if partitions > u64::from(PARTITIONS_MAX) {
        return refuse(
            format!("topics = {} of partitions = {} are {partitions}", workload.topics, workload.partitions),
            "together they may be 100000",
        );
    }
    if u64::from(workload.batches_per_request) > partitions {
        return refuse(
            format!("batches-per-request = {} with {partitions} partitions", workload.batches_per_request),
            "each batch of a request is for another partition: raise partitions or lower it",
        );
    }
    if workload.idempotent && (workload.acks != Acks::All || workload.in_flight > IDEMPOTENT_IN_FLIGHT_MAX) {
        return refuse(
            "idempotent = true needs acks = all and in-flight = 1 to 5".to_owned(),
            "change those, or give --idempotent=false",
        );
    }
    if workload.rate == Rate::Max && !workload.linger.is_zero() {
        return refuse(
            "linger has no meaning with rate = max, where the next records are always there".to_owned(),
            "give a rate, or leave linger out",
        );
    }
    if workload.rate == Rate::Max && workload.arrival == Arrival::Poisson {
        return refuse(
            "arrival = poisson needs a schedule, and rate = max has none".to_owned(),
            "give a rate",
        );
    }
    if workload.fetch_bytes_min > workload.fetch_bytes_max {
        return refuse(
            format!("fetch-bytes-min = {} is over fetch-bytes-max", workload.fetch_bytes_min),
            "lower it",
        );
    }
    keys_make_sense(workload.keys)
}

fn keys_make_sense(keys: Keys) -> Result<(), LoadError> {
    let (count, exponent) = match keys {
        Keys::None => return Ok(()),
        Keys::RoundRobin(count) => (count, 1.0),
        Keys::Zipf { keys, exponent } => (keys, exponent),
    };
    within("keys", count, 1..=10_000_000, "10000 are usual")?;
    if !(0.0..=10.0).contains(&exponent) {
        return Err(LoadError::usage(
            format!("keys: the exponent {exponent} is not in 0 to 10"),
            "1.1 makes a hot partition, 0 none",
        ));
    }
    Ok(())
}

fn replication_factor(value: i16) -> Result<i16, LoadError> {
    if value == -1 || value > 0 {
        return Ok(value);
    }
    Err(LoadError::usage(
        format!("replication-factor = {value} is not in 1 to 32767"),
        "-1 leaves it to the broker",
    ))
}

fn topic_configs(texts: &[String]) -> Result<Vec<(String, String)>, LoadError> {
    let pair = |text: &String| match text.split_once('=') {
        Some((key, value)) if !key.is_empty() => Ok((key.to_owned(), value.to_owned())),
        _ => Err(LoadError::usage(
            format!("topic-config = {text:?} is not KEY=VALUE"),
            "write it like retention.ms=60000",
        )),
    };
    texts.iter().map(pair).collect()
}

fn records_per_batch(
    raw: &RawSettings,
    default: u32,
    record_bytes: u32,
    keys: Keys,
) -> Result<u32, LoadError> {
    let records = match (raw.batch_records, &raw.batch_bytes) {
        (Some(_), Some(_)) => {
            return Err(LoadError::usage(
                "batch-records and batch-bytes say the same in two ways",
                "give one of them",
            ));
        }
        (None, Some(Word(Bytes(batch_bytes)))) => records_that_fit(*batch_bytes, record_bytes, keys),
        (records, None) => records.unwrap_or(default),
    };
    within("batch-records", records, 1..=RECORDS_PER_BATCH_MAX, "16 are usual")
}

/// At least one, as Kafka's producer does with a record that is larger than its batches.
fn records_that_fit(batch_bytes: u64, record_bytes: u32, keys: Keys) -> u32 {
    const BATCH_HEADER_BYTES: u64 = 61;
    /// Length, attributes, timestamp, offset, lengths of key and value, count of headers: what they take in a batch of usual size.
    const RECORD_HEADER_BYTES: u64 = 10;
    const KEY_BYTES: u64 = 8;
    let key = if keys == Keys::None { 0 } else { KEY_BYTES };
    let records = batch_bytes.saturating_sub(BATCH_HEADER_BYTES)
        / (u64::from(record_bytes) + RECORD_HEADER_BYTES + key);
    u32::try_from(records).unwrap_or(u32::MAX).max(1)
}

fn bootstrap(text: &str) -> Result<String, LoadError> {
    match text.rsplit_once(':') {
        Some((host, port)) if !host.is_empty() && port.parse::<u16>().is_ok() => Ok(text.to_owned()),
        _ => Err(LoadError::usage(
            format!("bootstrap = {text:?} is not HOST:PORT"),
            "write it like 127.0.0.1:9092",
        )),
    }
}

fn seconds(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

fn word<T: Clone>(given: &Option<Word<T>>, default: T) -> T {
    given.clone().map_or(default, |word| word.0)
}

fn number<T: PartialOrd + Display + Copy>(
    key: &str,
    given: Option<T>,
    default: T,
    range: RangeInclusive<T>,
    fix: &str,
) -> Result<T, LoadError> {
    within(key, given.unwrap_or(default), range, fix)
}

fn within<T: PartialOrd + Display + Copy>(
    key: &str,
    value: T,
    range: RangeInclusive<T>,
    fix: &str,
) -> Result<T, LoadError> {
    if range.contains(&value) {
        return Ok(value);
    }
    Err(LoadError::usage(format!("{key} = {value} is not in {} to {}", range.start(), range.end()), fix))
}

fn bytes(
    key: &str,
    given: Option<&Word<Bytes>>,
    default: u64,
    range: RangeInclusive<u64>,
    fix: &str,
) -> Result<u32, LoadError> {
    let value = within(key, given.map_or(default, |word| word.0.0), range, fix)?;
    Ok(u32::try_from(value).expect("ranges of sizes end below 2 GiB"))
}

fn fetch_bytes(key: &str, given: Option<&Word<Bytes>>, default: u32) -> Result<u32, LoadError> {
    bytes(key, given, u64::from(default), 1..=i32::MAX as u64, "1MiB is usual for a partition")
}

fn duration(
    key: &str,
    given: Option<&Word<Duration>>,
    default: Duration,
    range: RangeInclusive<Duration>,
) -> Result<Duration, LoadError> {
    let value = given.map_or(default, |word| word.0);
    if range.contains(&value) {
        return Ok(value);
    }
    Err(LoadError::usage(
        format!("{key} = {value:?} is not in {:?} to {:?}", range.start(), range.end()),
        "times are written 10s, 5ms, 2m",
    ))
}

impl From<&Workload> for RawSettings {
    fn from(workload: &Workload) -> RawSettings {
        RawSettings {
            topic: Some(workload.topic.clone()),
            topics: Some(workload.topics),
            partitions: Some(workload.partitions),
            replication_factor: Some(workload.replication_factor),
            topic_config: workload
                .topic_configs
                .iter()
                .map(|(key, value)| format!("{key}={value}"))
                .collect(),
            producers: Some(workload.producers),
            record_bytes: Some(Word(Bytes(u64::from(workload.record_bytes)))),
            batch_records: Some(workload.records_per_batch),
            batches_per_request: Some(workload.batches_per_request),
            linger: Some(Word(workload.linger)),
            codec: Some(Word(workload.codec)),
            keys: Some(Word(workload.keys)),
            acks: Some(Word(workload.acks)),
            in_flight: Some(workload.in_flight),
            idempotent: Some(workload.idempotent),
            consumers: Some(workload.consumers),
            groups: Some(workload.groups),
            from: Some(Word(workload.consume_from)),
            idle_connections: Some(workload.idle_connections),
            fetch_wait: Some(Word(workload.fetch_wait)),
            fetch_bytes_min: Some(Word(Bytes(u64::from(workload.fetch_bytes_min)))),
            fetch_bytes_max: Some(Word(Bytes(u64::from(workload.fetch_bytes_max)))),
            partition_fetch_bytes_max: Some(Word(Bytes(u64::from(workload.partition_fetch_bytes_max)))),
            rate: Some(Word(workload.rate)),
            arrival: Some(Word(workload.arrival)),
            duration: Some(Word(workload.duration)),
            warm_up: Some(Word(workload.warm_up)),
            seed: Some(workload.seed),
            ..RawSettings::default()
        }
    }
}

#[cfg(test)]
mod tests;
