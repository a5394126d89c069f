//! The start of a broker, as `runtime/` does it: metadata log, recovery, shards.

use std::sync::Arc;

use penstock::config::{Config, Origin, RawConfig};
use penstock::effect::{DiskError, Effects};
use penstock::metadata::{Controller, Incarnation};
use penstock::model::metadata_image::{Endpoint, MetadataImage};
use penstock::model::{BrokerId, DirectoryId, LogDir, Now, ShardId, TopicPartition};
use penstock::shard::{Shard, ShardStart, shard_of};
use penstock::storage::{DirStart, Keep, RecoveredShard, RecoveryProgress, StorageConfig, recover_with};
use protocol::Uuid;

use crate::coverage::Coverage;
use crate::disk::Disk;
use crate::mutations::Mutation;
use crate::plan::Plan;
use crate::random::Random;

const DIRECTORY_IDS: [[u8; 16]; 3] = [*b"simulated disk 1", *b"simulated disk 2", *b"simulated disk 3"];
/// The floor: a world says that there is more or less than this.
pub const FREE_BYTES_MIN: u64 = 1 << 20;
const CLUSTER_ID: &str = "c2ltdWxhdGVkIGNsdXN0ZQ";

pub enum BootFailure {
    /// The fuse burnt.
    PowerWent,
    /// The broker says that it cannot start.
    Refused(String),
}

fn config(shards: u16, plan: &Plan) -> Config {
    let dirs: Vec<String> = (0..plan.log_dirs).map(|dir| format!("/simulated/{dir}")).collect();
    let check_ms = plan.retention_check_ms.to_string();
    let settings = [
        ("log.dirs", dirs.join(",")),
        ("node.id", "1".to_owned()),
        ("shards", shards.to_string()),
        ("log.retention.check.interval.ms", check_ms.clone()),
        ("log.initial.task.delay.ms", check_ms),
        ("group.initial.rebalance.delay.ms", "20".to_owned()),
        ("group.min.session.timeout.ms", "1".to_owned()),
        ("group.consumer.assignment.interval.ms", plan.consumer_assignment_ms.to_string()),
        ("group.consumer.heartbeat.interval.ms", "1".to_owned()),
        ("group.consumer.min.heartbeat.interval.ms", "1".to_owned()),
        ("group.consumer.min.session.timeout.ms", "1".to_owned()),
        ("group.consumer.session.timeout.ms", plan.consumer_session_ms.to_string()),
        ("offsets.topic.num.partitions", "3".to_owned()),
        ("log.cleaner.backoff.ms", plan.cleaner_backoff_ms.to_string()),
        ("log.cleaner.dedupe.buffer.size", plan.cleaner_map_bytes.to_string()),
        ("log.roll.ms", plan.roll_ms.to_string()),
    ];
    let mut raw = RawConfig::default();
    for (key, value) in &settings {
        raw.set(key, value, Origin::CommandLine).expect("the simulator's settings are valid");
    }
    Config::validate(&raw).expect("the simulator's settings are valid")
}

fn random_bytes(random: &mut Random) -> [u8; 16] {
    let mut bytes = [0; 16];
    bytes[..8].copy_from_slice(&random.draw().to_le_bytes());
    bytes[8..].copy_from_slice(&random.draw().to_le_bytes());
    bytes
}

/// The metadata log, cut where it is torn, with this start recorded in it.
fn start_controller(
    config: &Arc<Config>,
    dirs: &[Dir],
    now: Now,
    (disk, random): (&mut Disk, &mut Random),
    coverage: &mut Coverage,
) -> Result<Controller, BootFailure> {
    let replayed =
        Controller::replay(disk.metadata(), CLUSTER_ID, BrokerId(1), config.clone(), random_bytes(random));
    let (mut controller, end) = replayed.map_err(|error| BootFailure::Refused(error.to_string()))?;
    if (end as usize) < disk.metadata().len() {
        coverage.add("recovery: metadata log cut", 1);
        disk.cut_metadata(end as usize);
    }
    let incarnation = Incarnation {
        incarnation_id: Uuid(random_bytes(random)),
        directories: dirs.iter().filter(|dir| !dir.missing).map(|dir| dir.id).collect(),
        endpoints: vec![Endpoint { listener: "PLAINTEXT".into(), host: "localhost".into(), port: 9092 }],
    };
    let batch = controller.start(now, &incarnation);
    disk.append_metadata(&batch).map_err(|_| BootFailure::PowerWent)?;
    Ok(controller)
}

/// Each shard with what it wants at once. `calm`: nothing goes wrong that a start could not mend.
pub fn start(
    (shards, calm): (u16, bool),
    plan: &Plan,
    mutation: Mutation,
    now: Now,
    (disk, random): (&mut Disk, &mut Random),
    coverage: &mut Coverage,
) -> Result<Vec<(Shard, Effects)>, BootFailure> {
    let config = Arc::new(config(shards, plan));
    let dirs = dirs(plan, calm, random);
    coverage.add("boot: log dirs missing", dirs.iter().filter(|dir| dir.missing).count() as u64);
    coverage.add("boot: several log dirs", u64::from(dirs.len() > 1));
    let controller = start_controller(&config, &dirs, now, (disk, random), coverage)?;
    let image = controller.image();

    let mut by_dir = Vec::new();
    for dir in &dirs {
        by_dir.push(recover_dir(dir, shards, mutation, &image, disk, coverage)?.into_iter());
    }
    coverage.add("recovery: completed", 1);

    let mut controller = Some(controller);
    let mut started = Vec::new();
    for shard in (0..shards).map(ShardId) {
        let dir_start = |(dir, recovered): (&Dir, Option<RecoveredShard>)| DirStart {
            config: StorageConfig {
                shard,
                dir: dir.number,
                directory_id: dir.id.0,
                journal_bytes_max: plan.journal_bytes_max,
                tail_bytes_max: plan.tail_bytes_max,
                index_bytes_max: plan.index_bytes_max,
                free_bytes_min: FREE_BYTES_MIN,
                mutations: mutation.broker,
            },
            recovered: recovered.ok_or(DiskError { operation: "open", errno: 5 }),
        };
        let recovered: Vec<Option<RecoveredShard>> = by_dir.iter_mut().map(Iterator::next).collect();
        let start = ShardStart {
            shard,
            shards,
            config: config.clone(),
            image: image.clone(),
            dirs: dirs.iter().zip(recovered).map(dir_start).collect(),
            // Not drawn: worlds of before coordinators stay what they are.
            seed: u128::from(shard.0).to_be_bytes(),
            controller: controller.take_if(|_| shard.0 == 0),
        };
        let mut effects = Effects::default();
        let made = Shard::new(start, now, &mut effects);
        started.push((made, effects));
    }
    Ok(started)
}

/// A log dir as a start finds it.
struct Dir {
    number: LogDir,
    id: DirectoryId,
    /// It cannot be reached in this life.
    missing: bool,
}

/// The first has the metadata log: without it there is no broker.
fn dirs(plan: &Plan, calm: bool, random: &mut Random) -> Vec<Dir> {
    let misses = plan.log_dirs > 1 && !calm && random.percent(plan.missing_dir_percent);
    let missing = if misses { Some(random.between(1, u64::from(plan.log_dirs))) } else { None };
    let dir = |number: u8| Dir {
        number: LogDir(number),
        id: DirectoryId(DIRECTORY_IDS[usize::from(number)]),
        missing: missing == Some(u64::from(number)),
    };
    (0..plan.log_dirs).map(dir).collect()
}

/// By shard; nothing of a dir that is missing.
fn recover_dir(
    dir: &Dir,
    shards: u16,
    mutation: Mutation,
    image: &MetadataImage,
    disk: &mut Disk,
    coverage: &mut Coverage,
) -> Result<Vec<RecoveredShard>, BootFailure> {
    if dir.missing {
        return Ok(Vec::new());
    }
    let keep = |of: TopicPartition| match image.partition(of) {
        None => Keep::Nowhere,
        Some(partition) if partition.directory == dir.id => Keep::Here,
        Some(_) => Keep::Elsewhere,
    };
    let owner = |partition: TopicPartition| shard_of(partition, shards);
    let mut last = RecoveryProgress::default();
    let mut progress = |so_far| last = so_far;
    disk.recover_dir(dir.number);
    let recovered = recover_with(disk, dir.id.0, shards, &keep, &owner, &mut progress, mutation.broker);
    coverage.add("recovery: journals replayed", last.journals_replayed);
    coverage.add("recovery: segments completed", last.segments_completed);
    coverage.add("recovery: bytes replayed", last.bytes_replayed);
    coverage.add("recovery: segments left to the journal", last.segments_left);
    coverage.add("recovery: segments scanned", last.segments_scanned);
    coverage.add("recovery: segments not scanned", last.segments - last.segments_scanned);
    let recovered = recovered.map_err(|error| {
        if disk.power_went() { BootFailure::PowerWent } else { BootFailure::Refused(error.to_string()) }
    })?;
    if disk.power_went() {
        return Err(BootFailure::PowerWent);
    }
    // No crash damages a partition: that it is offline means that something of it was lost.
    if let Some((of, why)) = recovered.iter().flat_map(|shard| &shard.offline).next() {
        return Err(BootFailure::Refused(format!("{of} is offline: {why}")));
    }
    Ok(recovered)
}
