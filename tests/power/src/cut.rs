//! One power cut: what of the device's log survives it.
//!
//! Everything before the last flush is there. Of what was written after it, each write is there, is not, or is torn: some of its
//! sectors are. Decides which; the same seed decides the same.

use std::fs::File;
use std::io;
use std::ops::Range;

use crate::ledger::Random;
use crate::write_log::{Entry, SECTOR_BYTES, WriteLog};

const BLOCK_BYTES: u64 = 4096;

/// How unflushed writes fare, drawn for each cut.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fate {
    AllGone,
    AllThere,
    /// A prefix, as if the device kept an order.
    FirstThere(usize),
    /// Each by itself.
    Some,
    /// Each by itself, and torn at this many bytes.
    Torn(u64),
}

impl Fate {
    fn draw(random: &mut Random, unflushed: usize) -> Fate {
        match random.below(8) {
            0 => Fate::AllGone,
            1 => Fate::AllThere,
            2 => Fate::FirstThere(random.below(unflushed as u64 + 1) as usize),
            3 | 4 => Fate::Some,
            5 | 6 => Fate::Torn(BLOCK_BYTES),
            _ => Fate::Torn(SECTOR_BYTES),
        }
    }

    /// The parts of the unflushed write `index` that survive.
    fn survivors(self, random: &mut Random, index: usize, entry: &Entry) -> Vec<Range<u64>> {
        let whole = || vec![Range { start: 0, end: entry.bytes }];
        match self {
            _ if entry.is_durable() => whole(),
            Fate::AllThere => whole(),
            Fate::AllGone => Vec::new(),
            Fate::FirstThere(count) if index < count => whole(),
            Fate::FirstThere(_) => Vec::new(),
            Fate::Some if random.below(2) == 0 => whole(),
            Fate::Some => Vec::new(),
            Fate::Torn(unit) => (0..entry.bytes.div_ceil(unit))
                .filter(|_| random.below(2) == 0)
                .map(|part| part * unit..((part + 1) * unit).min(entry.bytes))
                .collect(),
        }
    }
}

/// Applies to `image`, which has the first `applied` entries, what survives of those from there to `cut`.
pub fn apply_survivors(
    log: &WriteLog,
    applied: usize,
    cut: usize,
    random: &mut Random,
    image: &File,
) -> io::Result<()> {
    let unflushed = &log.entries[applied..cut];
    let fate = Fate::draw(random, unflushed.len());
    for (index, entry) in unflushed.iter().enumerate().filter(|(_, entry)| entry.writes()) {
        for part in fate.survivors(random, index, entry) {
            log.apply(entry, part, image)?;
        }
    }
    Ok(())
}
