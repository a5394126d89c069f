//! The text of `/metrics`: snapshots of all shards in the OpenMetrics format. Label `shard` tells them apart.

use std::fmt;

use prometheus_client::collector::Collector;
use prometheus_client::encoding::text::encode;
use prometheus_client::encoding::{DescriptorEncoder, MetricEncoder, NoLabelSet};
use prometheus_client::metrics::MetricType;
use prometheus_client::registry::Registry;

use crate::model::Instant;

use super::names::{self, Kind, Name};
use super::{ApiMetrics, GroupLag, Histogram, ShardSnapshot};

/// The media type of what `text` returns.
pub const CONTENT_TYPE: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// All shards' numbers as text.
#[must_use]
pub fn text(snapshots: Vec<ShardSnapshot>) -> String {
    let mut registry = Registry::default();
    registry.register_collector(Box::new(Shards(snapshots)));
    let mut text = String::new();
    match encode(&mut text, &registry) {
        Ok(()) => text,
        // A String accepts every write: what remains is nothing to show.
        Err(fmt::Error) => String::new(),
    }
}

#[derive(Debug)]
struct Shards(Vec<ShardSnapshot>);

impl Collector for Shards {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> Result<(), fmt::Error> {
        for (name, value) in NUMBERS {
            let mut family = family(&mut encoder, name)?;
            for shard in &self.0 {
                let labels = [("shard", shard.shard.to_string())];
                number(name.kind, value(shard), family.encode_family(&labels)?)?;
            }
        }
        for (name, value) in FRACTIONS {
            let mut family = family(&mut encoder, name)?;
            for shard in &self.0 {
                let labels = [("shard", shard.shard.to_string())];
                fraction(name.kind, value(shard), family.encode_family(&labels)?)?;
            }
        }
        self.encode_memory(&mut encoder)?;
        self.encode_lags(&mut encoder)?;
        self.encode_apis(&mut encoder)?;
        let mut family = family(&mut encoder, &names::JOURNAL_LATENCY)?;
        for shard in &self.0 {
            let labels = [("shard", shard.shard.to_string())];
            distribution(&shard.runtime.journal_latency, family.encode_family(&labels)?)?;
        }
        Ok(())
    }
}

impl Shards {
    fn encode_memory(&self, encoder: &mut DescriptorEncoder<'_>) -> Result<(), fmt::Error> {
        let mut family = family(encoder, &names::MEMORY_BYTES)?;
        for shard in &self.0 {
            let memory = &shard.core.memory;
            for (kind, bytes) in [
                ("hot_tail", memory.hot_tail_bytes),
                ("indexes", memory.index_bytes),
                ("unsent", memory.unsent_bytes),
                ("frames", memory.frame_bytes),
            ] {
                let labels = [("shard", shard.shard.to_string()), ("kind", kind.to_owned())];
                number(Kind::Gauge, bytes, family.encode_family(&labels)?)?;
            }
        }
        Ok(())
    }

    /// A group is coordinated by one shard: the labels need not tell which.
    fn encode_lags(&self, encoder: &mut DescriptorEncoder<'_>) -> Result<(), fmt::Error> {
        for (name, value) in LAGS {
            let mut family = family(encoder, name)?;
            for lag in self.0.iter().flat_map(|shard| shard.core.lags.measured.iter()) {
                let partition = lag.partition.0.to_string();
                let labels =
                    [("group", &*lag.group_id), ("topic", &*lag.topic), ("partition", partition.as_str())];
                match value(lag) {
                    Some(LagValue::Number(value)) => {
                        number(name.kind, value, family.encode_family(&labels)?)?;
                    }
                    Some(LagValue::Ms(ms)) => {
                        fraction(name.kind, seconds(ms), family.encode_family(&labels)?)?;
                    }
                    None => {}
                }
            }
        }
        Ok(())
    }

    fn encode_apis(&self, encoder: &mut DescriptorEncoder<'_>) -> Result<(), fmt::Error> {
        for (name, value) in API_NUMBERS {
            let mut family = family(encoder, name)?;
            for (labels, api) in self.apis() {
                number(name.kind, value(api), family.encode_family(&labels)?)?;
            }
        }
        let mut family = family(encoder, &names::API_LATENCY)?;
        for (labels, api) in self.apis() {
            if let Some(latency) = &api.latency {
                distribution(latency, family.encode_family(&labels)?)?;
            }
        }
        Ok(())
    }

    fn apis(&self) -> impl Iterator<Item = ([(&'static str, String); 2], &ApiMetrics)> {
        self.0.iter().flat_map(|shard| {
            let used = shard.core.apis.iter().enumerate().filter(|(_, api)| api.requests > 0);
            used.map(|(key, api)| ([("shard", shard.shard.to_string()), ("api", key.to_string())], api))
        })
    }
}

type Value<T, V = u64> = fn(&T) -> V;

enum LagValue {
    Number(u64),
    Ms(u64),
}

const LAGS: &[(&Name, Value<GroupLag, Option<LagValue>>)] = &[
    (&names::GROUP_LAG_RECORDS, |lag| Some(LagValue::Number(lag.lag.records))),
    (&names::GROUP_LAG_BYTES, |lag| Some(LagValue::Number(lag.lag.bytes))),
    (&names::GROUP_LAG_SECONDS, |lag| lag.age_ms.map(LagValue::Ms)),
];

const FRACTIONS: &[(&Name, Value<ShardSnapshot, f64>)] = &[
    (&names::FIRST_ACKNOWLEDGED_SECONDS, |s| {
        seconds(s.core.first_acknowledged.map_or(0, Instant::ms_since_start))
    }),
    (&names::CLEANER_SECONDS, |s| seconds(s.core.cleaner.busy_ms)),
    (&names::CLEANER_DIRTY_RATIO, |s| {
        let millionths = u32::try_from(s.core.cleaner.dirty_millionths_max).unwrap_or(u32::MAX);
        f64::from(millionths) / 1e6
    }),
];

const API_NUMBERS: &[(&Name, Value<ApiMetrics>)] = &[
    (&names::API_REQUESTS, |api| api.requests),
    (&names::API_REQUEST_BYTES, |api| api.request_bytes),
    (&names::API_RESPONSE_BYTES, |api| api.response_bytes),
    (&names::API_ERRORS, |api| api.errors),
];

const NUMBERS: &[(&Name, Value<ShardSnapshot>)] = &[
    (&names::REFUSED_FRAMES, |s| s.core.refused_frames),
    (&names::PRODUCED_BATCHES, |s| s.core.produced_batches),
    (&names::PRODUCED_BYTES, |s| s.core.produced_bytes),
    (&names::FETCHED_BYTES, |s| s.core.fetched_bytes),
    (&names::PARTITIONS, |s| s.core.partitions),
    (&names::PARKED_REQUESTS, |s| s.core.parked_requests),
    (&names::STORAGE_ENTRIES, |s| s.core.storage.entries),
    (&names::STORAGE_CARRIED_BYTES, |s| s.core.storage.carried_bytes),
    (&names::CHECKPOINT_BYTES, |s| s.core.storage.checkpoint_bytes),
    (&names::CLOSED_FOR_ROOM, |s| s.core.storage.closed_for_room),
    (&names::JOURNAL_RING_BYTES, |s| s.core.storage.journal_ring_bytes),
    (&names::JOURNAL_LIVE_BYTES, |s| s.core.storage.journal_live_bytes),
    (&names::SEALED_SEGMENTS, |s| s.core.storage.sealed_segments),
    (&names::EVICTED_BYTES, |s| s.core.storage.evicted_bytes),
    (&names::LOG_STARTS_MOVED, |s| s.core.storage.log_starts_moved),
    (&names::UNLINKED_SEGMENTS, |s| s.core.storage.unlinked_segments),
    (&names::INDEX_LOADS, |s| s.core.storage.index_loads),
    (&names::INDEX_EVICTIONS, |s| s.core.storage.index_evictions),
    (&names::STORAGE_FAILED, |s| u64::from(s.core.storage.failed)),
    (&names::OFFLINE_PARTITIONS, |s| s.core.storage.offline_partitions),
    (&names::STORAGE_LACKS_SPACE, |s| u64::from(s.core.storage.lacks_space)),
    (&names::SPACE_REFUSALS, |s| s.core.storage.space_refusals),
    (&names::CLEANER_RUNS, |s| s.core.cleaner.runs),
    (&names::CLEANER_FAILURES, |s| s.core.cleaner.failures),
    (&names::CLEANER_READ_BYTES, |s| s.core.cleaner.bytes_read),
    (&names::CLEANER_WRITTEN_BYTES, |s| s.core.cleaner.bytes_written),
    (&names::CLEANER_REMOVED_RECORDS, |s| s.core.cleaner.records_removed),
    (&names::CLEANER_REPLACED_SEGMENTS, |s| s.core.cleaner.segments_replaced),
    (&names::GROUP_LAG_OMITTED, |s| s.core.lags.omitted),
    (&names::TURNS, |s| s.runtime.turns),
    (&names::PARKS, |s| s.runtime.parks),
    (&names::INPUTS, |s| s.runtime.inputs),
    (&names::CONNECTIONS, |s| s.runtime.connections),
    (&names::CONNECTIONS_ACCEPTED, |s| s.runtime.connections_accepted),
    (&names::CONNECTIONS_REFUSED, |s| s.runtime.connections_refused),
    (&names::CONNECTIONS_IDLE, |s| s.runtime.connections_idle_closed),
    (&names::ACCEPT_ERRORS, |s| s.runtime.accept_errors),
    (&names::RECEIVED_BYTES, |s| s.runtime.received_bytes),
    (&names::SENT_BYTES, |s| s.runtime.sent_bytes),
    (&names::SENDFILE_BYTES, |s| s.runtime.sendfile_bytes),
    (&names::COLD_READS, |s| s.runtime.cold_reads),
    (&names::SEGMENT_DESCRIPTORS, |s| s.runtime.segment_descriptors),
    (&names::JOURNAL_COMMITS, |s| s.runtime.journal_commits),
    (&names::JOURNAL_BYTES, |s| s.runtime.journal_bytes),
    (&names::SEGMENT_WRITES, |s| s.runtime.segment_writes),
    (&names::SEGMENT_BYTES, |s| s.runtime.segment_bytes),
    (&names::SEGMENT_SYNCS, |s| s.runtime.segment_syncs),
    (&names::FILE_SYSTEM_SYNCS, |s| s.runtime.file_system_syncs),
    (&names::MESH_MESSAGES, |s| s.runtime.mesh_messages),
];

fn family<'a>(encoder: &'a mut DescriptorEncoder<'_>, name: &Name) -> Result<MetricEncoder<'a>, fmt::Error> {
    let kind = match name.kind {
        Kind::Counter => MetricType::Counter,
        Kind::Gauge => MetricType::Gauge,
        Kind::Histogram => MetricType::Histogram,
    };
    encoder.encode_descriptor(name.name, name.help, None, kind)
}

fn number(kind: Kind, value: u64, mut to: MetricEncoder<'_>) -> Result<(), fmt::Error> {
    match kind {
        Kind::Counter => to.encode_counter::<NoLabelSet, _, u64>(&value, None),
        Kind::Gauge | Kind::Histogram => to.encode_gauge(&i64::try_from(value).unwrap_or(i64::MAX)),
    }
}

/// The precision of a float is enough: these are seconds for a dashboard.
#[expect(clippy::cast_precision_loss)]
fn seconds(ms: u64) -> f64 {
    ms as f64 / 1e3
}

fn fraction(kind: Kind, value: f64, mut to: MetricEncoder<'_>) -> Result<(), fmt::Error> {
    match kind {
        Kind::Counter => to.encode_counter::<NoLabelSet, _, u64>(&value, None),
        Kind::Gauge | Kind::Histogram => to.encode_gauge(&value),
    }
}

/// The precision of a float is enough: these are seconds for a dashboard.
#[expect(clippy::cast_precision_loss)]
fn distribution(histogram: &Histogram, mut to: MetricEncoder<'_>) -> Result<(), fmt::Error> {
    let counts = histogram.counts_by_bound_us(&names::LATENCY_BOUNDS_US);
    let bounds = names::LATENCY_BOUNDS_US.iter().map(|us| *us as f64 / 1e6).chain([f64::INFINITY]);
    let buckets: Vec<(f64, u64)> = bounds.zip(counts).collect();
    to.encode_histogram::<NoLabelSet>(histogram.sum_us() as f64 / 1e6, histogram.count(), &buckets, None)
}
