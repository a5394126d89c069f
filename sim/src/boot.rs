//! The start of a broker, as `runtime/` does it: metadata log, recovery, shards.

use std::sync::Arc;

use penstock::config::{Config, Origin, RawConfig};
use penstock::effect::Effects;
use penstock::metadata::Controller;
use penstock::model::{Now, ShardId, TopicPartition};
use penstock::shard::{Shard, ShardStart, shard_of};
use penstock::storage::{RecoveryProgress, StorageConfig, recover_with};

use crate::coverage::Coverage;
use crate::disk::Disk;
use crate::mutations::Mutation;
use crate::plan::Plan;

const DIRECTORY_ID: [u8; 16] = *b"simulated disk 1";

pub enum BootFailure {
    /// The fuse burnt.
    PowerWent,
    /// The broker says that it cannot start.
    Refused(String),
}

fn config(shards: u16) -> Config {
    let mut raw = RawConfig::default();
    for (key, value) in [("log.dirs", "/simulated"), ("node.id", "1"), ("shards", &shards.to_string())] {
        raw.set(key, value, Origin::CommandLine).expect("the simulator's settings are valid");
    }
    Config::validate(&raw).expect("the simulator's settings are valid")
}

/// Each shard with what it wants at once.
pub fn start(
    shards: u16,
    plan: &Plan,
    mutation: Mutation,
    now: Now,
    disk: &mut Disk,
    coverage: &mut Coverage,
) -> Result<Vec<(Shard, Effects)>, BootFailure> {
    let config = Arc::new(config(shards));
    let (mut controller, cut_at) = Controller::replay(disk.metadata());
    if (cut_at as usize) < disk.metadata().len() {
        coverage.add("recovery: metadata log cut", 1);
        disk.cut_metadata(cut_at as usize);
    }
    let batch = controller.start();
    disk.append_metadata(&batch).map_err(|_| BootFailure::PowerWent)?;
    let image = controller.image();

    let keep = |partition: TopicPartition| image.partition(partition).is_some();
    let owner = |partition: TopicPartition| shard_of(partition, shards);
    let mut last = RecoveryProgress::default();
    let mut progress = |so_far| last = so_far;
    let recovered =
        recover_with(disk, DIRECTORY_ID, shards, &keep, &owner, &mut progress, mutation.storage);
    coverage.add("recovery: journals replayed", last.journals_replayed);
    coverage.add("recovery: segments completed", last.segments_completed);
    coverage.add("recovery: bytes replayed", last.bytes_replayed);
    coverage.add("recovery: segments scanned", last.segments_scanned);
    let recovered = recovered.map_err(|error| {
        if disk.power_went() { BootFailure::PowerWent } else { BootFailure::Refused(error.to_string()) }
    })?;
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
