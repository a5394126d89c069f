//! Many power cuts of one recording, in the order of their moments, so that what was durable is built once.
//!
//! Decides where the power goes: half of the moments are the instants right after an acknowledgement, the others are anywhere.

use std::fs::File;
use std::io;
use std::path::Path;
use std::time::Instant;

use crate::broker::Broker;
use crate::cut::apply_survivors;
use crate::device::{Mounted, copy_sparse, log_path};
use crate::ledger::{Ledger, Random};
use crate::verify::{Found, verify};
use crate::wire::Wire;
use crate::write_log::WriteLog;

/// The broker comes back on other numbers of shards, too.
const SHARDS: [u16; 3] = [2, 1, 3];
const TOLD_FIRST: usize = 5;

pub struct Cuts<'a> {
    pub folder: &'a Path,
    pub program: &'a Path,
    pub seed: u64,
    /// So many flushes before each cut did not do what they said.
    pub lies: usize,
}

/// What all cuts have found.
#[derive(Debug, Default)]
struct Total {
    cuts: u64,
    failed: u64,
    not_mounted: u64,
    not_started: u64,
    lost: u64,
    owed: u64,
    read: u64,
}

impl Cuts<'_> {
    /// Makes `count` cuts and says what was found; how many of them have lost something.
    pub fn make(&self, count: u64) -> io::Result<u64> {
        let log = WriteLog::read(File::open(log_path(self.folder))?)?;
        let ledger = Ledger::read(&self.folder.join("ledger"))?;
        let mut random = Random(self.seed);
        let moments = moments(&log, &ledger, count, &mut random);
        let base_path = self.folder.join("base");
        let base = File::options().create(true).truncate(true).read(true).write(true).open(&base_path)?;
        base.set_len(std::fs::metadata(self.folder.join("disk"))?.len())?;
        let (mut applied, mut total, begun) = (0, Total::default(), Instant::now());
        for (number, cut) in moments.into_iter().enumerate() {
            let durable = self.durable_before(&log, cut).max(applied);
            for entry in log.entries[applied..durable].iter().filter(|entry| entry.writes()) {
                log.apply(entry, 0..entry.bytes, &base)?;
            }
            applied = durable;
            let image = self.folder.join("image");
            copy_sparse(&base, &image)?;
            apply_survivors(&log, applied, cut, &mut random, &File::options().write(true).open(&image)?)?;
            // Whoever was told before the next entry was whole has seen no more than this.
            let seen = log.entries.get(cut).map_or(u64::MAX, |next| next.seen_at - 1);
            let shards = SHARDS[number % SHARDS.len()];
            let outcome = self.try_image(&image, shards, &ledger, seen);
            total.add(number, cut, &outcome);
            if total.cuts.is_multiple_of(50) {
                total.say(begun);
            }
        }
        total.say(begun);
        std::fs::remove_file(base_path)?;
        Ok(total.failed)
    }

    fn durable_before(&self, log: &WriteLog, cut: usize) -> usize {
        let mut durable = log.durable_before(cut);
        for _ in 0..self.lies {
            durable = log.durable_before(durable.saturating_sub(1));
        }
        durable
    }

    fn try_image(&self, image: &Path, shards: u16, ledger: &Ledger, log_bytes: u64) -> Outcome {
        let mounted = match Mounted::mount(image, &self.folder.join("replayed")) {
            Ok(mounted) => mounted,
            Err(error) => return Outcome::NotMounted(error),
        };
        let data = self.folder.join("replayed/data");
        let found = Broker::start(self.program, &data, shards, &self.folder.join("errors"))
            .and_then(|broker| verify(&mut Wire::connect(broker.address)?, ledger, log_bytes));
        drop(mounted);
        found.map_or_else(Outcome::NotStarted, Outcome::Read)
    }
}

enum Outcome {
    NotMounted(io::Error),
    NotStarted(io::Error),
    Read(Found),
}

impl Total {
    fn add(&mut self, number: usize, cut: usize, outcome: &Outcome) {
        self.cuts += 1;
        let words = match outcome {
            Outcome::NotMounted(error) => {
                self.not_mounted += 1;
                vec![error.to_string()]
            }
            Outcome::NotStarted(error) => {
                self.not_started += 1;
                vec![error.to_string()]
            }
            Outcome::Read(found) => {
                self.owed += found.owed;
                self.read += found.read;
                self.lost += found.lost;
                if found.is_clean() {
                    return;
                }
                found.wrong.clone()
            }
        };
        self.failed += 1;
        println!("cut {number}, at entry {cut}:");
        for wrong in words.iter().take(TOLD_FIRST) {
            println!("    {wrong}");
        }
        if words.len() > TOLD_FIRST {
            println!("    and {} more", words.len() - TOLD_FIRST);
        }
    }

    fn say(&self, begun: Instant) {
        println!(
            "{} cuts in {:.0} s: {} failed ({} not mounted, {} not started); acknowledged {} records, lost {}, read {}",
            self.cuts,
            begun.elapsed().as_secs_f64(),
            self.failed,
            self.not_mounted,
            self.not_started,
            self.owed,
            self.lost,
            self.read
        );
    }
}

/// After so many entries of the log each; ascending.
fn moments(log: &WriteLog, ledger: &Ledger, count: u64, random: &mut Random) -> Vec<usize> {
    let first = log.entries_seen(ledger.made);
    let last = log.entries_seen(ledger.acknowledged.last().map_or(0, |ack| ack.log_bytes));
    let mut moments: Vec<usize> = (0..count)
        .map(|number| match (number % 2, ledger.acknowledged.len() as u64) {
            (0, acks) if acks > 0 => {
                let ack = ledger.acknowledged[random.below(acks) as usize];
                log.entries_seen(ack.log_bytes)
            }
            _ => first + random.below((last - first) as u64 + 1) as usize,
        })
        .collect();
    moments.sort_unstable();
    moments
}
