//! What the shards begin with: the metadata log read, this run recorded in it, the journals replayed, the logs opened.
//!
//! The order is law: topics first (they say what may be kept), then recovery, and nothing new is written before it is complete.

use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use protocol::Uuid;

use crate::config::Config;
use crate::config::meta_properties::MetaProperties;
use crate::effect::Effects;
use crate::input::Input;
use crate::metadata::{Controller, Incarnation};
use crate::metrics::ShardMetrics;
use crate::model::metadata_image::Endpoint;
use crate::model::{BrokerId, Now, TopicPartition};
use crate::shard::{Shard, ShardStart, shard_of};
use crate::storage::{RecoveredShard, RecoveryProgress, StorageConfig, StorageMutations, recover};

use super::clock::Clock;
use super::driver::Core;
use super::identity::random_bytes;
use super::metadata_file::MetadataFile;
use super::preflight::StartError;
use super::recovery_disk::DataDir;
use super::reserve::Reserve;

/// How often a start that takes long says how far it is.
const TELL_EVERY: Duration = Duration::from_secs(1);

/// Makes a shard on the thread where it will live.
pub type MakeShard = Box<dyn FnOnce(&Clock) -> (Shard, Effects) + Send>;

/// One shard, ready to be started.
pub struct Prepared {
    /// Shard 0's.
    pub metadata: Option<MetadataFile>,
    pub make: MakeShard,
}

impl Core for Shard {
    fn step(&mut self, now: Now, input: Input, effects: &mut Effects) {
        Shard::step(self, now, input, effects);
    }

    fn end_turn(&mut self, now: Now, effects: &mut Effects) {
        Shard::end_turn(self, now, effects);
    }

    fn next_deadline(&self) -> Option<crate::model::Instant> {
        Shard::next_deadline(self)
    }

    fn metrics(&self) -> &ShardMetrics {
        Shard::metrics(self)
    }
}

/// Everything between the data directory's lock and the first client. `config` names the addresses that clients are told.
pub fn prepare(
    data_dir: &Path,
    config: &Arc<Config>,
    identity: &MetaProperties,
    shards: u16,
    reserve: &Reserve,
    now: Now,
) -> Result<Vec<Prepared>, StartError> {
    let (controller, metadata) = open_metadata(data_dir, config, identity, reserve, now)?;
    let image = controller.image();
    let recovered = recover_logs(data_dir, identity, shards, &|of| image.partition(of).is_some())?;
    let mut controller = Some(controller);
    let mut metadata = Some(metadata);
    let prepared = recovered.into_iter().map(|recovered| {
        let shard = recovered.shard;
        let start = ShardStart {
            shard,
            shards,
            config: Arc::clone(config),
            image: Arc::clone(&image),
            storage: StorageConfig {
                shard,
                directory_id: identity.directory_id.0,
                journal_bytes_max: config.journal_bytes_max,
                tail_bytes_max: config.tail_bytes_max,
                index_bytes_max: config.index_bytes_max,
                free_bytes_min: config.free_bytes_min,
                mutations: StorageMutations::default(),
            },
            recovered,
            controller: if shard.0 == 0 { controller.take() } else { None },
        };
        let metadata = if shard.0 == 0 { metadata.take() } else { None };
        let make: MakeShard = Box::new(move |clock| {
            let mut effects = Effects::default();
            let shard = Shard::new(start, clock.now(), &mut effects);
            (shard, effects)
        });
        Prepared { metadata, make }
    });
    Ok(prepared.collect())
}

/// How far recovery is, told while it lasts.
struct Told {
    last: RecoveryProgress,
    next: Instant,
}

impl Told {
    fn on_progress(&mut self, progress: RecoveryProgress) {
        self.last = progress;
        let now = Instant::now();
        if now < self.next {
            return;
        }
        self.next = now + TELL_EVERY;
        let RecoveryProgress { journals, journals_replayed, bytes_replayed, .. } = progress;
        let RecoveryProgress { segments_completed, segments, segments_scanned, .. } = progress;
        tracing::info!(
            "recovery: {journals_replayed} of {journals} journals, {} MiB replayed, {segments_completed} segments completed, \
             {segments_scanned} of {segments} segments opened",
            bytes_replayed >> 20
        );
    }
}

fn open_metadata(
    data_dir: &Path,
    config: &Arc<Config>,
    identity: &MetaProperties,
    reserve: &Reserve,
    now: Now,
) -> Result<(Controller, MetadataFile), StartError> {
    let failed = |error: std::io::Error| {
        let problem = format!("cannot open the metadata log in {}: {error}", data_dir.display());
        StartError::new(problem, "give this user the right to write there, and check the disk")
    };
    let (mut file, bytes) = MetadataFile::open(data_dir, reserve.clone()).map_err(failed)?;
    let node = BrokerId(identity.node_id);
    let (mut controller, end) =
        Controller::replay(&bytes, &identity.cluster_id, node, Arc::clone(config), random_bytes()).map_err(
            |error| {
                let problem = format!("the metadata log in {} cannot be read: {error}", data_dir.display());
                StartError::new(
                    problem,
                    "if a newer penstock wrote it, use that; else restore the directory from a backup",
                )
            },
        )?;
    file.cut_at(end).map_err(failed)?;
    let endpoints = config.listeners.iter().map(|listener| Endpoint {
        listener: listener.name.as_str().into(),
        host: listener.advertised_host.as_str().into(),
        port: listener.advertised_port,
    });
    let incarnation = Incarnation {
        incarnation_id: Uuid(random_bytes()),
        directory_id: identity.directory_id,
        endpoints: endpoints.collect(),
    };
    let batch = controller.start(now, &incarnation);
    file.append(&batch).map_err(|error| failed(error.into()))?;
    Ok((controller, file))
}

fn recover_logs(
    data_dir: &Path,
    identity: &MetaProperties,
    shards: u16,
    keep: &dyn Fn(TopicPartition) -> bool,
) -> Result<Vec<RecoveredShard>, StartError> {
    let mut disk = DataDir::new(data_dir.to_owned());
    disk.remove_deleted().map_err(|error| {
        let problem = format!("cannot remove deleted partitions in {}: {error}", data_dir.display());
        StartError::new(problem, "give this user the right to write there")
    })?;
    let mut told = Told { last: RecoveryProgress::default(), next: Instant::now() + TELL_EVERY };
    let directory_id = identity.directory_id.0;
    let owner = |of| shard_of(of, shards);
    let recovered =
        recover(&mut disk, directory_id, shards, keep, &owner, &mut |progress| told.on_progress(progress));
    tracing::info!(last = ?told.last, "recovery");
    for (topic_partition, why) in recovered.iter().flatten().flat_map(|shard| &shard.offline) {
        tracing::error!(%topic_partition, %why, "a partition is offline; nothing of it is changed");
    }
    recovered.map_err(|error| {
        StartError::new(
            format!("recovery failed: {error}"),
            "nothing was changed that another start cannot repeat; check the disk, or restore this file from a replica or backup",
        )
    })
}
