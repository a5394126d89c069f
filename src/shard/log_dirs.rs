//! Which log dir a partition lives in: the one that its record names, whatever lies in the others. And how each of them is.

use crate::model::{DirectoryId, DiskSpace, LogDir, LogDirStatus};
use crate::storage::DirStart;

/// Lives: one per shard.
#[derive(Debug)]
pub(super) struct LogDirs {
    dirs: Vec<LogDirStatus>,
    /// By log dir, on shard 0: it has failed on some shard.
    failed_somewhere: Vec<bool>,
}

impl LogDirs {
    /// `paths` in the same order.
    pub fn new(dirs: &[DirStart], paths: &[String]) -> LogDirs {
        assert_eq!(dirs.len(), paths.len(), "each log dir has a path");
        let status = |(dir, path): (&DirStart, &String)| LogDirStatus {
            path: path.as_str().into(),
            directory: DirectoryId(dir.config.directory_id),
            failed: false,
            space: None,
        };
        LogDirs {
            dirs: dirs.iter().zip(paths).map(status).collect(),
            failed_somewhere: vec![false; paths.len()],
        }
    }

    pub fn all(&self) -> &[LogDirStatus] {
        &self.dirs
    }

    /// None: the log dir is not one of this run.
    pub fn find(&self, directory: DirectoryId) -> Option<LogDir> {
        let index = self.dirs.iter().position(|dir| dir.directory == directory)?;
        u8::try_from(index).ok().map(LogDir)
    }

    pub fn id(&self, dir: LogDir) -> DirectoryId {
        self.dirs[usize::from(dir.0)].directory
    }

    pub fn note_space(&mut self, dir: LogDir, space: DiskSpace) {
        if let Some(dir) = self.dirs.get_mut(usize::from(dir.0)) {
            dir.space = Some(space);
        }
    }

    /// It has failed. Whether that is news.
    pub fn note_failure(&mut self, dir: LogDir) -> bool {
        !std::mem::replace(&mut self.dirs[usize::from(dir.0)].failed, true)
    }

    pub fn note_failure_somewhere(&mut self, dir: LogDir) {
        self.failed_somewhere[usize::from(dir.0)] = true;
    }

    pub fn all_failed_somewhere(&self) -> bool {
        self.failed_somewhere.iter().all(|failed| *failed)
    }

    pub fn len(&self) -> usize {
        self.dirs.len()
    }
}
