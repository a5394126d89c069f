//! How much room the volumes of the log dirs have: looked at every few seconds on a thread of its own, told to every shard.
//!
//! Decides nothing about what full means. A look at a volume can block for as long as its device does.

use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use rustix::fs::statvfs;

use crate::input::Input;
use crate::model::DiskSpace;

use super::mesh::{Mail, Postbox};

const LOOK_EVERY: Duration = Duration::from_secs(2);

/// Tells once before it returns, then for as long as the process lives. `log_dirs` in the order of their numbers.
pub fn watch(log_dirs: Vec<PathBuf>, postboxes: Vec<Postbox>) -> io::Result<()> {
    tell(&log_dirs, &postboxes);
    let watch = move || {
        loop {
            std::thread::sleep(LOOK_EVERY);
            tell(&log_dirs, &postboxes);
        }
    };
    std::thread::Builder::new().name("disk-space".to_owned()).spawn(watch).map(drop)
}

fn tell(log_dirs: &[PathBuf], postboxes: &[Postbox]) {
    for (dir, path) in (0_u16..).zip(log_dirs) {
        match look(path) {
            Ok(space) => {
                for postbox in postboxes {
                    postbox.send(Mail::Input(Input::DiskSpace { dir, space }));
                }
            }
            // What was told last holds on.
            Err(error) => {
                tracing::warn!(path = %path.display(), %error, "cannot ask for the room on a volume")
            }
        }
    }
}

fn look(path: &Path) -> io::Result<DiskSpace> {
    let found = statvfs(path)?;
    Ok(DiskSpace {
        total_bytes: found.f_blocks.saturating_mul(found.f_frsize),
        usable_bytes: found.f_bavail.saturating_mul(found.f_frsize),
    })
}
