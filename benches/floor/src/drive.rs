//! The same client against real brokers: any that speaks Kafka's protocol, two of them in turns.
//!
//! The topic `floor` must exist with as many partitions as are named. Requests carry valid record batches and ask for acks=all;
//! their answers must have no error. Figures are those of the broker's process, all its threads and kernel workers.

use std::io;
use std::time::Duration;

use protocol::record::BatchBuilder;

use crate::client::{Client, Figures, Workload};
use crate::figures::{Table, median, paired_ratio, short};
use crate::frames::produce_request_of;
use crate::host;

/// A broker to drive.
#[derive(Clone, Debug)]
pub struct Target {
    pub name: String,
    pub port: u16,
    pub pid: u32,
}

/// `NAME=PORT/PID`.
impl std::str::FromStr for Target {
    type Err = String;

    fn from_str(text: &str) -> Result<Target, String> {
        let parse = || {
            let (name, rest) = text.split_once('=')?;
            let (port, pid) = rest.split_once('/')?;
            Some(Target { name: name.to_string(), port: port.parse().ok()?, pid: pid.parse().ok()? })
        };
        parse().ok_or_else(|| format!("{text:?} is not NAME=PORT/PID"))
    }
}

#[derive(Clone, Copy, Debug)]
pub struct Load {
    pub workload: Workload,
    pub record_bytes: usize,
    pub partitions: usize,
}

/// A batch of about `batch_bytes` bytes, and the number of its records.
fn batch(batch_bytes: usize, record_bytes: usize) -> (Vec<u8>, usize) {
    let mut state = 0x9e37_79b9_7f4a_7c15u64;
    let mut value = |bytes: usize| -> Vec<u8> {
        let mut next = || {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            state as u8
        };
        (0..bytes).map(|_| next()).collect()
    };
    // A record costs about ten bytes beside its value.
    let count = (batch_bytes / (record_bytes + 10)).max(1);
    let now_ms =
        std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default().as_millis();
    let mut builder = BatchBuilder::new();
    for _ in 0..count {
        builder.append(now_ms as i64, None, Some(&value(record_bytes)), &[]);
    }
    (builder.build().to_vec(), count)
}

fn run(target: &Target, load: Load, duration: Duration) -> io::Result<(Figures, usize)> {
    host::pin(host::CLIENT_CORE)?;
    let (batch, records) = batch(load.workload.batch_bytes, load.record_bytes);
    let frames = (0..load.partitions).map(|partition| produce_request_of(partition as i32, &batch)).collect();
    let workload = Workload { batch_bytes: batch.len(), ..load.workload };
    let mut client = Client::connect_with(target.port, workload, frames)?;
    Ok((client.measure(target.pid, duration)?, records))
}

/// Drives the targets in turns, every other round backwards; the first is what the others are compared with.
pub fn report(targets: &[Target], load: Load, rounds: usize, duration: Duration) -> io::Result<()> {
    let mut found: Vec<Vec<Figures>> = vec![Vec::new(); targets.len()];
    let mut records = 1;
    for round in 0..rounds {
        let mut order: Vec<usize> = (0..targets.len()).collect();
        if round % 2 == 1 {
            order.reverse();
        }
        for index in order {
            let (figures, count) = run(&targets[index], load, duration)?;
            records = count;
            found[index].push(figures);
        }
    }
    println!("{load:?}, {records} records a batch, {rounds} rounds of {} s\n", duration.as_secs_f64());
    let columns = [
        "broker",
        "CPU-s/GB",
        "CPU-s/M records",
        "ratio of CPU",
        "k requests/s",
        "MB/s",
        "p50 us",
        "p99 us",
        "busy",
    ];
    let mut table = Table::new(&columns);
    let each =
        |figures: &[Figures], of: &dyn Fn(&Figures) -> f64| figures.iter().map(of).collect::<Vec<f64>>();
    for (target, figures) in targets.iter().zip(&found) {
        let cpu = each(figures, &Figures::cpu_seconds_per_gigabyte);
        let base = each(&found[0], &Figures::cpu_seconds_per_gigabyte);
        let of_request = each(figures, &Figures::cpu_seconds_per_million_requests);
        table.row([
            target.name.clone(),
            short(median(cpu.clone())),
            short(median(of_request) / records as f64),
            short(paired_ratio(&cpu, &base)),
            short(median(each(figures, &Figures::requests_per_second)) / 1e3),
            short(median(each(figures, &Figures::gigabytes_per_second)) * 1e3),
            short(median(each(figures, &|run| run.p50_microseconds as f64))),
            short(median(each(figures, &|run| run.p99_microseconds as f64))),
            short(median(each(figures, &Figures::server_cpu_share))),
        ]);
    }
    table.print();
    Ok(())
}
