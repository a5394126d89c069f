//! What recovery asks of the disk, one step after the other, and the fuse that ends it in the middle.

use bytes::Bytes;
use penstock::effect::{DiskError, SegmentName};
use penstock::model::{ShardId, TopicPartition};
use penstock::storage::RecoveryDisk;

use super::{Disk, FileName};

const POWER_WENT: DiskError = DiskError { operation: "power", errno: 0 };

/// Counts down the steps of a recovery; at zero the power goes.
#[derive(Debug, Clone, Copy, Default)]
pub struct Fuse {
    left: Option<u64>,
    pub burnt: bool,
}

impl Fuse {
    #[must_use]
    pub fn after(steps: Option<u64>) -> Fuse {
        Fuse { left: steps, burnt: false }
    }
}

impl Disk {
    pub fn set_fuse(&mut self, fuse: Fuse) {
        self.fuse = fuse;
    }

    #[must_use]
    pub fn power_went(&self) -> bool {
        self.fuse.burnt
    }

    /// One step. `cost`: steps that change something are more likely to be the last.
    fn burn(&mut self, cost: u64) -> Result<(), DiskError> {
        if self.fuse.burnt {
            return Err(POWER_WENT);
        }
        if let Some(left) = &mut self.fuse.left {
            if *left <= cost {
                self.fuse.burnt = true;
                return Err(POWER_WENT);
            }
            *left -= cost;
        }
        Ok(())
    }

    /// The start of a broker appends to the metadata log, synced.
    pub fn append_metadata(&mut self, batch: &[u8]) -> Result<(), DiskError> {
        let burnt = self.burn(20);
        if burnt.is_ok() || self.random.percent(50) {
            self.metadata.extend_from_slice(batch);
        }
        burnt?;
        if !self.mutations.never_sync {
            self.metadata_durable = self.metadata.len();
        }
        Ok(())
    }
}

fn missing(operation: &'static str) -> DiskError {
    DiskError { operation, errno: 2 }
}

impl RecoveryDisk for Disk {
    fn journals(&mut self) -> Result<Vec<(ShardId, Vec<u32>)>, DiskError> {
        self.burn(1)?;
        let mut journals: Vec<(ShardId, Vec<u32>)> = Vec::new();
        for name in self.names.keys() {
            if let FileName::Journal(dir, shard, file) = name
                && *dir == self.recovers
            {
                match journals.last_mut() {
                    Some((last, files)) if last == shard => files.push(*file),
                    _ => journals.push((*shard, vec![*file])),
                }
            }
        }
        Ok(journals)
    }

    fn journal_bytes(&mut self, shard: ShardId, file: u32) -> Result<u64, DiskError> {
        self.burn(1)?;
        Ok(self.find(FileName::Journal(self.recovers, shard, file)).ok_or(missing("stat"))?.length())
    }

    fn read_journal(
        &mut self,
        shard: ShardId,
        file: u32,
        position: u64,
        into: &mut [u8],
    ) -> Result<(), DiskError> {
        self.burn(1)?;
        let found = self.find(FileName::Journal(self.recovers, shard, file)).ok_or(missing("open"))?;
        if found.read(position, into) { Ok(()) } else { Err(DiskError { operation: "pread", errno: 0 }) }
    }

    fn write_journal(
        &mut self,
        shard: ShardId,
        file: u32,
        position: u64,
        bytes: &[u8],
    ) -> Result<(), DiskError> {
        let burnt = self.burn(20);
        let happens = burnt.is_ok() || self.random.percent(50);
        let synced = !self.mutations.never_sync;
        let stamp = self.stamp();
        let found = self.find_mut(FileName::Journal(self.recovers, shard, file)).ok_or(missing("open"))?;
        if happens {
            found.write(stamp, position, bytes);
        }
        burnt?;
        if synced {
            found.sync(stamp);
        }
        Ok(())
    }

    fn remove_journal(&mut self, shard: ShardId) -> Result<(), DiskError> {
        self.burn(20)?;
        self.counters.journals_removed += 1;
        let names: Vec<FileName> = self.names.keys().copied().collect();
        for name in names {
            if matches!(name, FileName::Journal(dir, owner, _) if owner == shard && dir == self.recovers) {
                // The power may go between two files.
                self.burn(5)?;
                self.unlink(name);
            }
        }
        Ok(())
    }

    fn segments(&mut self) -> Result<Vec<(SegmentName, u64)>, DiskError> {
        self.burn(1)?;
        let segments = self.names.iter().filter_map(|(name, index)| match name {
            FileName::Segment(dir, segment) if *dir == self.recovers => {
                Some((*segment, self.files[*index].length()))
            }
            _ => None,
        });
        Ok(segments.collect())
    }

    fn read_segment(
        &mut self,
        segment: SegmentName,
        position: u64,
        into: &mut [u8],
    ) -> Result<(), DiskError> {
        self.burn(1)?;
        if self.summaries.is_promised(segment) {
            self.violations.push(format!("{segment:?} is scanned: the summary that was synced is not used"));
        }
        let found = self.find(FileName::Segment(self.recovers, segment)).ok_or(missing("open"))?;
        if found.read(position, into) { Ok(()) } else { Err(DiskError { operation: "pread", errno: 0 }) }
    }

    fn write_segment(&mut self, segment: SegmentName, position: u64, bytes: &[u8]) -> Result<(), DiskError> {
        let burnt = self.burn(20);
        // The last write may be short.
        let kept = if burnt.is_ok() { bytes.len() as u64 } else { self.random.below(bytes.len() as u64 + 1) };
        let name = FileName::Segment(self.recovers, segment);
        let stamp = self.stamp();
        if self.find(name).is_none() {
            self.insert(name, super::File::default());
        }
        let found = self.find_mut(name).ok_or(missing("open"))?;
        found.write(stamp, position, &bytes[..kept as usize]);
        burnt
    }

    fn truncate_segment(&mut self, segment: SegmentName, length: u64) -> Result<(), DiskError> {
        self.burn(20)?;
        self.counters.segments_truncated += 1;
        let stamp = self.stamp();
        let found = self.find_mut(FileName::Segment(self.recovers, segment)).ok_or(missing("open"))?;
        found.truncate(stamp, length);
        Ok(())
    }

    fn sync_segments(&mut self, segments: &[SegmentName]) -> Result<(), DiskError> {
        for &segment in segments {
            // The power may go between two of them.
            self.burn(20)?;
            if self.mutations.never_sync {
                continue;
            }
            let stamp = self.stamp;
            let found = self.find_mut(FileName::Segment(self.recovers, segment)).ok_or(missing("open"))?;
            found.sync(stamp);
            found.linked = true;
            found.sealed = true;
            self.summaries.sync(segment);
            self.synced_directory();
        }
        Ok(())
    }

    fn log_starts(&mut self) -> Result<Vec<(TopicPartition, Vec<u8>)>, DiskError> {
        self.burn(1)?;
        let starts = self.log_starts.iter().filter(|((dir, _), _)| *dir == self.recovers);
        Ok(starts.filter_map(|((_, of), file)| Some((*of, file.current.clone()?))).collect())
    }

    fn read_summary(&mut self, segment: SegmentName, into: &mut [u8]) -> Result<usize, DiskError> {
        self.burn(1)?;
        let summary = self.summaries.find(segment).map_or(&[][..], |summary| summary);
        let count = summary.len().min(into.len());
        into[..count].copy_from_slice(&summary[..count]);
        Ok(count)
    }

    fn write_summary(&mut self, segment: SegmentName, summary: &[u8], synced: bool) -> Result<(), DiskError> {
        let burnt = self.burn(20);
        if burnt.is_ok() || self.random.percent(50) {
            self.summaries.replace(segment, Bytes::copy_from_slice(summary), synced);
        }
        burnt
    }

    fn remove_partition(&mut self, topic_partition: TopicPartition) -> Result<(), DiskError> {
        self.burn(20)?;
        self.counters.partitions_removed += 1;
        self.unlink_partition(self.recovers, topic_partition);
        Ok(())
    }
    fn damaged(&mut self) -> Result<Vec<TopicPartition>, DiskError> {
        self.burn(1)?;
        Ok(self.damaged.iter().filter(|(dir, _)| *dir == self.recovers).map(|(_, of)| *of).collect())
    }

    fn mark_damaged(&mut self, topic_partition: TopicPartition, _why: &str) -> Result<(), DiskError> {
        self.burn(20)?;
        self.damaged.insert((self.recovers, topic_partition));
        Ok(())
    }

    /// Nothing reads these bytes but people.
    fn keep_aside(&mut self, _segment: SegmentName, _position: u64, _bytes: &[u8]) -> Result<(), DiskError> {
        self.burn(20)
    }
}
