//! One file of the simulated disk: what is durable, what is only written, and what a power loss makes of it.
//!
//! Shape:  block 0        block 1                    block 2
//!         durable        durable <- v1 <- v2        (never written: zeros)
//! A read sees the newest version. A crash leaves, for each block, any mixture by 512-byte sectors of its durable bytes
//! and of the versions above them.

use std::collections::BTreeMap;
use std::rc::Rc;

use crate::random::Random;

pub const BLOCK: u64 = penstock::limits::BLOCK_BYTES;
const SECTOR: usize = 512;

pub type Block = Rc<[u8; BLOCK as usize]>;

#[derive(Debug, Clone)]
struct Version {
    stamp: u64,
    block: Block,
    /// A sync of it failed: it stays readable and will never be durable.
    doomed: bool,
}

/// What the crash does to the unsynced blocks of a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Loss {
    /// The process was killed, the machine goes on: all is kept, and what was not synced still is not.
    KeepAll,
    LoseAll,
    /// The blocks in front are kept: what most tests of others stop at.
    Suffix,
    /// Each block for itself: kept, lost or torn.
    AnySubset,
}

#[derive(Debug, Clone, Default)]
pub struct File {
    durable: BTreeMap<u64, Block>,
    unsynced: BTreeMap<u64, Vec<Version>>,
    length: u64,
    /// Changes of the length that no sync has covered: (stamp, length).
    lengths: Vec<(u64, u64)>,
    durable_length: u64,
    /// The directory entry survives a crash.
    pub linked: bool,
    /// Truncated to its end: nobody may write it any more.
    pub sealed: bool,
}

/// What a crash did to one file.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Damage {
    pub kept: u64,
    pub lost: u64,
    pub torn: u64,
    pub stale: u64,
}

fn zeros() -> Block {
    Rc::new([0; BLOCK as usize])
}

impl File {
    /// A file full of zeros, synced.
    #[must_use]
    pub fn zeroed(length: u64) -> File {
        File { length, durable_length: length, linked: true, ..File::default() }
    }

    #[must_use]
    pub fn length(&self) -> u64 {
        self.length
    }

    #[must_use]
    pub fn is_synced(&self) -> bool {
        self.linked && self.unsynced.is_empty() && self.length == self.durable_length
    }

    fn block(&self, index: u64) -> Option<&Block> {
        let newest = self.unsynced.get(&index).and_then(|versions| versions.last());
        newest.map(|version| &version.block).or_else(|| self.durable.get(&index))
    }

    /// Fills `into` from `position` on. False if the file ends before.
    pub fn read(&self, position: u64, into: &mut [u8]) -> bool {
        if position + into.len() as u64 > self.length {
            return false;
        }
        let mut done = 0;
        while done < into.len() {
            let at = position + done as u64;
            let within = (at % BLOCK) as usize;
            let count = (BLOCK as usize - within).min(into.len() - done);
            match self.block(at / BLOCK) {
                Some(block) => into[done..done + count].copy_from_slice(&block[within..within + count]),
                None => into[done..done + count].fill(0),
            }
            done += count;
        }
        true
    }

    /// Writes without syncing; the file grows if it must.
    pub fn write(&mut self, stamp: u64, position: u64, bytes: &[u8]) {
        let mut done = 0;
        while done < bytes.len() {
            let at = position + done as u64;
            let within = (at % BLOCK) as usize;
            let count = (BLOCK as usize - within).min(bytes.len() - done);
            let mut block = self.block(at / BLOCK).cloned().unwrap_or_else(zeros);
            Rc::make_mut(&mut block)[within..within + count].copy_from_slice(&bytes[done..done + count]);
            let versions = self.unsynced.entry(at / BLOCK).or_default();
            versions.push(Version { stamp, block, doomed: false });
            done += count;
        }
        let end = position + bytes.len() as u64;
        if end > self.length {
            self.truncate(stamp, end);
        }
    }

    /// Sets the length, without syncing.
    pub fn truncate(&mut self, stamp: u64, length: u64) {
        self.length = length;
        self.lengths.push((stamp, length));
    }

    /// Everything written up to `through` is durable now.
    pub fn sync(&mut self, through: u64) {
        for (index, versions) in &mut self.unsynced {
            let Some(last) = versions.iter().rposition(|version| version.stamp <= through && !version.doomed)
            else {
                continue;
            };
            self.durable.insert(*index, versions[last].block.clone());
            versions.drain(..=last);
        }
        self.unsynced.retain(|_, versions| !versions.is_empty());
        while let Some((_, length)) = self.lengths.first().copied().filter(|(stamp, _)| *stamp <= through) {
            self.durable_length = length;
            self.lengths.remove(0);
        }
    }

    /// A sync failed: what it was for may be gone for good, whatever a later sync says.
    pub fn fail_sync(&mut self, through: u64, random: &mut Random) {
        for version in self.unsynced.values_mut().flatten() {
            if version.stamp <= through && random.percent(60) {
                version.doomed = true;
            }
        }
    }

    /// The blocks that are there, for the pool of stale blocks.
    pub fn blocks(&self) -> impl Iterator<Item = (u64, &Block)> {
        let durable = self.durable.iter().map(|(index, block)| (*index, block));
        let newer =
            self.unsynced.iter().filter_map(|(index, versions)| Some((*index, &versions.last()?.block)));
        durable.chain(newer)
    }

    /// The power goes. `preallocates`: space behind the synced end may be there with what stood on the platter before.
    pub fn crash(
        &mut self,
        loss: Loss,
        preallocates: bool,
        stale: &[(u64, Block)],
        random: &mut Random,
    ) -> Damage {
        if loss == Loss::KeepAll {
            return Damage { kept: self.unsynced.len() as u64, ..Damage::default() };
        }
        let mut damage = Damage::default();
        self.crash_length(loss, preallocates, random);
        let suffix_from =
            self.unsynced.keys().nth(random.below(self.unsynced.len() as u64 + 1) as usize).copied();
        for (index, versions) in std::mem::take(&mut self.unsynced) {
            let fate = match loss {
                Loss::KeepAll => unreachable!("it changes nothing"),
                Loss::LoseAll => 1,
                Loss::Suffix => u64::from(suffix_from.is_some_and(|from| index >= from)),
                Loss::AnySubset => random.below(3),
            };
            let survivors: Vec<&Block> =
                versions.iter().filter(|version| !version.doomed).map(|version| &version.block).collect();
            let beyond = index * BLOCK >= self.durable_length;
            let before = self.durable.get(&index).cloned().or_else(|| {
                let found = (beyond && preallocates).then(|| pick_stale(index, stale, random)).flatten()?;
                damage.stale += 1;
                Some(found)
            });
            match (fate, survivors.as_slice()) {
                (0, [.., newest]) => {
                    damage.kept += 1;
                    self.durable.insert(index, (*newest).clone());
                }
                (2, [_, ..]) => {
                    damage.torn += 1;
                    self.durable.insert(index, torn(before.unwrap_or_else(zeros), &survivors, random));
                }
                _ => {
                    damage.lost += 1;
                    if let Some(before) = before {
                        self.durable.insert(index, before);
                    }
                }
            }
        }
        damage.stale += self.fill_stale(preallocates, stale, random);
        self.settle();
        damage
    }

    fn crash_length(&mut self, loss: Loss, preallocates: bool, random: &mut Random) {
        if self.length != self.durable_length {
            self.length = match loss {
                Loss::KeepAll => unreachable!("it changes nothing"),
                Loss::LoseAll => self.durable_length,
                Loss::Suffix | Loss::AnySubset => {
                    let (low, high) =
                        (self.length.min(self.durable_length), self.length.max(self.durable_length));
                    match random.below(3) {
                        0 => low,
                        1 => high,
                        // A truncation happens or not; growth may stop at any block.
                        _ if self.length < self.durable_length => high,
                        _ => low.max((random.between(low, high + 1) / BLOCK) * BLOCK),
                    }
                }
            };
        }
        if preallocates && !self.sealed && random.percent(50) {
            self.length = self.length.next_multiple_of(BLOCK) + random.below(32) * BLOCK;
        }
    }

    fn fill_stale(&mut self, preallocates: bool, stale: &[(u64, Block)], random: &mut Random) -> u64 {
        if !preallocates || stale.is_empty() || self.sealed {
            return 0;
        }
        let mut filled = 0;
        for index in self.durable_length.div_ceil(BLOCK)..self.length / BLOCK {
            if !self.durable.contains_key(&index)
                && random.percent(50)
                && let Some(block) = pick_stale(index, stale, random)
            {
                self.durable.insert(index, block);
                filled += 1;
            }
        }
        filled
    }

    /// After the crash, what is there is durable, and nothing lies behind the end.
    fn settle(&mut self) {
        self.durable_length = self.length;
        self.lengths.clear();
        self.linked = true;
        let last = self.length.div_ceil(BLOCK);
        self.durable.retain(|index, _| *index < last);
    }
}

/// Preferably a block of an earlier file that stood at the same place: it holds batches that would fit.
fn pick_stale(index: u64, stale: &[(u64, Block)], random: &mut Random) -> Option<Block> {
    if stale.is_empty() {
        return None;
    }
    let start = random.below(stale.len() as u64) as usize;
    let turned = stale[start..].iter().chain(&stale[..start]);
    let same_place = turned.clone().find(|(at, _)| *at == index);
    same_place.or_else(|| stale.get(start)).map(|(_, block)| block.clone())
}

fn torn(before: Block, versions: &[&Block], random: &mut Random) -> Block {
    let mut block = before;
    let bytes = Rc::make_mut(&mut block);
    for sector in 0..BLOCK as usize / SECTOR {
        let drawn = random.below(versions.len() as u64 * 2) as usize;
        if let Some(version) = versions.get(drawn) {
            let range = sector * SECTOR..(sector + 1) * SECTOR;
            bytes[range.clone()].copy_from_slice(&version[range]);
        }
    }
    block
}
