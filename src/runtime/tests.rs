//! The runtime alone, with a core that journals each frame, writes it to a segment, and answers it from there or from memory.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use bytes::{BufMut, Bytes, BytesMut};
use crossbeam_channel::unbounded;
use protocol::{FileRange, Piece};

use crate::effect::{CommitId, Effect, Effects, FileId, FileOrigin, JournalCommit, SegmentName, SyncId};
use crate::input::Input;
use crate::limits::BLOCK_BYTES;
use crate::metrics::ShardMetrics;
use crate::model::{
    ConnectionId, Instant, LogDir, Now, Offset, PartitionIndex, ShardId, TopicId, TopicPartition,
};
use crate::shard_message::{RequestId, ShardMessage};

use super::clock::Clock;
use super::driver::Core;
use super::executors::{Common, Executors, ShardSeed};
use super::files::{partition_dir, segment_path};
use super::listener::{Gate, bind, local_address};
use super::mesh::Mail;
use super::reserve::Reserve;
use super::sockets::SocketConfig;

const JOURNAL_BYTES: u64 = 1024 * 1024;

/// The first byte of a frame says what the core shall do with it.
const ECHO: u8 = b'e';
const JOURNAL: u8 = b'j';
const SEGMENT: u8 = b's';
const MESH: u8 = b'm';
const CLOSE: u8 = b'c';

struct EchoCore {
    shard: ShardId,
    shards: u16,
    metrics: ShardMetrics,
    journal_ready: bool,
    /// Frames that came before the journal was there.
    early: Vec<(ConnectionId, Bytes)>,
    commits: Vec<(ConnectionId, Bytes)>,
    /// The connections that asked for what is being written to segments, by file.
    segments: Vec<(ConnectionId, u64)>,
    mesh: Vec<(ConnectionId, Bytes)>,
}

impl EchoCore {
    fn new(shard: u16, shards: u16) -> (EchoCore, Effects) {
        let mut effects = Effects::default();
        effects.push(Effect::PrepareJournalFile { dir: LogDir(0), file: 0, bytes: JOURNAL_BYTES });
        let core = EchoCore {
            shard: ShardId(shard),
            shards,
            metrics: ShardMetrics::default(),
            journal_ready: false,
            early: Vec::new(),
            commits: Vec::new(),
            segments: Vec::new(),
            mesh: Vec::new(),
        };
        (core, effects)
    }

    fn on_frame(&mut self, connection: ConnectionId, frame: Bytes, effects: &mut Effects) {
        match frame[0] {
            ECHO => answer(connection, frame, effects),
            JOURNAL if self.journal_ready => {
                let length = (frame.len() as u64).next_multiple_of(BLOCK_BYTES);
                self.commits.push((connection, frame.clone()));
                effects.push(Effect::CommitJournal(JournalCommit {
                    dir: LogDir(0),
                    commit: CommitId(self.commits.len() as u64),
                    file: 0,
                    position: 0,
                    length,
                    pieces: vec![frame],
                }));
            }
            JOURNAL => self.early.push((connection, frame)),
            SEGMENT => {
                let file = FileId(u64::from(self.shard.0) << 48 | self.segments.len() as u64);
                let segment = SegmentName {
                    topic_partition: partition(self.shard),
                    base_offset: Offset(file.0 as i64 & 0xFFFF),
                };
                self.segments.push((connection, frame.len() as u64));
                let whole = frame.len() as u64 / BLOCK_BYTES * BLOCK_BYTES;
                effects.push(Effect::OpenSegment { file, segment, origin: FileOrigin::New });
                let at = usize::try_from(whole).expect("small");
                if whole > 0 {
                    effects.push(Effect::WriteSegment { file, position: 0, pieces: vec![frame.slice(..at)] });
                    effects.push(Effect::SyncSegments { sync: SyncId(7), files: vec![file] });
                }
                effects.push(Effect::SealSegment {
                    file,
                    position: whole,
                    tail: frame.slice(at..),
                    length: frame.len() as u64,
                    summary: Bytes::from_static(b"a summary"),
                });
            }
            MESH => {
                let to = ShardId((self.shard.0 + 1) % self.shards);
                self.mesh.push((connection, frame));
                let request = RequestId(self.mesh.len() as u64 - 1);
                effects.push(Effect::TellShard { to, message: ShardMessage::Unwatch { request } });
            }
            CLOSE => {
                answer(connection, frame, effects);
                effects.push(Effect::Close { connection });
            }
            other => panic!("unknown test frame {other}"),
        }
    }
}

fn partition(shard: ShardId) -> TopicPartition {
    TopicPartition { topic_id: TopicId([7; 16]), partition: PartitionIndex(i32::from(shard.0)) }
}

fn answer(connection: ConnectionId, body: Bytes, effects: &mut Effects) {
    let prefix = Bytes::copy_from_slice(&i32::try_from(body.len()).expect("small").to_be_bytes());
    effects.push(Effect::Send { connection, pieces: vec![Piece::Bytes(prefix), Piece::Bytes(body)] });
}

impl Core for EchoCore {
    fn step(&mut self, _: Now, input: Input, effects: &mut Effects) {
        match input {
            Input::Received { connection, frame } => self.on_frame(connection, frame.freeze(), effects),
            Input::JournalFileReady { .. } => {
                self.journal_ready = true;
                for (connection, frame) in std::mem::take(&mut self.early) {
                    self.on_frame(connection, frame, effects);
                }
            }
            Input::JournalCommitted { commit, .. } => {
                let index = usize::try_from(commit.0 - 1).expect("small");
                let (connection, frame) = self.commits[index].clone();
                answer(connection, frame, effects);
            }
            Input::SegmentSealed { file } => {
                let (connection, length) = self.segments[usize::try_from(file.0 & 0xFFFF).expect("small")];
                let prefix = Bytes::copy_from_slice(&i32::try_from(length).expect("small").to_be_bytes());
                let range = FileRange { file: file.0, position: 0, length };
                let pieces = vec![Piece::Bytes(prefix), Piece::File(range)];
                effects.push(Effect::Send { connection, pieces });
                effects.push(Effect::CloseSegment { file });
            }
            Input::Shard { from, message: ShardMessage::Unwatch { request } } => {
                effects.push(Effect::TellShard {
                    to: from,
                    message: ShardMessage::ImageApplied { version: request.0 },
                });
            }
            Input::Shard { message: ShardMessage::ImageApplied { version }, .. } => {
                let (connection, frame) = self.mesh[usize::try_from(version).expect("small")].clone();
                answer(connection, frame, effects);
            }
            Input::JournalFailed { error, .. } | Input::SegmentFailed { error, .. } => panic!("{error:?}"),
            Input::Stop => {
                if self.shard.0 == 0 {
                    effects.push(Effect::DeletePartition {
                        dir: LogDir(0),
                        topic_partition: partition(self.shard),
                        files: Vec::new(),
                    });
                } else {
                    effects.push(Effect::Stopped);
                }
            }
            Input::PartitionDeleted { .. } => effects.push(Effect::Stopped),
            _ => {}
        }
    }

    fn end_turn(&mut self, _: Now, _: &mut Effects) {}

    fn next_deadline(&self) -> Option<Instant> {
        None
    }

    fn metrics(&self) -> &ShardMetrics {
        &self.metrics
    }
}

/// A directory of this test's own, removed at its end.
struct Scratch(PathBuf);

impl Scratch {
    fn new() -> Scratch {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let number = COUNT.fetch_add(1, Ordering::Relaxed);
        // Not the system's temporary directory: that may be in memory, without direct I/O.
        let root = std::env::var_os("CARGO_TARGET_TMPDIR")
            .map_or_else(|| PathBuf::from("target/tmp"), PathBuf::from);
        let path = root.join(format!("runtime-{}-{number}", std::process::id()));
        std::fs::create_dir_all(&path).expect("the target directory is writable");
        Scratch(path)
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

struct Running {
    executors: Executors,
    address: SocketAddr,
    directory: Scratch,
}

fn start(shards: u16, idle_ms_max: u64, connections_max: usize) -> Running {
    let directory = Scratch::new();
    let sockets = bind("127.0.0.1:0".parse().expect("an address"), shards).expect("a free port");
    let address = local_address(&sockets[0]).expect("bound");
    let common = Common {
        clock: Clock::since(std::time::Instant::now()),
        data_dirs: [directory.0.clone()].into(),
        reserves: [Reserve::new(&directory.0)].into(),
        shards,
        cpus: None,
        sockets: SocketConfig {
            frame_bytes_max: 64 << 20,
            idle_ms_max,
            gate: Arc::new(Gate::new(connections_max, usize::MAX)),
        },
    };
    let (ready, started) = unbounded();
    let seeds = sockets.into_iter().enumerate().map(|(shard, socket)| {
        let shard = u16::try_from(shard).expect("few");
        ShardSeed {
            listeners: vec![socket],
            metadata: None,
            left_over: Vec::new(),
            make: move |_: &Clock| EchoCore::new(shard, shards),
        }
    });
    let executors = Executors::start(&common, seeds.collect(), &ready).expect("executors start");
    for _ in 0..shards {
        started.recv().expect("each shard reports").expect("each shard starts");
    }
    Running { executors, address, directory }
}

impl Running {
    fn connect(&self) -> TcpStream {
        TcpStream::connect(self.address).expect("listening")
    }

    fn stop(self) -> Scratch {
        for postbox in &self.executors.postboxes {
            postbox.send(Mail::Stop);
        }
        self.executors.join().expect("clean stop");
        self.directory
    }
}

fn frame(kind: u8, length: usize) -> Vec<u8> {
    let mut body: Vec<u8> = (0..length).map(|n| (n * 31 % 251).to_le_bytes()[0]).collect();
    body[0] = kind;
    body
}

fn framed(body: &[u8]) -> BytesMut {
    let mut out = BytesMut::new();
    out.put_i32(i32::try_from(body.len()).expect("small"));
    out.put_slice(body);
    out
}

fn read_frame(stream: &mut TcpStream) -> Vec<u8> {
    let mut prefix = [0; 4];
    stream.read_exact(&mut prefix).expect("an answer");
    let mut body = vec![0; usize::try_from(i32::from_be_bytes(prefix)).expect("positive")];
    stream.read_exact(&mut body).expect("a whole answer");
    body
}

fn ask(stream: &mut TcpStream, body: &[u8]) {
    stream.write_all(&framed(body)).expect("connected");
    assert!(read_frame(stream) == body, "the answer to a frame of {} bytes differs", body.len());
}

fn files_below(path: &Path) -> Vec<PathBuf> {
    std::fs::read_dir(path)
        .map(|found| found.flatten().map(|entry| entry.path()).collect())
        .unwrap_or_default()
}

#[test]
fn frames_of_every_kind_and_size_are_answered_on_any_number_of_shards() {
    for shards in [1, 2, 4] {
        let running = start(shards, 600_000, 1000);
        for kind in [ECHO, JOURNAL, SEGMENT, MESH] {
            let mut stream = running.connect();
            for length in [1, 100, 4096, 5000, 300_000] {
                ask(&mut stream, &frame(kind, length));
            }
        }
        let mut stream = running.connect();
        for kind in [ECHO, SEGMENT, MESH] {
            ask(&mut stream, &frame(kind, 9_000_001));
        }
        running.stop();
    }
}

#[test]
fn what_was_pipelined_before_a_close_is_answered_in_order_and_then_the_stream_ends() {
    let running = start(1, 600_000, 1000);
    let mut stream = running.connect();
    let mut all = BytesMut::new();
    for length in 1..500 {
        all.extend_from_slice(&framed(&frame(ECHO, length)));
    }
    all.extend_from_slice(&framed(&frame(CLOSE, 10)));
    stream.write_all(&all).expect("connected");
    let mut answers = Vec::new();
    stream.read_to_end(&mut answers).expect("the stream ends after the answers");
    assert!(answers == all, "every frame is echoed, in order");
    running.stop();
}

#[test]
fn a_peer_that_ends_its_side_still_gets_its_answers() {
    let running = start(1, 600_000, 1000);
    let mut stream = running.connect();
    let body = frame(ECHO, 5_000_000);
    stream.write_all(&framed(&body)).expect("connected");
    stream.shutdown(std::net::Shutdown::Write).expect("connected");
    assert!(read_frame(&mut stream) == body);
    assert_eq!(stream.read(&mut [0; 1]).expect("the end, not an error"), 0);
    running.stop();
}

#[test]
fn connections_over_the_limit_and_absurd_frames_are_closed() {
    let running = start(1, 600_000, 2);
    let mut first = running.connect();
    ask(&mut first, &frame(ECHO, 10));
    let mut second = running.connect();
    ask(&mut second, &frame(ECHO, 10));
    assert!(matches!(running.connect().read(&mut [0; 1]), Ok(0) | Err(_)), "the third is over the limit");
    second.write_all(&i32::MAX.to_be_bytes()).expect("connected");
    assert!(
        matches!(second.read(&mut [0; 1]), Ok(0) | Err(_)),
        "a length that is too large ends the connection"
    );
    ask(&mut first, &frame(ECHO, 10));
    running.stop();
}

#[test]
fn a_sealed_segment_has_exactly_its_bytes_and_a_deleted_partition_is_gone() {
    let running = start(2, 600_000, 1000);
    let body = frame(SEGMENT, 10_000);
    for _ in 0..20 {
        ask(&mut running.connect(), &body);
    }
    let data_dir = running.directory.0.clone();
    let written: Vec<PathBuf> = [0, 1]
        .iter()
        .flat_map(|shard| files_below(&partition_dir(&data_dir, partition(ShardId(*shard)))))
        .collect();
    let (segments, summaries): (Vec<PathBuf>, Vec<PathBuf>) =
        written.into_iter().partition(|path| path.extension().is_some_and(|kind| kind == "log"));
    assert_eq!((segments.len(), summaries.len()), (20, 20));
    assert!(summaries.iter().all(|path| path.extension().is_some_and(|kind| kind == "summary")));
    for path in segments {
        assert!(std::fs::read(path).expect("readable") == body);
    }
    let directory = running.stop();
    assert!(
        !partition_dir(&directory.0, partition(ShardId(0))).exists(),
        "shard 0 deletes its partition at the stop"
    );
    let first = SegmentName { topic_partition: partition(ShardId(1)), base_offset: Offset(0) };
    assert!(segment_path(&directory.0, first).exists() || files_below(&directory.0).len() < 3);
}

#[test]
fn a_snapshot_counts_what_has_passed() {
    let running = start(1, 600_000, 1000);
    ask(&mut running.connect(), &frame(JOURNAL, 1000));
    let (to, snapshots) = unbounded();
    running.executors.postboxes[0].send(Mail::Snapshot(to));
    let runtime = snapshots.recv().expect("a snapshot").runtime;
    assert_eq!((runtime.journal_commits, runtime.journal_bytes), (1, BLOCK_BYTES));
    assert_eq!((runtime.received_bytes, runtime.sent_bytes), (1004, 1004));
    assert_eq!(runtime.connections_accepted, 1);
    running.stop();
}
