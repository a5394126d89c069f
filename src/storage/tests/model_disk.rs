//! A disk in memory that keeps what is seen apart from what is synced, and loses any blocks between the two at a crash.

use std::collections::{BTreeMap, BTreeSet};

use super::super::RecoveryDisk;
use crate::effect::{DiskError, JournalPiece, SegmentName};
use crate::limits::BLOCK_BYTES;
use crate::model::{Offset, ShardId, TopicPartition};

const BLOCK: usize = BLOCK_BYTES as usize;

/// Small, seeded, good enough: splitmix64.
#[derive(Debug, Clone)]
pub struct Random(pub u64);

impl Random {
    pub fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    pub fn below(&mut self, end: u64) -> u64 {
        self.next() % end.max(1)
    }

    pub fn one_in(&mut self, count: u64) -> bool {
        self.below(count) == 0
    }
}

#[derive(Debug, Default, Clone)]
struct File {
    seen: Vec<u8>,
    synced: Vec<u8>,
    /// Blocks written since the last sync.
    dirty: BTreeSet<usize>,
    /// A sync has made its name durable.
    named: bool,
}

impl File {
    fn write(&mut self, position: u64, bytes: &[u8]) {
        let from = position as usize;
        let to = from + bytes.len();
        if self.seen.len() < to {
            self.seen.resize(to, 0);
        }
        self.seen[from..to].copy_from_slice(bytes);
        self.dirty.extend(from / BLOCK..to.div_ceil(BLOCK));
    }

    fn sync(&mut self) {
        self.synced.clone_from(&self.seen);
        self.dirty.clear();
        self.named = true;
    }

    /// Of the blocks that were not synced, any may have reached the disk.
    fn crash(&mut self, random: &mut Random) {
        let length = if random.one_in(2) { self.seen.len() } else { self.synced.len() };
        let mut after = self.synced.clone();
        after.resize(length, 0);
        for &block in &self.dirty {
            let (from, to) = (block * BLOCK, ((block + 1) * BLOCK).min(length).min(self.seen.len()));
            if random.one_in(2) && from < to {
                after[from..to].copy_from_slice(&self.seen[from..to]);
            }
        }
        self.seen.clone_from(&after);
        self.synced = after;
        self.dirty.clear();
    }
}

#[derive(Debug, Default, Clone)]
pub struct ModelDisk {
    journals: BTreeMap<(ShardId, u32), File>,
    segments: BTreeMap<SegmentName, File>,
    pub log_starts: BTreeMap<TopicPartition, Vec<u8>>,
    /// With whether they are synced.
    summaries: BTreeMap<SegmentName, (Vec<u8>, bool)>,
    /// Operations until the next one fails, as if the power went.
    pub fuse: Option<u64>,
    /// Recovery is to do with the summaries.
    pub forbid_scans: bool,
    pub damaged: BTreeSet<TopicPartition>,
    /// Bytes of journals that belong to damaged segments.
    pub aside: BTreeMap<(SegmentName, u64), Vec<u8>>,
}

const POWER: DiskError = DiskError { operation: "power", errno: 5 };

impl ModelDisk {
    pub fn prepare_journal(&mut self, shard: ShardId, file: u32, bytes: u64) {
        let mut zeros = File::default();
        zeros.write(0, &vec![0; bytes as usize]);
        zeros.sync();
        assert!(self.journals.insert((shard, file), zeros).is_none(), "a file of the ring is prepared once");
    }

    pub fn commit(&mut self, shard: ShardId, file: u32, position: u64, bytes: &[u8], sync: bool) {
        let file = self.journals.get_mut(&(shard, file)).expect("commits go to prepared files");
        assert!(position as usize + bytes.len() <= file.seen.len(), "a commit stays in its file");
        file.write(position, bytes);
        if sync {
            file.sync();
        }
    }

    /// What was written to journals between two moments of another disk gets to this one, too.
    pub fn take_journal_writes(&mut self, before: &ModelDisk, after: &ModelDisk) {
        for (key, file) in &mut self.journals {
            let (before, after) = (&before.journals[key].seen, &after.journals[key].seen);
            for at in (0..after.len()).step_by(BLOCK) {
                let block = at..at + BLOCK;
                if before[block.clone()] != after[block.clone()] {
                    file.write(at as u64, &after[block]);
                }
            }
            file.sync();
        }
    }

    pub fn write(&mut self, segment: SegmentName, position: u64, bytes: &[u8], ahead: u64) {
        let file = self.segments.entry(segment).or_default();
        file.write(position, bytes);
        // What ends inside a block is padded.
        let end = (position as usize + bytes.len()).next_multiple_of(BLOCK);
        let length = file.seen.len().max(end + ahead as usize);
        file.seen.resize(length, 0);
    }

    pub fn sync(&mut self, segment: SegmentName) {
        self.segments.get_mut(&segment).expect("only written files are synced").sync();
    }

    pub fn truncate(&mut self, segment: SegmentName, length: u64) {
        self.segments.get_mut(&segment).expect("only written files are cut").seen.resize(length as usize, 0);
    }

    /// Bytes of a segment out of a journal.
    pub fn read_pieces(&self, shard: ShardId, pieces: &[JournalPiece]) -> Vec<u8> {
        let mut bytes = Vec::new();
        for piece in pieces {
            let (from, length) = (piece.position as usize, piece.length as usize);
            bytes.extend_from_slice(&self.journals[&(shard, piece.file)].seen[from..from + length]);
        }
        bytes
    }

    pub fn delete(&mut self, topic_partition: TopicPartition) {
        self.segments.retain(|name, _| name.topic_partition != topic_partition);
        self.summaries.retain(|name, _| name.topic_partition != topic_partition);
        self.log_starts.remove(&topic_partition);
    }

    pub fn write_log_start(&mut self, of: TopicPartition, bytes: Vec<u8>) {
        self.log_starts.insert(of, bytes);
    }

    pub fn unlink(&mut self, of: TopicPartition, base_offset: Offset) {
        self.segments.remove(&SegmentName { topic_partition: of, base_offset });
        self.summaries.remove(&SegmentName { topic_partition: of, base_offset });
    }

    pub fn segments_count(&self) -> usize {
        self.segments.len()
    }

    pub fn put_summary(&mut self, segment: SegmentName, summary: &[u8], synced: bool) {
        self.summaries.insert(segment, (summary.to_vec(), synced));
    }

    pub fn summary(&self, segment: SegmentName) -> Option<&[u8]> {
        self.summaries.get(&segment).map(|(bytes, _)| bytes.as_slice())
    }

    pub fn read(&self, segment: SegmentName, position: u64, length: u64) -> Vec<u8> {
        self.segments[&segment].seen[position as usize..(position + length) as usize].to_vec()
    }

    pub fn length(&self, segment: SegmentName) -> Option<u64> {
        self.segments.get(&segment).map(|file| file.seen.len() as u64)
    }

    /// Somebody cuts the file, durably.
    pub fn damage(&mut self, segment: SegmentName, length: u64) {
        self.truncate(segment, length);
        self.sync(segment);
    }

    pub fn crash(&mut self, random: &mut Random) {
        self.journals.values_mut().for_each(|file| file.crash(random));
        self.segments.values_mut().for_each(|file| file.crash(random));
        self.segments.retain(|_, file| file.named || random.one_in(2));
        self.segments.values_mut().for_each(|file| file.named = true);
        // Lost, cut short, or there.
        self.summaries.retain(|_, (_, synced)| *synced || random.one_in(2));
        for (bytes, synced) in self.summaries.values_mut() {
            if !*synced && random.one_in(2) {
                bytes.truncate(random.below(bytes.len() as u64 + 1) as usize);
            }
            *synced = true;
        }
    }

    fn burn(&mut self) -> Result<(), DiskError> {
        match &mut self.fuse {
            Some(0) => Err(POWER),
            Some(left) => {
                *left -= 1;
                Ok(())
            }
            None => Ok(()),
        }
    }
}

fn copy(from: &File, position: u64, into: &mut [u8]) -> Result<(), DiskError> {
    let position = position as usize;
    let bytes = from.seen.get(position..position + into.len());
    into.copy_from_slice(bytes.ok_or(DiskError { operation: "read past the end", errno: 0 })?);
    Ok(())
}

impl RecoveryDisk for ModelDisk {
    fn journals(&mut self) -> Result<Vec<(ShardId, Vec<u32>)>, DiskError> {
        let mut journals: BTreeMap<ShardId, Vec<u32>> = BTreeMap::new();
        self.journals.keys().for_each(|(shard, file)| journals.entry(*shard).or_default().push(*file));
        Ok(journals.into_iter().collect())
    }

    fn journal_bytes(&mut self, shard: ShardId, file: u32) -> Result<u64, DiskError> {
        Ok(self.journals[&(shard, file)].seen.len() as u64)
    }

    fn read_journal(
        &mut self,
        shard: ShardId,
        file: u32,
        position: u64,
        into: &mut [u8],
    ) -> Result<(), DiskError> {
        copy(&self.journals[&(shard, file)], position, into)
    }

    fn write_journal(
        &mut self,
        shard: ShardId,
        file: u32,
        position: u64,
        bytes: &[u8],
    ) -> Result<(), DiskError> {
        let failed = self.burn();
        self.commit(shard, file, position, bytes, failed.is_ok());
        failed
    }

    fn remove_journal(&mut self, shard: ShardId) -> Result<(), DiskError> {
        // Cut in the middle, some of its files are left.
        let files: Vec<_> = self.journals.keys().filter(|(of, _)| *of == shard).copied().collect();
        for file in files.into_iter().rev() {
            self.burn()?;
            self.journals.remove(&file);
        }
        Ok(())
    }

    fn segments(&mut self) -> Result<Vec<(SegmentName, u64)>, DiskError> {
        Ok(self.segments.iter().map(|(name, file)| (*name, file.seen.len() as u64)).collect())
    }

    fn read_segment(
        &mut self,
        segment: SegmentName,
        position: u64,
        into: &mut [u8],
    ) -> Result<(), DiskError> {
        assert!(!self.forbid_scans, "{segment:?} is scanned");
        copy(&self.segments[&segment], position, into)
    }

    fn write_segment(&mut self, segment: SegmentName, position: u64, bytes: &[u8]) -> Result<(), DiskError> {
        self.burn()?;
        self.write(segment, position, bytes, 0);
        Ok(())
    }

    fn truncate_segment(&mut self, segment: SegmentName, length: u64) -> Result<(), DiskError> {
        self.burn()?;
        self.truncate(segment, length);
        Ok(())
    }

    fn sync_segments(&mut self, segments: &[SegmentName]) -> Result<(), DiskError> {
        for &segment in segments {
            self.burn()?;
            self.sync(segment);
            if let Some((_, synced)) = self.summaries.get_mut(&segment) {
                *synced = true;
            }
        }
        Ok(())
    }

    fn log_starts(&mut self) -> Result<Vec<(TopicPartition, Vec<u8>)>, DiskError> {
        Ok(self.log_starts.clone().into_iter().collect())
    }

    fn read_summary(&mut self, segment: SegmentName, into: &mut [u8]) -> Result<usize, DiskError> {
        let summary = self.summary(segment).unwrap_or_default();
        let count = summary.len().min(into.len());
        into[..count].copy_from_slice(&summary[..count]);
        Ok(count)
    }

    fn write_summary(&mut self, segment: SegmentName, summary: &[u8], synced: bool) -> Result<(), DiskError> {
        let failed = self.burn();
        self.put_summary(segment, summary, synced);
        failed
    }

    fn remove_partition(&mut self, topic_partition: TopicPartition) -> Result<(), DiskError> {
        self.burn()?;
        self.delete(topic_partition);
        Ok(())
    }

    fn damaged(&mut self) -> Result<Vec<TopicPartition>, DiskError> {
        Ok(self.damaged.iter().copied().collect())
    }

    fn mark_damaged(&mut self, topic_partition: TopicPartition, _why: &str) -> Result<(), DiskError> {
        self.burn()?;
        self.damaged.insert(topic_partition);
        Ok(())
    }

    fn keep_aside(&mut self, segment: SegmentName, position: u64, bytes: &[u8]) -> Result<(), DiskError> {
        self.burn()?;
        self.aside.insert((segment, position), bytes.to_vec());
        Ok(())
    }
}
