//! Who does what: which connection goes to which broker, and which partitions it has.

use std::net::{SocketAddr, TcpStream};
use std::os::fd::OwnedFd;
use std::sync::Arc;
use std::sync::atomic::AtomicI64;

use super::book::Book;
use super::cluster::Cluster;
use super::control::{CLIENT_ID, CONNECT_WITHIN, Control};
use crate::consumer::{Assignment, FetchSettings};
use crate::error::LoadError;
use crate::keys::{KeySpace, KeyTurns};
use crate::producer::{Pacing, Plan, Target};
use crate::template::Wording;
use crate::window::ScheduleEnd;
use crate::workload::{Acks, Codec, Workload};

const REQUEST_TIMEOUT_MS: i32 = 30_000;

/// Everything a thread needs to make one line, ready to be sent to it.
pub struct LineSetup {
    pub role: Role,
    pub address: SocketAddr,
    pub socket: OwnedFd,
    /// Where it tells what it sent or read.
    pub book: Option<Book>,
}

pub enum Role {
    Producer(Box<Plan>),
    Consumer {
        assignments: Vec<Assignment>,
        /// The topic-partition of each assignment.
        partitions: Vec<usize>,
        settings: FetchSettings,
        group: usize,
    },
    Idle,
}

#[must_use]
pub fn wording(workload: &Workload, cluster: &Cluster) -> Wording {
    Wording {
        produce_version: cluster.produce_version,
        client_id: CLIENT_ID.to_owned(),
        acks: workload.acks.on_the_wire(),
        timeout_ms: REQUEST_TIMEOUT_MS,
        topics: cluster.topics.clone(),
        record_bytes: workload.record_bytes as usize,
        codec: workload.codec,
        seed: workload.seed,
        keys: KeySpace::new(workload.keys, workload.partitions, workload.records_per_batch as usize),
    }
}

/// Connection i goes to broker i modulo their number, and produces to the partitions that are led there.
pub fn producers(
    workload: &Workload,
    cluster: &Cluster,
    wording: &Wording,
    run: u32,
    unix_ms_at_zero: i64,
    book: Option<&Book>,
) -> Result<Vec<LineSetup>, LoadError> {
    let topics = Arc::new(cluster.topics.clone());
    let timestamps = (workload.codec != Codec::None).then(|| {
        let none = (0..cluster.leaders.len()).map(|_| AtomicI64::new(0));
        Arc::new(none.collect::<Vec<_>>())
    });
    let mut controls: Vec<Option<Control>> = cluster.brokers.iter().map(|_| None).collect();
    let mut lines = Vec::new();
    for connection in 0..workload.producers {
        let broker = connection as usize % cluster.brokers.len();
        let idempotent = if workload.idempotent {
            let control = match &mut controls[broker] {
                Some(control) => control,
                none => none.insert(Control::connect(&cluster.brokers[broker].name)?),
            };
            Some(cluster.producer_id(control)?)
        } else {
            None
        };
        let keys = wording
            .keys
            .as_ref()
            .map(|space| KeyTurns::new(Arc::clone(space), workload.seed, connection, workload.producers));
        let plan = Plan {
            connection,
            run,
            slot: 0,
            topics: Arc::clone(&topics),
            partitions: workload.partitions,
            targets: targets(workload, cluster, broker),
            keys,
            // Set when the start is known.
            pacing: Pacing::Closed { start: 0, end: ScheduleEnd::at(0) },
            in_flight: workload.in_flight.max(1),
            records_per_batch: workload.records_per_batch.max(1),
            batches_per_request: workload.batches_per_request.max(1),
            acks_none: workload.acks == Acks::None,
            idempotent,
            produce_version: cluster.produce_version,
            init_producer_id_version: cluster.init_producer_id_version,
            client_id: CLIENT_ID.to_owned(),
            unix_ms_at_zero,
            timestamps: timestamps.clone(),
        };
        lines.push(line(cluster, broker, Role::Producer(Box::new(plan)), book)?);
    }
    Ok(lines)
}

fn targets(workload: &Workload, cluster: &Cluster, broker: usize) -> Vec<Target> {
    let led = (0..cluster.leaders.len()).filter(|partition| cluster.leaders[*partition] == broker);
    led.map(|partition| target(workload, partition)).collect()
}

fn target(workload: &Workload, partition: usize) -> Target {
    let partition = partition as u32;
    Target { topic: partition / workload.partitions, partition: partition % workload.partitions }
}

/// Who reads which offsets in each consumer group. `books`: of the group that verifies, the first.
pub fn consumers(
    workload: &Workload,
    cluster: &Cluster,
    starts: &[i64],
    book: Option<&Book>,
) -> Result<Vec<LineSetup>, LoadError> {
    let mut lines = Vec::new();
    for group in 0..workload.groups as usize {
        let book = book.filter(|_| group == 0).cloned();
        lines.extend(readers(workload, cluster, workload.consumers, group, starts, None, book.as_ref())?);
    }
    Ok(lines)
}

/// `count` connections (one for each broker at least) that share all partitions, each at one leader. Those between which
/// nothing is left to read get no connection.
pub fn readers(
    workload: &Workload,
    cluster: &Cluster,
    count: u32,
    group: usize,
    starts: &[i64],
    ends: Option<&[i64]>,
    book: Option<&Book>,
) -> Result<Vec<LineSetup>, LoadError> {
    if count == 0 {
        return Ok(Vec::new());
    }
    let names: Vec<Arc<str>> = cluster.topics.iter().map(|name| Arc::from(&**name)).collect();
    let brokers = cluster.brokers.len();
    let mut shares: Vec<Vec<usize>> = vec![Vec::new(); (count as usize).max(brokers)];
    let mut turns = vec![0; brokers];
    for (partition, leader) in cluster.leaders.iter().enumerate() {
        if ends.is_some_and(|ends| starts[partition] >= ends[partition]) {
            continue;
        }
        let of_leader = (shares.len() - leader).div_ceil(brokers);
        shares[leader + brokers * (turns[*leader] % of_leader)].push(partition);
        turns[*leader] += 1;
    }
    let mut lines = Vec::new();
    for (index, partitions) in shares.into_iter().enumerate() {
        if partitions.is_empty() {
            continue;
        }
        let assignments = partitions.iter().map(|partition| {
            let target = target(workload, *partition);
            Assignment {
                topic: Arc::clone(&names[target.topic as usize]),
                partition: target.partition as i32,
                start_offset: starts[*partition],
                until: ends.map(|ends| ends[*partition]),
            }
        });
        let role = Role::Consumer {
            assignments: assignments.collect(),
            partitions: partitions.clone(),
            settings: FetchSettings::of(workload, cluster.fetch_version, CLIENT_ID),
            group,
        };
        lines.push(line(cluster, index % brokers, role, book)?);
    }
    Ok(lines)
}

pub fn idle(workload: &Workload, cluster: &Cluster) -> Result<Vec<LineSetup>, LoadError> {
    (0..workload.idle_connections as usize)
        .map(|index| line(cluster, index % cluster.brokers.len(), Role::Idle, None))
        .collect()
}

fn line(cluster: &Cluster, broker: usize, role: Role, book: Option<&Book>) -> Result<LineSetup, LoadError> {
    let broker = &cluster.brokers[broker];
    let made = TcpStream::connect_timeout(&broker.address, CONNECT_WITHIN).and_then(|stream| {
        stream.set_nodelay(true)?;
        stream.set_nonblocking(true)?;
        Ok(stream)
    });
    let stream = made.map_err(|error| {
        let fix = match error.raw_os_error() {
            Some(libc::EMFILE | libc::ENFILE) => "raise the limit of open files (ulimit -n)",
            _ => "is the broker's advertised.listeners reachable from here?",
        };
        LoadError::failed(format!("cannot connect to {}: {error}", broker.name), fix)
    })?;
    Ok(LineSetup { role, address: broker.address, socket: OwnedFd::from(stream), book: book.cloned() })
}

#[cfg(test)]
mod tests {
    use std::net::TcpListener;

    use super::*;
    use crate::engine::cluster::Broker;

    fn cluster(leaders: Vec<usize>, brokers: usize) -> (Cluster, TcpListener) {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let broker = Broker { name: address.to_string(), address };
        let cluster = Cluster {
            brokers: vec![broker; brokers],
            topics: vec!["topic".into()],
            leaders,
            produce_version: 9,
            fetch_version: 12,
            init_producer_id_version: 0,
        };
        (cluster, listener)
    }

    fn workload(partitions: u32) -> Workload {
        Workload { partitions, topics: 1, ..crate::engine::tests::workload() }
    }

    fn shares(lines: &[LineSetup]) -> Vec<Vec<usize>> {
        let of = |line: &LineSetup| match &line.role {
            Role::Consumer { partitions, .. } => partitions.clone(),
            _ => Vec::new(),
        };
        lines.iter().map(of).collect()
    }

    #[test]
    fn partitions_are_shared_out_by_leader() {
        let (one, _listener) = cluster(vec![0; 5], 1);
        let starts = [0; 5];
        let lines = readers(&workload(5), &one, 2, 0, &starts, None, None).unwrap();
        assert_eq!(shares(&lines), [vec![0, 2, 4], vec![1, 3]]);
        let (two, _listener) = cluster(vec![0, 1, 0, 1, 0], 2);
        let lines = readers(&workload(5), &two, 1, 0, &starts, None, None).unwrap();
        assert_eq!(shares(&lines), [vec![0, 2, 4], vec![1, 3]]);
        let lines = readers(&workload(5), &two, 3, 0, &starts, None, None).unwrap();
        assert_eq!(shares(&lines), [vec![0, 4], vec![1, 3], vec![2]]);
    }

    #[test]
    fn what_is_read_needs_no_connection() {
        let (one, _listener) = cluster(vec![0; 3], 1);
        let lines = readers(&workload(3), &one, 1, 0, &[5, 5, 5], Some(&[5, 9, 5]), None).unwrap();
        assert_eq!(shares(&lines), [vec![1]]);
        assert!(readers(&workload(3), &one, 1, 0, &[5; 3], Some(&[5; 3]), None).unwrap().is_empty());
    }
}
