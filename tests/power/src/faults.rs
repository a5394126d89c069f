//! A disk that is full, and a disk that fails: what clients of the real process see, and what is there again afterwards.
//!
//! Shape:  ext4 -> loop device -> sparse file -> tmpfs of a fixed size
//! Full: a file takes what is left of ext4, and is removed later. Failing: the tmpfs is half as large as the disk it holds, so that at some
//! point the device refuses writes of blocks that ext4 has given away; later the tmpfs is made larger, and the disk is whole again.
//! Whoever writes directly sees the device's error (ENOSPC: the tmpfs has no page); ext4's own writes fail with EIO, and it gives up
//! its journal.
//!
//! Decides nothing about what a broker should do: it prints what it did. Only a lost record is a failure.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::thread;
use std::time::{Duration, Instant};

use protocol::messages::delete_topics::{DeleteTopicState, DeleteTopicsRequest, DeleteTopicsResponse};
use protocol::messages::produce::ProduceResponse;
use protocol::{ApiKey, Array, ErrorCode};

use crate::broker::Broker;
use crate::device::{Mounted, run};
use crate::ledger::{Acknowledged, Ledger, Random, TopicCreated};
use crate::load::{PRODUCE_VERSION, TOPIC_CONFIGS, batch, send};
use crate::verify::verify;
use crate::wire::Wire;

const PARTITIONS: i32 = 4;
const BATCH_RECORDS: i64 = 50;
/// Batches before the fault, and at most until it shows.
const BATCHES_BEFORE: u64 = 500;
const BATCHES_MAX: u64 = 40_000;
/// Errors in a row after which the fault is there to stay.
const ERRORS_MAX: u64 = 20;
const RECOVERS_WITHIN: Duration = Duration::from_secs(30);
const SHARDS: u16 = 2;
const KEPT: usize = 0;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    Full,
    Failing,
}

/// The small disk, and how it is broken and mended.
struct Disk {
    fault: Fault,
    folder: PathBuf,
    mounted: Option<Mounted>,
}

/// What was produced, and what was answered.
struct Client {
    ledger: Ledger,
    ends: [i64; PARTITIONS as usize],
    random: Random,
    identity: (i64, i16),
}

/// Makes one scenario and tells of it; false: an acknowledged record is lost.
pub fn scenario(fault: Fault, folder: &Path, program: &Path, disk_mib: u64) -> io::Result<bool> {
    let mut disk = Disk::make(fault, folder, disk_mib)?;
    let errors = folder.join("errors");
    let mut broker = Broker::start(program, &disk.data(), SHARDS, &errors)?;
    for topic in ["kept", "deleted"] {
        Wire::connect(broker.address)?.create_topic(topic, PARTITIONS, &TOPIC_CONFIGS);
    }
    let kept = TopicCreated { name: "kept".to_owned(), partitions: PARTITIONS, log_bytes: 0 };
    let ledger = Ledger { topics: vec![kept], ..Ledger::default() };
    let identity = Wire::connect(broker.address)?.init_producer_id();
    let mut client = Client { ledger, ends: [0; PARTITIONS as usize], random: Random(1), identity };
    println!("before           {}", client.produce(&broker, BATCHES_BEFORE));
    disk.break_it()?;
    println!("the disk is {}", if fault == Fault::Full { "full" } else { "about to fail" });
    println!("produce          {}", client.produce(&broker, BATCHES_MAX));
    println!("produce          {}", client.produce(&broker, ERRORS_MAX));
    println!("fetch            {}", client.read_back(&broker).0);
    println!("delete a topic   {}", asked(|| delete_topic(&broker, "deleted")));
    println!("the process      {}", if broker.is_running() { "runs" } else { "has ended" });
    disk.mend()?;
    println!("the disk is mended");
    println!("produce          {}", client.recovery(&broker));
    drop(broker);
    disk.mount_again()?;
    broker = Broker::start(program, &disk.data(), SHARDS, &errors)?;
    let (words, was_whole) = client.read_back(&broker);
    println!("started again    {words}");
    println!("produce          {}", client.produce(&broker, BATCHES_BEFORE));
    let (words, is_whole) = client.read_back(&broker);
    println!("fetch            {words}");
    drop(broker);
    Ok(was_whole && is_whole)
}

impl Disk {
    fn make(fault: Fault, folder: &Path, disk_mib: u64) -> io::Result<Disk> {
        let memory = folder.join("memory");
        fs::create_dir_all(&memory)?;
        let size = match fault {
            Fault::Full => format!("size={}m", disk_mib * 2),
            Fault::Failing => format!("size={}m", disk_mib / 2),
        };
        run(Command::new("mount").args(["-t", "tmpfs", "-o", &size, "power"]).arg(&memory))?;
        let mut disk = Disk { fault, folder: folder.to_owned(), mounted: None };
        File::create(disk.image())?.set_len(disk_mib << 20)?;
        run(Command::new("mkfs.ext4").args(["-q", "-F"]).arg(disk.image()))?;
        disk.mount_again()?;
        Ok(disk)
    }

    fn image(&self) -> PathBuf {
        self.folder.join("memory/image")
    }

    fn data(&self) -> PathBuf {
        self.folder.join("mounted/data")
    }

    fn filler(&self) -> PathBuf {
        self.folder.join("mounted/filler")
    }

    /// A failing disk breaks by being written to.
    fn break_it(&self) -> io::Result<()> {
        if self.fault == Fault::Failing {
            return Ok(());
        }
        let mut file = File::create(self.filler())?;
        let block = vec![1; 64 << 10];
        while file.write_all(&block).is_ok() {}
        // What fits counts.
        let _ = file.sync_all();
        Ok(())
    }

    fn mend(&self) -> io::Result<()> {
        match self.fault {
            Fault::Full => fs::remove_file(self.filler()),
            Fault::Failing => {
                let grown = Command::new("mount")
                    .args(["-o", "remount,size=8g"])
                    .arg(self.folder.join("memory"))
                    .status()?;
                grown.success().then_some(()).ok_or_else(|| io::Error::other("the tmpfs does not grow"))
            }
        }
    }

    fn mount_again(&mut self) -> io::Result<()> {
        self.mounted = None;
        self.mounted = Some(Mounted::mount(&self.image(), &self.folder.join("mounted"))?);
        Ok(())
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        self.mounted = None;
        if let Err(error) = run(Command::new("umount").arg(self.folder.join("memory"))) {
            eprintln!("power: {error}");
        }
    }
}

impl Client {
    /// Produces until there are `batches`, or only errors; in words, what was answered.
    fn produce(&mut self, broker: &Broker, batches: u64) -> String {
        let mut answers: BTreeMap<String, u64> = BTreeMap::new();
        let mut errors = 0;
        for _ in 0..batches {
            let answer = self.produce_one(broker);
            errors = if answer == "NONE" { 0 } else { errors + 1 };
            let is_silent = answer.starts_with("no answer");
            *answers.entry(answer).or_default() += 1;
            if errors >= ERRORS_MAX || is_silent {
                break;
            }
        }
        let words: Vec<String> = answers.iter().map(|(name, count)| format!("{count} x {name}")).collect();
        words.join(", ")
    }

    fn produce_one(&mut self, broker: &Broker) -> String {
        let partition = self.random.below(PARTITIONS as u64) as i32;
        let number = self.ends[partition as usize];
        let bytes = batch(KEPT, partition, number, BATCH_RECORDS, Some(self.identity));
        let answer = asked(|| {
            let mut wire = Wire::connect(broker.address)?;
            send(&mut wire, "kept", &[(partition, number, bytes.clone())])?;
            let answer = wire.receive(ApiKey::Produce, PRODUCE_VERSION)?;
            let response: ProduceResponse<'_> = answer.decode();
            let topic = response.responses.iter().next();
            let told = topic.and_then(|topic| topic.partition_responses.iter().next());
            let told = told.ok_or_else(|| io::Error::other("an answer without its partition"))?;
            match name_of(told.error_code) {
                // Of an idempotent producer: one that had stayed in spite of an error is answered where it is.
                name if name == "NONE" && told.base_offset != number => {
                    Ok(format!("at offset {} and not {number}", told.base_offset))
                }
                name => Ok(name),
            }
        });
        if answer == "NONE" {
            let end = number + BATCH_RECORDS;
            self.ends[partition as usize] = end;
            self.ledger.acknowledged.push(Acknowledged { topic: KEPT, partition, end, log_bytes: 0 });
        }
        answer
    }

    /// In words, and whether all is there that was acknowledged.
    fn read_back(&self, broker: &Broker) -> (String, bool) {
        let mut is_whole = false;
        let words = asked(|| {
            let found = verify(&mut Wire::connect(broker.address)?, &self.ledger, 0)?;
            is_whole = found.is_clean();
            let words = found.wrong.first().cloned().unwrap_or_default();
            Ok(format!("{} of {} acknowledged records read; {words}", found.owed - found.lost, found.owed))
        });
        (words, is_whole)
    }

    /// How long it takes until a batch is taken again.
    fn recovery(&mut self, broker: &Broker) -> String {
        let begun = Instant::now();
        loop {
            let answer = self.produce_one(broker);
            if answer == "NONE" {
                return format!("taken again after {} ms", begun.elapsed().as_millis());
            }
            if begun.elapsed() > RECOVERS_WITHIN {
                return format!("{answer}, still after {} s", begun.elapsed().as_secs());
            }
            thread::sleep(Duration::from_millis(50));
        }
    }
}

fn delete_topic(broker: &Broker, name: &str) -> io::Result<String> {
    let topic = DeleteTopicState { name: Some(name), ..DeleteTopicState::default() };
    let request = DeleteTopicsRequest {
        topics: Array::from(vec![topic]),
        timeout_ms: 10_000,
        ..DeleteTopicsRequest::default()
    };
    let answer = Wire::connect(broker.address)?.ask(ApiKey::DeleteTopics, 6, &request)?;
    let response: DeleteTopicsResponse<'_> = answer.decode();
    Ok(response.responses.iter().map(|topic| name_of(topic.error_code)).collect())
}

fn name_of(code: i16) -> String {
    ErrorCode::try_from(code).map_or_else(|_| format!("error {code}"), |code| code.name().to_owned())
}

/// What was answered, or why nothing was. A broker that says nothing makes `Wire` panic.
fn asked(ask: impl FnOnce() -> io::Result<String> + Send) -> String {
    thread::scope(|scope| match scope.spawn(ask).join() {
        Ok(Ok(answer)) => answer,
        Ok(Err(error)) => format!("no connection: {}", error.kind()),
        Err(_) => "no answer in 60 s".to_owned(),
    })
}
