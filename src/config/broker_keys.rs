//! The keys of the broker that mean something here, and those that give topics their defaults. Facts only.

use super::key::{Allowed, Key, Unit, ValueType};

const INT_MAX: &str = "2147483647";
const LONG_MAX: &str = "9223372036854775807";
const INT_MAX_NUMBER: i64 = i32::MAX as i64;

/// Sorted by name.
#[rustfmt::skip]
pub(super) const BROKER_KEYS: &[Key] = &[
    Key::broker("advertised.listeners", ValueType::List)
        .effective("The addresses that clients are told, NAME://HOST:PORT; default: `listeners`. Clients must be able to reach them."),
    Key::broker("authorizer.class.name", ValueType::String).default("")
        .unprotected("Kafka's access control."),
    Key::broker("auto.create.topics.enable", ValueType::Boolean).default("true")
        .effective("Whether asking for an unknown topic creates it."),
    Key::broker("broker.id", ValueType::Int).default("-1")
        .effective("Old name of node.id."),
    Key::broker("broker.rack", ValueType::String)
        .effective("Where this broker stands; told to clients."),
    Key::broker("cluster.id", ValueType::String).own().allowed(Allowed::NonEmpty)
        .effective("The cluster's id, 22 digits of URL-safe base64, when the data directory is made; default: a random one."),
    Key::broker("compression.gzip.level", ValueType::Int).default("-1").allowed(Allowed::RangeOr(1, 9, -1)).live()
        .effective("Default of the topic key of the same name."),
    Key::broker("compression.lz4.level", ValueType::Int).default("9").range(1, 17).live()
        .effective("Default of the topic key of the same name."),
    Key::broker("compression.type", ValueType::String).default("producer").live()
        .allowed(Allowed::OneOf(&["uncompressed", "zstd", "lz4", "snappy", "gzip", "producer"]))
        .effective("Default of the topic key of the same name."),
    Key::broker("compression.zstd.level", ValueType::Int).default("3").range(-131_072, 22).live()
        .effective("Default of the topic key of the same name."),
    Key::broker("connections.max.idle.ms", ValueType::Long).default("600000").unit(Unit::Ms)
        .effective("A connection without traffic for this long is closed; negative: never."),
    Key::broker("controller.listener.names", ValueType::List).default("")
        .effective("Listeners of this name are left out: this broker is its own controller."),
    Key::broker("default.replication.factor", ValueType::Int).default("1")
        .effective("Replicas of a topic whose creator does not say; more than there are brokers is cut to that."),
    Key::broker("delete.topic.enable", ValueType::Boolean).default("true")
        .effective("Whether topics may be deleted."),
    Key::broker("fetch.max.bytes", ValueType::Int).default("57671680").min(1024).unit(Unit::Bytes)
        .effective("The most record bytes of one fetch response; the first batch may exceed it."),
    Key::broker("group.consumer.assignment.interval.ms", ValueType::Int).default("1000").min(0).unit(Unit::Ms).live()
        .effective("The least time between two assignments of a consumer group; 0: as soon as its members or topics change."),
    Key::broker("group.consumer.assignors", ValueType::List).default("uniform,range").allowed(Allowed::EachOf(&["range", "uniform"]))
        .effective("Server-side assignors that members of consumer groups may ask for; the first is for those who ask for none."),
    Key::broker("group.consumer.heartbeat.interval.ms", ValueType::Int).default("5000").min(1).unit(Unit::Ms)
        .effective("How often members of consumer groups are to be heard of."),
    Key::broker("group.consumer.max.assignment.interval.ms", ValueType::Int).default("15000").min(0).unit(Unit::Ms)
        .effective("The most that group.consumer.assignment.interval.ms may be."),
    Key::broker("group.consumer.max.heartbeat.interval.ms", ValueType::Int).default("15000").min(1).unit(Unit::Ms)
        .effective("The most that group.consumer.heartbeat.interval.ms may be."),
    Key::broker("group.consumer.max.session.timeout.ms", ValueType::Int).default("60000").min(1).unit(Unit::Ms)
        .effective("The most that group.consumer.session.timeout.ms may be."),
    Key::broker("group.consumer.max.size", ValueType::Int).default("2147483647").min(1).unit(Unit::Count)
        .effective("The most members of a consumer group."),
    Key::broker("group.consumer.migration.policy", ValueType::String).default("bidirectional")
        .allowed(Allowed::OneOfAnyCase(&["DISABLED", "DOWNGRADE", "UPGRADE", "BIDIRECTIONAL"]))
        .effective("Which groups change their protocol while they have members: classic ones to consumer groups (upgrade), and back (downgrade)."),
    Key::broker("group.consumer.min.assignment.interval.ms", ValueType::Int).default("0").min(0).unit(Unit::Ms)
        .effective("The least that group.consumer.assignment.interval.ms may be."),
    Key::broker("group.consumer.min.heartbeat.interval.ms", ValueType::Int).default("5000").min(1).unit(Unit::Ms)
        .effective("The least that group.consumer.heartbeat.interval.ms may be."),
    Key::broker("group.consumer.min.session.timeout.ms", ValueType::Int).default("45000").min(1).unit(Unit::Ms)
        .effective("The least that group.consumer.session.timeout.ms may be."),
    Key::broker("group.consumer.regex.refresh.interval.ms", ValueType::Int).default("600000").min(10_000).unit(Unit::Ms)
        .effective("What regular expressions of members stand for is looked up anew after this long, and whenever topics change."),
    Key::broker("group.consumer.session.timeout.ms", ValueType::Int).default("45000").min(1).unit(Unit::Ms)
        .effective("A member of a consumer group that is not heard of for this long is put out."),
    Key::broker("group.initial.rebalance.delay.ms", ValueType::Int).default("3000").unit(Unit::Ms)
        .effective("How long the first rebalance of a group waits for more members; again while some come, up to their rebalance timeout."),
    Key::broker("group.max.session.timeout.ms", ValueType::Int).default("1800000").unit(Unit::Ms)
        .effective("The longest session that a member of a classic group may ask for."),
    Key::broker("group.max.size", ValueType::Int).default("2147483647").min(1).unit(Unit::Count)
        .effective("The most members of a classic group."),
    Key::broker("group.min.session.timeout.ms", ValueType::Int).default("6000").unit(Unit::Ms)
        .effective("The shortest session that a member of a classic group may ask for."),
    Key::broker("index.cache.bytes", ValueType::Long).default("33554432").min(1_048_576).unit(Unit::Bytes).own()
        .effective("Memory of one shard for the indexes of sealed segments; what does not fit is loaded again when it is read."),
    Key::broker("journal.bytes.max", ValueType::Long).default("1073741824").min(134_217_728).unit(Unit::Bytes).own()
        .effective("Disk space of the journal of one shard. More of it lets segment writes fall further behind."),
    Key::broker("listener.security.protocol.map", ValueType::String)
        .default("SASL_SSL:SASL_SSL,PLAINTEXT:PLAINTEXT,SSL:SSL,SASL_PLAINTEXT:SASL_PLAINTEXT")
        .effective("NAME:PROTOCOL for each listener name; only PLAINTEXT can be served."),
    Key::broker("listeners", ValueType::List).default("PLAINTEXT://:9092")
        .effective("Where to listen, NAME://HOST:PORT; an empty host is all interfaces."),
    Key::broker("log.cleaner.backoff.ms", ValueType::Long).default("15000").min(0).unit(Unit::Ms).live()
        .effective("How often logs are looked at for what is to be compacted; after a compaction at once."),
    Key::broker("log.cleaner.dedupe.buffer.size", ValueType::Long).default("134217728").unit(Unit::Bytes).live()
        .effective("Memory for the keys of the logs that are being compacted, shared by shards and log dirs: 32 bytes a key. What does not fit takes another pass."),
    Key::broker("log.cleaner.delete.retention.ms", ValueType::Long).default("86400000").min(0).unit(Unit::Ms).live()
        .effective("Default of the topic key delete.retention.ms."),
    Key::broker("log.cleaner.enable", ValueType::Boolean).default("true")
        .effective("Whether topics with cleanup.policy=compact are compacted."),
    Key::broker("log.cleaner.io.max.bytes.per.second", ValueType::Double).default("1.7976931348623157E308").live()
        .effective("What compaction reads and writes in a second at most, shared by the shards."),
    Key::broker("log.cleaner.max.compaction.lag.ms", ValueType::Long).default(LONG_MAX).min(1).unit(Unit::Ms).live()
        .effective("Default of the topic key max.compaction.lag.ms."),
    Key::broker("log.cleaner.min.cleanable.ratio", ValueType::Double).default("0.5").allowed(Allowed::Fraction(0.0, 1.0)).live()
        .effective("Default of the topic key min.cleanable.dirty.ratio."),
    Key::broker("log.cleaner.min.compaction.lag.ms", ValueType::Long).default("0").min(0).unit(Unit::Ms).live()
        .effective("Default of the topic key min.compaction.lag.ms."),
    Key::broker("log.cleanup.policy", ValueType::List).default("delete").allowed(Allowed::EachOf(&["compact", "delete"])).live()
        .effective("Default of the topic key cleanup.policy."),
    Key::broker("log.dir", ValueType::List).default("penstock-data")
        .effective("The log dirs, if log.dirs is not set."),
    Key::broker("log.dir.free.bytes.min", ValueType::Long).default("67108864").min(0).unit(Unit::Bytes).own()
        .effective("With less free on the disk of a log dir its partitions take no records, until there is a quarter more."),
    Key::broker("log.dirs", ValueType::List)
        .effective("The log dirs: a new partition goes to the one with the fewest."),
    Key::broker("log.flush.interval.messages", ValueType::Long).default(LONG_MAX).min(1).unit(Unit::Count).live()
        .kept("Default of the topic key flush.messages."),
    Key::broker("log.flush.interval.ms", ValueType::Long).unit(Unit::Ms).live()
        .kept("Default of the topic key flush.ms."),
    Key::broker("log.flush.scheduler.interval.ms", ValueType::Long).default(LONG_MAX).unit(Unit::Ms)
        .kept("Default of the topic key flush.ms, where log.flush.interval.ms is not set."),
    Key::broker("log.index.interval.bytes", ValueType::Int).default("4096").min(0).unit(Unit::Bytes).live()
        .kept("Default of the topic key index.interval.bytes."),
    Key::broker("log.index.size.max.bytes", ValueType::Int).default("10485760").min(4).unit(Unit::Bytes).live()
        .kept("Default of the topic key segment.index.bytes."),
    Key::broker("log.initial.task.delay.ms", ValueType::Long).default("30000").min(0).unit(Unit::Ms)
        .effective("How long after a start the first look for expired segments comes."),
    Key::broker("log.local.retention.bytes", ValueType::Long).default("-2").min(-2).unit(Unit::Bytes).live()
        .kept("Default of the topic key local.retention.bytes."),
    Key::broker("log.local.retention.ms", ValueType::Long).default("-2").min(-2).unit(Unit::Ms).live()
        .kept("Default of the topic key local.retention.ms."),
    Key::broker("log.message.timestamp.after.max.ms", ValueType::Long).default("3600000").min(0).unit(Unit::Ms).live()
        .effective("Default of the topic key message.timestamp.after.max.ms."),
    Key::broker("log.message.timestamp.before.max.ms", ValueType::Long).default(LONG_MAX).min(0).unit(Unit::Ms).live()
        .effective("Default of the topic key message.timestamp.before.max.ms."),
    Key::broker("log.message.timestamp.type", ValueType::String).default("CreateTime").allowed(Allowed::OneOf(&["CreateTime", "LogAppendTime"])).live()
        .effective("Default of the topic key message.timestamp.type."),
    Key::broker("log.preallocate", ValueType::Boolean).default("false").live()
        .kept("Default of the topic key preallocate."),
    Key::broker("log.retention.bytes", ValueType::Long).default("-1").unit(Unit::Bytes).live()
        .effective("Default of the topic key retention.bytes."),
    Key::broker("log.retention.check.interval.ms", ValueType::Long).default("300000").min(1).unit(Unit::Ms).live()
        .effective("How often each partition is looked at for segments that retention.ms and retention.bytes let go."),
    Key::broker("log.retention.hours", ValueType::Int).default("168").unit(Unit::Hours)
        .effective("Default of the topic key retention.ms, where neither .ms nor .minutes is set."),
    Key::broker("log.retention.minutes", ValueType::Int).unit(Unit::Minutes)
        .effective("Default of the topic key retention.ms, where .ms is not set."),
    Key::broker("log.retention.ms", ValueType::Long).unit(Unit::Ms).live()
        .effective("Default of the topic key retention.ms; wins over .minutes and .hours."),
    Key::broker("log.roll.hours", ValueType::Int).default("168").min(1).unit(Unit::Hours)
        .effective("Default of the topic key segment.ms, where log.roll.ms is not set."),
    Key::broker("log.roll.jitter.hours", ValueType::Int).default("0").min(0).unit(Unit::Hours)
        .kept("Default of the topic key segment.jitter.ms, where log.roll.jitter.ms is not set."),
    Key::broker("log.roll.jitter.ms", ValueType::Long).unit(Unit::Ms).live()
        .kept("Default of the topic key segment.jitter.ms."),
    Key::broker("log.roll.ms", ValueType::Long).unit(Unit::Ms).live()
        .effective("Default of the topic key segment.ms; wins over log.roll.hours."),
    Key::broker("log.segment.bytes", ValueType::Int).default("1073741824").min(1_048_576).unit(Unit::Bytes).live()
        .effective("Default of the topic key segment.bytes."),
    Key::broker("log.segment.delete.delay.ms", ValueType::Long).default("60000").min(0).unit(Unit::Ms).live()
        .kept("Default of the topic key file.delete.delay.ms."),
    Key::broker("max.connections", ValueType::Int).default(INT_MAX).min(0).unit(Unit::Count).live()
        .effective("Connections that the broker holds at once; a further one is closed at once."),
    Key::broker("max.connections.per.ip", ValueType::Int).default(INT_MAX).min(0).unit(Unit::Count).live()
        .effective("Connections from one address that the broker holds at once."),
    Key::broker("max.incremental.fetch.session.cache.slots", ValueType::Int).default("1000").min(0).unit(Unit::Count)
        .effective("Incremental fetch sessions that the broker remembers; 0: none."),
    Key::broker("max.request.partition.size.limit", ValueType::Int).default("2000").min(1).unit(Unit::Count)
        .effective("The most partitions of one DescribeTopicPartitions response."),
    Key::broker("message.max.bytes", ValueType::Int).default("1048588").min(0).unit(Unit::Bytes).live()
        .effective("Default of the topic key max.message.bytes."),
    Key::broker("metadata.log.dir", ValueType::String)
        .effective("Which of the log dirs has the metadata log; if not set, the first."),
    Key::broker("min.insync.replicas", ValueType::Int).default("1").min(1).unit(Unit::Count).live()
        .effective("Default of the topic key of the same name; only the cluster's default counts, not one broker's."),
    Key::broker("node.id", ValueType::Int).default("1").range(0, INT_MAX_NUMBER)
        .effective("This broker's id."),
    Key::broker("num.partitions", ValueType::Int).default("1").min(1).unit(Unit::Count)
        .effective("Partitions of a topic whose creator does not say."),
    Key::broker("offset.metadata.max.bytes", ValueType::Int).default("4096").unit(Unit::Bytes)
        .effective("The most metadata that is stored with a committed offset."),
    Key::broker("offsets.retention.check.interval.ms", ValueType::Long).default("600000").min(1).unit(Unit::Ms)
        .effective("How often groups are looked at for offsets that offsets.retention.minutes lets go."),
    Key::broker("offsets.retention.minutes", ValueType::Int).default("10080").min(1).unit(Unit::Minutes)
        .effective("How long the offsets of a group without members are kept; of a group that stores offsets alone: from their commit."),
    Key::broker("offsets.topic.num.partitions", ValueType::Int).default("50").min(1).unit(Unit::Count)
        .effective("Partitions of __consumer_offsets, when it is made."),
    Key::broker("offsets.topic.replication.factor", ValueType::Short).default("3").min(1).unit(Unit::Count)
        .effective("Replicas of __consumer_offsets, when it is made; more than there are brokers is cut to that."),
    Key::broker("offsets.topic.segment.bytes", ValueType::Int).default("104857600").min(1).unit(Unit::Bytes)
        .effective("segment.bytes of __consumer_offsets, when it is made; at least 1 MiB."),
    Key::broker("process.roles", ValueType::List).default("broker,controller").allowed(Allowed::EachOf(&["broker", "controller"]))
        .effective("This broker is its own controller: both roles, always."),
    Key::broker("producer.id.expiration.ms", ValueType::Int).default("86400000").min(1).unit(Unit::Ms).live()
        .effective("An idempotent producer that is silent for this long is forgotten."),
    Key::broker("shards", ValueType::Int).default("0").range(0, 1024).unit(Unit::Count).own()
        .effective("Shards of this broker, each on a core of its own; 0: one for each core."),
    Key::broker("socket.listen.backlog.size", ValueType::Int).default("50").min(1).unit(Unit::Count)
        .kept("Connections that wait to be accepted; the system's limit is used."),
    Key::broker("socket.receive.buffer.bytes", ValueType::Int).default("102400").min(-1).unit(Unit::Bytes)
        .kept("The socket's receive buffer; the system tunes it."),
    Key::broker("socket.request.max.bytes", ValueType::Int).default("104857600").range(1, 104_857_600).unit(Unit::Bytes)
        .effective("A larger request closes its connection."),
    Key::broker("socket.send.buffer.bytes", ValueType::Int).default("102400").min(-1).unit(Unit::Bytes)
        .kept("The socket's send buffer; the system tunes it."),
    Key::broker("tail.memory.bytes", ValueType::Long).default("268435456").min(16_777_216).unit(Unit::Bytes).own()
        .effective("Memory of one shard for the newest batches, from which consumers at the end are served."),
    Key::broker("unclean.leader.election.enable", ValueType::Boolean).default("false").live()
        .kept("Default of the topic key of the same name."),
];
