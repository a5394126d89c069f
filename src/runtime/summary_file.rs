//! The summary beside a segment: read, and put in place as a whole. Blocking: helper threads and starts only.

use std::fs::{self, File};
use std::io::{self, Read};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use bytes::Bytes;

use crate::effect::IndexFault;
use crate::log::{Summary, index_of_batches, index_of_summary};
use crate::model::{SealedSegment, TopicPartition};

use super::files::SegmentFile;
use super::io_threads::disk_error;

/// Of a segment's file.
#[must_use]
pub fn summary_path(segment: &Path) -> PathBuf {
    segment.with_extension("summary")
}

/// Replaces the summary of the segment; durable once the directory is synced.
pub fn write_synced(segment: &Path, summary: &[u8]) -> io::Result<()> {
    replace(segment, summary, true)
}

/// The same without a sync: a crash may leave what is rebuilt then.
pub fn write(segment: &Path, summary: &[u8]) -> io::Result<()> {
    replace(segment, summary, false)
}

fn replace(segment: &Path, summary: &[u8], syncs: bool) -> io::Result<()> {
    let new = segment.with_extension("summary.new");
    let file = File::create(&new)?;
    file.write_all_at(summary, 0)?;
    if syncs {
        file.sync_data()?;
    }
    fs::rename(&new, summary_path(segment))
}

/// The index of a sealed segment. Where its summary does not have it, the summary is written again.
pub fn load_index(
    file: &Arc<SegmentFile>,
    of: TopicPartition,
    sealed: &SealedSegment,
) -> Result<Bytes, IndexFault> {
    let summary = read_whole(of, &file.path());
    if let Some(section) = summary.as_ref().and_then(|summary| index_of_summary(sealed, summary)) {
        return Ok(section);
    }
    // So it is after a crash, which the journal completed.
    tracing::debug!(path = %file.path().display(), "no index in the summary of this segment: reading its batch headers");
    let disk_fault = |error: &io::Error| disk_error("read segment", error);
    let log = file.open().map_err(|error| IndexFault::Disk(disk_fault(&error)))?;
    let mut read = |position: u64, into: &mut [u8]| {
        log.read_exact_at(into, position).map_err(|error| disk_fault(&error))
    };
    let built = index_of_batches(sealed, summary, &mut read)?;
    // Synced: the one that it replaces may be all that a start needs.
    if let Err(error) = write_synced(&file.path(), &built.encode(of)) {
        tracing::warn!(path = %file.path().display(), %error, "cannot write the summary of this segment");
    }
    Ok(built.index.unwrap_or_default())
}

/// None: there is none, or none that can be read. It is then built anew.
fn read_whole(of: TopicPartition, segment: &Path) -> Option<Summary> {
    let mut bytes = Vec::new();
    File::open(summary_path(segment)).and_then(|mut file| file.read_to_end(&mut bytes)).ok()?;
    Summary::decode(of, &Bytes::from(bytes)).ok()
}
