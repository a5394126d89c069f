//! Looks at the free space of each log dir, tells the shards when it has changed enough to matter, and keeps the reserve.
//!
//! What little space means is decided by the core (`storage/space.rs`). A look at a volume can block for as long as its device does,
//! so this has a thread of its own.

use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use rustix::fs::statvfs;

use crate::input::Input;
use crate::limits::{RESERVE_BYTES, SPACE_LOOK_MS};
use crate::model::{DiskSpace, LogDir};

use super::mesh::{Mail, Postbox};
use super::reserve::Reserve;

/// A change by this part of the disk is told, and by this part of the floor when little more than that is free.
const PART_OF_TOTAL: u64 = 64;
const PART_OF_FLOOR: u64 = 8;

/// One log dir as it is looked at.
#[derive(Debug)]
pub struct Watched {
    pub dir: LogDir,
    pub path: PathBuf,
    pub reserve: Reserve,
    told: Option<u64>,
}

impl Watched {
    #[must_use]
    pub fn new(dir: LogDir, path: PathBuf, reserve: Reserve) -> Watched {
        Watched { dir, path, reserve, told: None }
    }

    /// What the shards should hear, if anything.
    fn look(&mut self, floor: u64) -> Option<(LogDir, DiskSpace)> {
        let space = self.ask()?;
        let free_bytes = space.usable_bytes;
        let matters = self.told.is_none_or(|told| is_news(told, free_bytes, space.total_bytes, floor));
        if !matters {
            return None;
        }
        self.told = Some(free_bytes);
        Some((self.dir, space))
    }

    /// Where there is room to spare. Without it a broker serves as well; the next look tries again.
    fn keep_reserve(&self, floor: u64) {
        let spare = |space: DiskSpace| space.usable_bytes >= floor.saturating_add(2 * RESERVE_BYTES);
        if self.ask().is_some_and(spare)
            && let Err(error) = self.reserve.keep()
        {
            tracing::debug!(path = %self.path.display(), %error, "cannot keep a reserve");
        }
    }

    /// None: the volume cannot be asked; what was told last holds on.
    fn ask(&self) -> Option<DiskSpace> {
        match space(&self.path) {
            Ok(found) => Some(found),
            Err(error) => {
                tracing::debug!(path = %self.path.display(), %error, "cannot ask for the room on a volume");
                None
            }
        }
    }
}

/// The room on the volume of a directory. May block.
pub fn space(path: &Path) -> io::Result<DiskSpace> {
    let found = statvfs(path)?;
    Ok(DiskSpace {
        total_bytes: found.f_blocks.saturating_mul(found.f_frsize),
        usable_bytes: found.f_bavail.saturating_mul(found.f_frsize),
    })
}

fn is_news(told: u64, free: u64, total: u64, floor: u64) -> bool {
    let near = told.min(free) < floor.saturating_mul(2);
    let step = if near { floor / PART_OF_FLOOR } else { total / PART_OF_TOTAL };
    let crossed = (told < floor) != (free < floor);
    crossed || told.abs_diff(free) > step
}

/// Looks once before it returns, then for as long as the process lives.
pub fn watch(mut dirs: Vec<Watched>, floor: u64, postboxes: Vec<Postbox>) -> io::Result<()> {
    tell(&mut dirs, floor, &postboxes);
    let look = move || loop {
        dirs.iter().for_each(|dir| dir.keep_reserve(floor));
        std::thread::sleep(Duration::from_millis(SPACE_LOOK_MS));
        tell(&mut dirs, floor, &postboxes);
    };
    std::thread::Builder::new().name("disk-space".to_owned()).spawn(look).map(drop)
}

fn tell(dirs: &mut [Watched], floor: u64, postboxes: &[Postbox]) {
    for (dir, space) in dirs.iter_mut().filter_map(|dir| dir.look(floor)) {
        for postbox in postboxes {
            postbox.send(Mail::Input(Input::DiskSpace { dir, space }));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn small_changes_are_news_only_near_the_floor() {
        let (total, floor) = (1 << 40, 64 << 20);
        for (told, free, news) in [
            (500 << 30, 499 << 30, false),
            (500 << 30, 480 << 30, true),
            (100 << 20, 99 << 20, false),
            (100 << 20, 80 << 20, true),
            (65 << 20, 63 << 20, true),
            (63 << 20, 65 << 20, true),
        ] {
            assert_eq!(is_news(told, free, total, floor), news, "{told} {free}");
        }
    }
}
