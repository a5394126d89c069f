//! The keys of topics: Kafka 4.4's, and ours. Facts only.

use super::key::{Allowed, Key, Synonym, Unit, ValueType};

const fn same(name: &'static str) -> [Synonym; 1] {
    [Synonym { name, factor: 1 }]
}

const HOUR_MS: i64 = 3_600_000;

const LONG_MAX: &str = "9223372036854775807";

/// Sorted by name.
#[rustfmt::skip]
pub(super) const TOPIC_KEYS: &[Key] = &[
    Key::topic("cleanup.policy", ValueType::List).default("delete").allowed(Allowed::EachOf(&["compact", "delete"]))
        .synonyms(&same("log.cleanup.policy"))
        .effective("What happens to old records: delete by age and size, compact by key, both, or, if empty, nothing."),
    Key::topic("compression.gzip.level", ValueType::Int).default("-1").allowed(Allowed::RangeOr(1, 9, -1))
        .synonyms(&same("compression.gzip.level"))
        .effective("Level for compression.type=gzip; -1 is gzip's own default."),
    Key::topic("compression.lz4.level", ValueType::Int).default("9").range(1, 17)
        .synonyms(&same("compression.lz4.level"))
        .effective("Level for compression.type=lz4."),
    Key::topic("compression.type", ValueType::String).default("producer")
        .allowed(Allowed::OneOf(&["uncompressed", "zstd", "lz4", "snappy", "gzip", "producer"]))
        .synonyms(&same("compression.type"))
        .effective("How batches are stored; producer keeps what was sent, which costs nothing."),
    Key::topic("compression.zstd.level", ValueType::Int).default("3").range(-131_072, 22)
        .synonyms(&same("compression.zstd.level"))
        .effective("Level for compression.type=zstd."),
    Key::topic("delete.retention.ms", ValueType::Long).default("86400000").min(0).unit(Unit::Ms)
        .synonyms(&same("log.cleaner.delete.retention.ms"))
        .effective("How long compaction keeps tombstones after it first saw them, so that slow readers see them."),
    Key::topic("durable.acks", ValueType::Boolean).default("true").own()
        .effective("True: an acknowledged record has been synced to the device. False: acknowledged once appended; a power loss may take it."),
    Key::topic("errors.deadletterqueue.group.enable", ValueType::Boolean).default("false")
        .kept("Whether share groups may send undeliverable records here (Kafka 4.4)."),
    Key::topic("file.delete.delay.ms", ValueType::Long).default("60000").min(0).unit(Unit::Ms)
        .synonyms(&same("log.segment.delete.delay.ms"))
        .kept("A file loses its name at once, and its bytes when the last who still sends from it is done."),
    Key::topic("flush.messages", ValueType::Long).default(LONG_MAX).min(1).unit(Unit::Count)
        .synonyms(&same("log.flush.interval.messages"))
        .kept("Every acknowledged record is synced anyway, unless durable.acks=false."),
    Key::topic("flush.ms", ValueType::Long).default(LONG_MAX).min(0).unit(Unit::Ms)
        .synonyms(&[Synonym { name: "log.flush.interval.ms", factor: 1 }, Synonym { name: "log.flush.scheduler.interval.ms", factor: 1 }])
        .kept("Every acknowledged record is synced anyway, unless durable.acks=false."),
    Key::topic("follower.replication.throttled.replicas", ValueType::List).default("").allowed(Allowed::ThrottledReplicas)
        .kept("Followers whose replication is throttled during a reassignment."),
    Key::topic("index.interval.bytes", ValueType::Int).default("4096").min(0).unit(Unit::Bytes)
        .synonyms(&same("log.index.interval.bytes"))
        .kept("Indexes live in memory, at a density of our own."),
    Key::topic("leader.replication.throttled.replicas", ValueType::List).default("").allowed(Allowed::ThrottledReplicas)
        .kept("Leaders whose replication is throttled during a reassignment."),
    Key::topic("local.retention.bytes", ValueType::Long).default("-2").min(-2).unit(Unit::Bytes)
        .synonyms(&same("log.local.retention.bytes"))
        .kept("Bytes kept locally once uploaded to tiered storage; -2 means as retention.bytes."),
    Key::topic("local.retention.ms", ValueType::Long).default("-2").min(-2).unit(Unit::Ms)
        .synonyms(&same("log.local.retention.ms"))
        .kept("Time kept locally once uploaded to tiered storage; -2 means as retention.ms."),
    Key::topic("max.compaction.lag.ms", ValueType::Long).default(LONG_MAX).min(1).unit(Unit::Ms)
        .synonyms(&same("log.cleaner.max.compaction.lag.ms"))
        .effective("A record may be compacted this long after it was written, at the latest; segments roll in time for it."),
    Key::topic("max.message.bytes", ValueType::Int).default("1048588").min(0).unit(Unit::Bytes)
        .synonyms(&same("message.max.bytes"))
        .effective("The largest record batch, as sent (compressed), with its header."),
    Key::topic("message.timestamp.after.max.ms", ValueType::Long).default("3600000").min(0).unit(Unit::Ms)
        .synonyms(&same("log.message.timestamp.after.max.ms"))
        .effective("A record whose timestamp is further in the future is refused."),
    Key::topic("message.timestamp.before.max.ms", ValueType::Long).default(LONG_MAX).min(0).unit(Unit::Ms)
        .synonyms(&same("log.message.timestamp.before.max.ms"))
        .effective("A record whose timestamp is further in the past is refused."),
    Key::topic("message.timestamp.type", ValueType::String).default("CreateTime").allowed(Allowed::OneOf(&["CreateTime", "LogAppendTime"]))
        .synonyms(&same("log.message.timestamp.type"))
        .effective("Whether records keep the producer's timestamp or get the broker's."),
    Key::topic("min.cleanable.dirty.ratio", ValueType::Double).default("0.5").allowed(Allowed::Fraction(0.0, 1.0))
        .synonyms(&same("log.cleaner.min.cleanable.ratio"))
        .effective("The share of uncompacted bytes from which compaction starts."),
    Key::topic("min.compaction.lag.ms", ValueType::Long).default("0").min(0).unit(Unit::Ms)
        .synonyms(&same("log.cleaner.min.compaction.lag.ms"))
        .effective("A record is not compacted before this time has passed."),
    Key::topic("min.insync.replicas", ValueType::Int).default("1").min(1).unit(Unit::Count)
        .synonyms(&same("min.insync.replicas"))
        .effective("With acks=all, how many replicas must be in sync; never more than the topic has."),
    Key::topic("preallocate", ValueType::Boolean).default("false")
        .synonyms(&same("log.preallocate"))
        .kept("Segment files are always allocated ahead, off the path of acknowledgements."),
    Key::topic("remote.copy.lag.bytes", ValueType::Long).min(0).unit(Unit::Bytes)
        .kept("Bytes that wait before the upload to tiered storage (Kafka 4.4)."),
    Key::topic("remote.copy.lag.ms", ValueType::Long).min(0).unit(Unit::Ms)
        .kept("Time to wait before the upload to tiered storage (Kafka 4.4)."),
    Key::topic("remote.log.copy.disable", ValueType::Boolean).default("false")
        .kept("Stops uploads to tiered storage."),
    Key::topic("remote.log.delete.on.disable", ValueType::Boolean).default("false")
        .kept("Deletes what is in tiered storage when it is switched off."),
    Key::topic("remote.storage.enable", ValueType::Boolean).default("false")
        .kept("Tiered storage; true is refused, because there is none."),
    Key::topic("retention.bytes", ValueType::Long).default("-1").unit(Unit::Bytes)
        .synonyms(&same("log.retention.bytes"))
        .effective("Bytes kept per partition; whole segments go, the oldest first. -1: no limit."),
    Key::topic("retention.ms", ValueType::Long).default("604800000").min(-1).unit(Unit::Ms)
        .synonyms(&[Synonym { name: "log.retention.ms", factor: 1 }, Synonym { name: "log.retention.minutes", factor: 60_000 },
            Synonym { name: "log.retention.hours", factor: HOUR_MS }])
        .effective("Time kept, by the largest timestamp of a segment. -1: no limit."),
    Key::topic("segment.bytes", ValueType::Int).default("1073741824").min(1_048_576).unit(Unit::Bytes)
        .synonyms(&same("log.segment.bytes"))
        .effective("A segment rolls before it would exceed this; also the limit for one batch."),
    Key::topic("segment.index.bytes", ValueType::Int).default("10485760").min(4).unit(Unit::Bytes)
        .synonyms(&same("log.index.size.max.bytes"))
        .kept("Indexes live in memory, at a density of our own."),
    Key::topic("segment.jitter.ms", ValueType::Long).default("0").min(0).unit(Unit::Ms)
        .synonyms(&[Synonym { name: "log.roll.jitter.ms", factor: 1 }, Synonym { name: "log.roll.jitter.hours", factor: HOUR_MS }])
        .kept("Spreads the rolling of segments over time."),
    Key::topic("segment.ms", ValueType::Long).default("604800000").min(1).unit(Unit::Ms)
        .synonyms(&[Synonym { name: "log.roll.ms", factor: 1 }, Synonym { name: "log.roll.hours", factor: HOUR_MS }])
        .effective("A segment rolls when its first record is this old."),
    Key::topic("unclean.leader.election.enable", ValueType::Boolean).default("false")
        .synonyms(&same("unclean.leader.election.enable"))
        .kept("Whether a replica that lacks acknowledged records may lead."),
];

/// Gone since Kafka 4.0. Old tools still send them: taken, not kept, never a reason to fail.
pub(super) const REMOVED_TOPIC_KEYS: &[&str] =
    &["message.downconversion.enable", "message.format.version", "message.timestamp.difference.max.ms"];
