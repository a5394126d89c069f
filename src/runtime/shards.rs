//! What the shards begin with: the metadata log read, this run recorded in it, the journals replayed, the logs opened.
//!
//! The order is law: topics first (they say what may be kept), then recovery, and nothing new is written before it is complete.

use std::fs;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use protocol::Uuid;

use crate::config::Config;
use crate::effect::{DiskError, Effects};
use crate::input::Input;
use crate::metadata::{Controller, Incarnation};
use crate::metrics::ShardMetrics;
use crate::model::metadata_image::{Endpoint, MetadataImage};
use crate::model::{BrokerId, DirectoryId, LogDir, Now, ShardId, TopicPartition};
use crate::mutations::Mutations;
use crate::shard::{Shard, ShardStart, shard_of};
use crate::storage::{
    DirStart, Keep, RecoveredShard, RecoveryError, RecoveryFault, RecoveryProgress, StorageConfig, recover,
};

use super::clock::Clock;
use super::disk_space;
use super::driver::Core;
use super::files::{is_full_disk, is_full_disk_errno};
use super::identity::random_bytes;
use super::log_dirs::{FoundDir, FoundDirs};
use super::metadata_file::MetadataFile;
use super::preflight::{self, StartError};
use super::recovery_disk::DataDir;
use super::removal;

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

/// Everything between the log dirs' locks and the first client. `config` names the addresses that clients are told.
pub fn prepare(
    found: &FoundDirs,
    config: &Arc<Config>,
    shards: u16,
    now: Now,
) -> Result<Vec<Prepared>, StartError> {
    let (controller, metadata) = open_metadata(found, config, now)?;
    let image = controller.image();
    let mut dirs = recover_dirs(found, config, shards, &image)?;
    let mut controller = Some(controller);
    let mut metadata = Some(metadata);
    let prepared = (0..shards).map(ShardId).map(|shard| {
        let start = ShardStart {
            shard,
            shards,
            config: Arc::clone(config),
            image: Arc::clone(&image),
            dirs: dirs.iter_mut().map(|of_dir| of_dir.remove(0)).collect(),
            seed: random_bytes(),
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
struct Told<'a> {
    path: &'a Path,
    last: RecoveryProgress,
    next: Instant,
}

impl Told<'_> {
    fn new(path: &Path) -> Told<'_> {
        Told { path, last: RecoveryProgress::default(), next: Instant::now() + TELL_EVERY }
    }

    fn on_progress(&mut self, progress: RecoveryProgress) {
        self.last = progress;
        let now = Instant::now();
        if now < self.next {
            return;
        }
        self.next = now + TELL_EVERY;
        let RecoveryProgress { journals, journals_replayed, bytes_replayed, .. } = progress;
        let RecoveryProgress { segments_completed, segments_left, segments, segments_scanned, .. } = progress;
        tracing::info!(
            target: "penstock::start",
            path = %self.path.display(),
            "recovery: {journals_replayed} of {journals} journals, {} MiB replayed, {segments_completed} segments completed, \
             {segments_left} left for later, {segments_scanned} of {segments} segments had to be read",
            bytes_replayed >> 20
        );
    }
}

fn open_metadata(
    found: &FoundDirs,
    config: &Arc<Config>,
    now: Now,
) -> Result<(Controller, MetadataFile), StartError> {
    let FoundDir { path, reserve, .. } = found.metadata_dir();
    let failed = |error: std::io::Error| {
        if is_full_disk(&error) {
            return preflight::no_room_for_metadata(path, free_bytes(path));
        }
        let problem = format!("cannot open the metadata log in {}: {error}", path.display());
        StartError::new(problem, "give this user the right to write there, and check the disk")
    };
    let (mut file, bytes) = MetadataFile::open(path, reserve.clone()).map_err(failed)?;
    let node = BrokerId(found.node_id);
    let (mut controller, end) =
        Controller::replay(&bytes, &found.cluster_id, node, Arc::clone(config), random_bytes()).map_err(
            |error| {
                let problem = format!("the metadata log in {} cannot be read: {error}", path.display());
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
        directories: found.online().map(|dir| dir.directory_id).collect(),
        endpoints: endpoints.collect(),
    };
    let batch = controller.start(now, &incarnation);
    file.append(&batch).map_err(|error| failed(error.into()))?;
    Ok((controller, file))
}

/// By log dir, by shard: what each begins with.
fn recover_dirs(
    found: &FoundDirs,
    config: &Config,
    shards: u16,
    image: &MetadataImage,
) -> Result<Vec<Vec<DirStart>>, StartError> {
    let count = u64::try_from(found.dirs.len()).unwrap_or(u64::MAX);
    let storage = |shard, number, directory_id: DirectoryId| StorageConfig {
        shard,
        dir: number,
        directory_id: directory_id.0,
        journal_bytes_max: config.journal_bytes_max,
        tail_bytes_max: config.tail_bytes_max / count,
        index_bytes_max: config.index_bytes_max / count,
        free_bytes_min: config.free_bytes_min,
        mutations: Mutations::default(),
    };
    let mut started = Vec::new();
    let mut refused = None;
    for (number, dir) in (0_u8..).map(LogDir).zip(&found.dirs) {
        let recovered = if dir.is_online { recover_dir(dir, shards, image).map(Some) } else { Ok(None) };
        let recovered = recovered.unwrap_or_else(|error| {
            tracing::error!(path = %dir.path.display(), %error, "a log dir cannot be used: its partitions are offline");
            refused.get_or_insert(error);
            None
        });
        let shards = (0..shards).map(ShardId);
        let of_dir: Vec<DirStart> = match recovered {
            Some(recovered) => recovered
                .into_iter()
                .map(|of| DirStart { config: storage(of.shard, number, dir.directory_id), recovered: Ok(of) })
                .collect(),
            None => shards
                .map(|shard| DirStart {
                    config: storage(shard, number, dir.directory_id),
                    recovered: Err(DiskError { operation: "recover log dir", errno: libc::EIO }),
                })
                .collect(),
        };
        started.push(of_dir);
    }
    let serves = |of_dir: &Vec<DirStart>| of_dir.iter().any(|start| start.recovered.is_ok());
    match refused {
        Some(error) if !started.iter().any(serves) => Err(error),
        _ => Ok(started),
    }
}

fn recover_dir(
    dir: &FoundDir,
    shards: u16,
    image: &MetadataImage,
) -> Result<Vec<RecoveredShard>, StartError> {
    let keep = |of: TopicPartition| match image.partition(of) {
        None => Keep::Nowhere,
        Some(partition) if partition.directory == dir.directory_id => Keep::Here,
        Some(_) => Keep::Elsewhere,
    };
    let owner = |of| shard_of(of, shards);
    let mut told = Told::new(&dir.path);
    let mut once = || {
        // Each time anew: one that has failed writes nothing more.
        let mut disk = DataDir::new(dir.path.clone());
        let mut progress = |progress| told.on_progress(progress);
        let recovered = recover(&mut disk, dir.directory_id.0, shards, &keep, &owner, &mut progress);
        if recovered.is_ok() {
            disk.keep_catalogue();
        }
        recovered
    };
    let mut recovered = once();
    if recovered.as_ref().is_err_and(found_no_room) && remove_left_over(&dir.path) {
        recovered = once();
    }
    if recovered.as_ref().is_err_and(found_no_room) && dir.reserve.give_up().unwrap_or(false) {
        tracing::warn!(path = %dir.path.display(), "no room for recovery: the reserve is given up for it");
        recovered = once();
    }
    tracing::info!(path = %dir.path.display(), last = ?told.last, "recovery");
    for (topic_partition, why) in recovered.iter().flatten().flat_map(|shard| &shard.offline) {
        tracing::error!(path = %dir.path.display(), %topic_partition, %why, "a partition is offline; nothing of it is changed");
    }
    recovered.map_err(|error| {
        if found_no_room(&error) {
            let journal_bytes = DataDir::new(dir.path.clone()).all_journal_bytes();
            return preflight::no_room_for_recovery(&dir.path, free_bytes(&dir.path), journal_bytes);
        }
        StartError::new(
            format!("recovery of {} failed: {error}", dir.path.display()),
            "nothing was changed that another start cannot repeat; check the disk, or restore this file from a replica or backup",
        )
    })
}

/// Makes room of what is left of deleted partitions. Whether there was anything.
fn remove_left_over(path: &Path) -> bool {
    let directories = removal::left_over(path).unwrap_or_default();
    let removed = directories.iter().map(fs::remove_dir_all).filter(Result::is_ok).count();
    if removed > 0 {
        tracing::warn!(path = %path.display(), removed, "no room for recovery: what is left of deleted partitions is removed for it");
    }
    removed > 0
}

/// 0 if the volume cannot be asked: it is said to be full then, too.
fn free_bytes(path: &Path) -> u64 {
    disk_space::space(path).map_or(0, |space| space.usable_bytes)
}

fn found_no_room(error: &RecoveryError) -> bool {
    matches!(error.fault, RecoveryFault::Disk(error) if is_full_disk_errno(error.errno))
}
