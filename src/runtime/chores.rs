//! Slow work on the file system that nobody waits for on the data path: filling journal files, syncing all there is.

use std::fs::{self, File, OpenOptions};
use std::io;
use std::path::{Path, PathBuf};
use std::rc::Rc;
use std::time::Instant;

use crate::limits::JOURNAL_FILL_BYTES;
use crate::model::ShardId;

use super::dma::{self, Opened};
use super::files::{journal_dir, journal_path, sync_dir};

/// Writes a journal file full of zeros and makes it durable: its later synced overwrites change no metadata.
///
/// One write at a time, and after each a pause as long as the write took: the disk keeps room for the journal's commits.
pub async fn prepare_journal_file(
    data_dir: PathBuf,
    shard: ShardId,
    file: u32,
    bytes: u64,
) -> io::Result<()> {
    let path = journal_path(&data_dir, shard, file);
    let at = path.clone();
    let create = move || Ok(Opened { file: create_journal_file(&data_dir, shard, &at)?, writes: true });
    let result = match dma::open(create).await {
        Ok(file) => {
            let filled = fill(&file, bytes).await;
            dma::close(file).await;
            filled
        }
        Err(error) => Err(error),
    };
    if result.is_ok() {
        return result;
    }
    glommio::executor().spawn_blocking(move || remove_on_error(&path, result)).await
}

/// A file that could not be filled takes no space. If it cannot be removed either, the next start finds it, and uses what it has.
pub fn remove_on_error(path: &Path, result: io::Result<()>) -> io::Result<()> {
    if result.is_err() {
        let _ = fs::remove_file(path);
    }
    result
}

/// Makes everything durable that was written to the file system in which `directory` lies. May block, for long.
pub fn sync_file_system(directory: &File) -> io::Result<()> {
    Ok(rustix::fs::syncfs(directory)?)
}

/// Makes it, empty. May block.
pub fn create_journal_file(data_dir: &Path, shard: ShardId, path: &Path) -> io::Result<File> {
    let directory = journal_dir(data_dir, shard);
    if !directory.exists() {
        fs::create_dir_all(&directory)?;
        sync_dir(&data_dir.join("journal"))?;
        sync_dir(data_dir)?;
    }
    let file = OpenOptions::new().write(true).create(true).truncate(true).open(path)?;
    // An entry without its bytes does no harm: nothing uses the file before it is answered for.
    sync_dir(&directory)?;
    Ok(file)
}

async fn fill(file: &glommio::io::DmaFile, bytes: u64) -> io::Result<()> {
    // One extent, if the disk has one. Where this is not possible the writes extend the file.
    let _ = file.pre_allocate(bytes, false).await;
    let zeros = Rc::new(dma::zeros(file, JOURNAL_FILL_BYTES));
    let mut at = 0;
    while at < bytes {
        let started = Instant::now();
        let left = bytes - at;
        if left >= zeros.len() as u64 {
            dma::write_all(file, Rc::clone(&zeros), at).await?;
            at += zeros.len() as u64;
        } else {
            let rest = usize::try_from(left).expect("less than a buffer");
            dma::write_all(file, Rc::new(dma::zeros(file, rest)), at).await?;
            at = bytes;
        }
        glommio::timer::sleep(started.elapsed()).await;
    }
    file.fdatasync().await.map_err(dma::io_error)
}
