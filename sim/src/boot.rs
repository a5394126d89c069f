//! The start of a broker, as `runtime/` does it: metadata log, recovery, shards.

use std::sync::Arc;

use penstock::config::{Config, Origin, RawConfig};
use penstock::effect::Effects;
use penstock::metadata::{Controller, Incarnation};
use penstock::model::metadata_image::Endpoint;
use penstock::model::{BrokerId, Now, ShardId, TopicPartition};
use penstock::shard::{Shard, ShardStart, shard_of};
use penstock::storage::{RecoveryProgress, StorageConfig, recover_with};
use protocol::Uuid;

use crate::coverage::Coverage;
use crate::disk::Disk;
use crate::mutations::Mutation;
use crate::plan::Plan;
use crate::random::Random;

const DIRECTORY_ID: [u8; 16] = *b"simulated disk 1";
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
    let mut raw = RawConfig::default();
    let check_ms = plan.retention_check_ms.to_string();
    let settings = [
        ("log.dirs", "/simulated"),
        ("node.id", "1"),
        ("shards", &shards.to_string()),
        ("log.retention.check.interval.ms", &check_ms),
        ("log.initial.task.delay.ms", &check_ms),
    ];
    for (key, value) in settings {
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
    now: Now,
    disk: &mut Disk,
    random: &mut Random,
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
        directory_id: Uuid(DIRECTORY_ID),
        endpoints: vec![Endpoint { listener: "PLAINTEXT".into(), host: "localhost".into(), port: 9092 }],
    };
    let batch = controller.start(now, &incarnation);
    disk.append_metadata(&batch).map_err(|_| BootFailure::PowerWent)?;
    Ok(controller)
}

/// Each shard with what it wants at once.
pub fn start(
    shards: u16,
    plan: &Plan,
    mutation: Mutation,
    now: Now,
    (disk, random): (&mut Disk, &mut Random),
    coverage: &mut Coverage,
) -> Result<Vec<(Shard, Effects)>, BootFailure> {
    let config = Arc::new(config(shards, plan));
    let controller = start_controller(&config, now, disk, random, coverage)?;
    let image = controller.image();

    let keep = |partition: TopicPartition| image.partition(partition).is_some();
    let owner = |partition: TopicPartition| shard_of(partition, shards);
    let mut last = RecoveryProgress::default();
    let mut progress = |so_far| last = so_far;
    let recovered = recover_with(disk, DIRECTORY_ID, shards, &keep, &owner, &mut progress, mutation.storage);
    coverage.add("recovery: journals replayed", last.journals_replayed);
    coverage.add("recovery: segments completed", last.segments_completed);
    coverage.add("recovery: bytes replayed", last.bytes_replayed);
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
    coverage.add("recovery: completed", 1);

    let mut controller = Some(controller);
    let mut started = Vec::new();
    for (index, recovered) in recovered.into_iter().enumerate() {
        let shard = ShardId(index as u16);
        let start = ShardStart {
            shard,
            shards,
            config: config.clone(),
            image: image.clone(),
            storage: StorageConfig {
                shard,
                directory_id: DIRECTORY_ID,
                journal_bytes_max: plan.journal_bytes_max,
                tail_bytes_max: plan.tail_bytes_max,
                index_bytes_max: plan.index_bytes_max,
                free_bytes_min: FREE_BYTES_MIN,
                mutations: mutation.storage,
            },
            recovered,
            controller: controller.take_if(|_| index == 0),
        };
        let mut effects = Effects::default();
        let made = Shard::new(start, now, &mut effects);
        started.push((made, effects));
    }
    Ok(started)
}
