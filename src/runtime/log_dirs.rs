//! The log dirs of this broker as a start finds them: taken for this process, or not to be used in this run.
//!
//! A dir that cannot be reached is offline, as a failed disk is, and the others serve. What only a person can have done is refused:
//! a dir of another cluster or node, one that another broker holds, a copy of another one. The dir of the metadata log must be there.

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};

use crate::config::Config;
use crate::config::meta_properties::MetaProperties;
use crate::model::DirectoryId;

use super::identity::{META_PROPERTIES, identities};
use super::preflight::{self, DirLock, LOCK, StartError};
use super::reserve::Reserve;

/// Kafka's LOST: the id of a dir that cannot say what its own is.
const UNKNOWN_ID: DirectoryId = DirectoryId([0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1]);

/// One of `log.dirs`.
#[derive(Debug)]
pub struct FoundDir {
    pub path: PathBuf,
    pub directory_id: DirectoryId,
    pub is_online: bool,
    pub reserve: Reserve,
}

/// Lives: as long as the process, for its locks.
#[derive(Debug)]
pub struct FoundDirs {
    /// In the order of `log.dirs`.
    pub dirs: Vec<FoundDir>,
    /// Which of them has the metadata log.
    pub metadata: usize,
    pub cluster_id: String,
    pub node_id: i32,
    _locks: Vec<DirLock>,
}

impl FoundDirs {
    pub fn metadata_dir(&self) -> &FoundDir {
        &self.dirs[self.metadata]
    }

    pub fn online(&self) -> impl Iterator<Item = &FoundDir> {
        self.dirs.iter().filter(|dir| dir.is_online)
    }
}

/// Takes every dir that can be reached.
pub fn open(paths: &[PathBuf], config: &Config) -> Result<FoundDirs, StartError> {
    let metadata = config.metadata_log_dir;
    let mut locks = Vec::new();
    let mut online = Vec::new();
    for (index, path) in paths.iter().enumerate() {
        if index != metadata
            && let Err(error) = reach(path)
        {
            tracing::error!(path = %path.display(), %error, "a log dir cannot be used: its partitions are offline");
            continue;
        }
        locks.push(preflight::lock(path)?);
        preflight::check_data_dir(path)?;
        online.push(index);
    }
    let reached: Vec<&Path> = online.iter().map(|index| paths[*index].as_path()).collect();
    let found = identities(&reached, config)?;
    let dir = |(index, path): (usize, &PathBuf)| {
        let place = online.iter().position(|known| *known == index);
        FoundDir {
            path: path.clone(),
            directory_id: place.map_or(UNKNOWN_ID, |place| DirectoryId(found[place].directory_id.0)),
            is_online: place.is_some(),
            reserve: Reserve::new(path),
        }
    };
    let dirs = paths.iter().enumerate().map(dir).collect();
    let MetaProperties { cluster_id, node_id, .. } =
        found.first().expect("the dir of the metadata log is online").clone();
    Ok(FoundDirs { dirs, metadata, cluster_id, node_id, _locks: locks })
}

/// The dir is there, or can be made; it can be listed, its identity read and its lock written. Room and direct I/O are not asked here.
fn reach(path: &Path) -> io::Result<()> {
    fs::create_dir_all(path)?;
    fs::read_dir(path)?;
    File::options().write(true).create(true).truncate(false).open(path.join(LOCK))?;
    match fs::read(path.join(META_PROPERTIES)) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}
