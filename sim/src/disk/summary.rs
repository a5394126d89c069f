//! Summaries on the simulated disk: small files that are replaced as a whole, and what a crash makes of one that is not synced.
//!
//! A file system may keep a rename and lose the bytes, or show what stood in their blocks before: mostly another summary.

use std::collections::{BTreeMap, BTreeSet};

use bytes::Bytes;
use penstock::effect::{IndexFault, SegmentName};
use penstock::log::{Summary, index_of_batches, index_of_summary};
use penstock::model::{SealedSegment, TopicPartition};

use super::{Disk, DiskError, File};
use crate::random::Random;

const SECTOR: usize = 512;
const STALE_MAX: usize = 64;

#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct SummaryCounters {
    pub lost: u64,
    pub torn: u64,
    pub old: u64,
    pub kept: u64,
    pub loads: u64,
    pub loads_by_scan: u64,
}

struct SummaryFile {
    bytes: Bytes,
    /// What a crash may bring back; None once it is synced.
    before: Option<Option<Bytes>>,
    /// Its bytes are: no earlier summary of the same segment can be shown, which would pass for this one. Any damage that is found can be.
    is_synced: bool,
}

/// All summaries, and those that somebody may rely on.
pub(super) struct Summaries {
    /// A stream of its own: what else the disk does stays the same.
    random: Random,
    files: BTreeMap<SegmentName, SummaryFile>,
    stale: Vec<Bytes>,
    /// Segments whose seal was answered: a start that scans one of them has lost what it was promised.
    promised: BTreeSet<SegmentName>,
}

impl Summaries {
    pub fn new(seed: u64) -> Summaries {
        let random = Random::stream(seed, "summaries");
        Summaries { random, files: BTreeMap::new(), stale: Vec::new(), promised: BTreeSet::new() }
    }

    pub fn find(&self, name: SegmentName) -> Option<&Bytes> {
        self.files.get(&name).map(|file| &file.bytes)
    }

    /// Puts a new file in the place of the old one, which may be back after a crash: so nothing is promised any more. `is_synced`: its bytes
    /// are, the directory is not.
    pub fn replace(&mut self, name: SegmentName, bytes: Bytes, is_synced: bool) {
        self.promised.remove(&name);
        let earlier = self.files.remove(&name);
        let before = earlier.map(|file| file.before.unwrap_or(Some(file.bytes))).unwrap_or_default();
        self.stale.truncate(STALE_MAX - 1);
        self.stale.insert(0, bytes.clone());
        self.files.insert(name, SummaryFile { bytes, before: Some(before), is_synced });
    }

    pub fn sync(&mut self, name: SegmentName) {
        if let Some(file) = self.files.get_mut(&name) {
            file.before = None;
        }
    }

    /// A start may rely on it from now on. One that does not tell what the log knew at its end promises nothing: of a segment that was completed from the journal that may
    /// not be known.
    pub fn promise(&mut self, name: SegmentName) {
        let summary = self.find(name).cloned();
        let told = summary.and_then(|bytes| Summary::decode(name.topic_partition, &bytes).ok());
        if told.is_some_and(|told| told.snapshot.is_some()) {
            self.promised.insert(name);
        }
    }

    pub fn is_promised(&self, name: SegmentName) -> bool {
        self.promised.contains(&name)
    }

    pub fn unlink(&mut self, name: SegmentName) {
        self.files.remove(&name);
        self.promised.remove(&name);
    }

    pub fn remove(&mut self, topic_partition: TopicPartition) {
        self.files.retain(|name, _| name.topic_partition != topic_partition);
        self.promised.retain(|name| name.topic_partition != topic_partition);
    }

    pub fn crash(&mut self, counters: &mut SummaryCounters) {
        let random = &mut self.random;
        let mut lost = Vec::new();
        for (name, file) in &mut self.files {
            let Some(before) = file.before.take() else { continue };
            match random.below(5) {
                0 | 1 => counters.kept += 1,
                2 => {
                    counters.lost += 1;
                    match before {
                        Some(before) => file.bytes = before,
                        None => lost.push(*name),
                    }
                }
                3 => {
                    counters.torn += 1;
                    file.bytes = torn(&file.bytes, random);
                }
                _ => {
                    let stale = random.pick(&self.stale);
                    if file.is_synced && speaks_of(stale, *name) {
                        counters.kept += 1;
                    } else {
                        counters.old += 1;
                        file.bytes = stale.clone();
                    }
                }
            }
        }
        lost.iter().for_each(|name| drop(self.files.remove(name)));
    }
}

fn speaks_of(summary: &Bytes, name: SegmentName) -> bool {
    Summary::decode(name.topic_partition, summary)
        .is_ok_and(|told| told.segment.base_offset == name.base_offset)
}

/// Some sectors are zeros, or the end is missing.
fn torn(bytes: &Bytes, random: &mut Random) -> Bytes {
    let mut torn = bytes.to_vec();
    if random.percent(50) {
        torn.truncate(random.below(bytes.len() as u64 + 1) as usize);
    }
    for sector in torn.chunks_mut(SECTOR) {
        if random.percent(40) {
            sector.fill(0);
        }
    }
    Bytes::from(torn)
}

impl Disk {
    /// What the bulk side does for `LoadIndex`.
    pub(super) fn load_index(
        &mut self,
        name: SegmentName,
        index: Option<usize>,
        sealed: &SealedSegment,
    ) -> Result<Bytes, IndexFault> {
        let missing = DiskError { operation: "open", errno: 2 };
        let index = index.ok_or(IndexFault::Disk(missing))?;
        self.counters.summaries.loads += 1;
        // Somebody tidied up.
        let removed = self.summaries.random.per_million(self.faults.summary_lost);
        let found = self.summaries.find(name).filter(|_| !removed).cloned();
        let found = found.and_then(|bytes| Summary::decode(name.topic_partition, &bytes).ok());
        if let Some(section) = found.as_ref().and_then(|found| index_of_summary(sealed, found)) {
            return Ok(section);
        }
        self.counters.summaries.loads_by_scan += 1;
        let file = &self.files[index];
        let built = index_of_batches(sealed, found, &mut |position, into| read(file, position, into))?;
        self.summaries.replace(name, built.encode(name.topic_partition), true);
        built.index.ok_or(IndexFault::Disk(missing))
    }
}

fn read(file: &File, position: u64, into: &mut [u8]) -> Result<(), DiskError> {
    if file.read(position, into) { Ok(()) } else { Err(DiskError { operation: "pread", errno: 0 }) }
}
