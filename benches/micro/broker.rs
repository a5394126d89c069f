//! Whole shards without any I/O: every effect is answered at once, in memory, so that what is measured is `Shard::step`.

use std::collections::VecDeque;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;

use bytes::BytesMut;
use penstock::config::{Config, Origin, RawConfig};
use penstock::effect::{Effect, Effects};
use penstock::input::Input;
use penstock::metadata::{Controller, Incarnation};
use penstock::model::metadata_image::Endpoint;
use penstock::model::{BrokerId, ConnectionId, DirectoryId, Instant, LogDir, Now, ShardId};
use penstock::mutations::Mutations;
use penstock::shard::{Shard, ShardStart};
use penstock::storage::{DirStart, RecoveredShard, StorageConfig};
use protocol::{Piece, Uuid};

const DIRECTORY_ID: [u8; 16] = *b"no disk anywhere";
/// Time passes with every turn, as it does in life.
const TURN_NS: u64 = 10_000;

/// Invariants: between calls nothing is under way but answers that wait for a deadline.
pub struct Broker {
    shards: Vec<Shard>,
    effects: Vec<Effects>,
    inputs: Vec<VecDeque<Input>>,
    now: Now,
    /// The bytes of the answers since `take_answers`.
    answered: Vec<u8>,
    answered_bytes: u64,
    pub messages: u64,
}

impl Broker {
    pub fn new(shards: u16, tail_bytes_max: u64) -> Broker {
        let mut raw = RawConfig::default();
        for (key, value) in [("log.dirs", "/none"), ("node.id", "1"), ("shards", &shards.to_string())] {
            raw.set(key, value, Origin::CommandLine).expect("a valid setting");
        }
        let config = Arc::new(Config::validate(&raw).expect("valid settings"));
        let now = Now { instant: Instant(1), wall_ms: 1_700_000_000_000 };
        let (mut controller, _) =
            Controller::replay(&[], "bm8gY2x1c3RlciBhdCBhbGw", BrokerId(1), config.clone(), [1; 16])
                .expect("an empty log is a log");
        controller.start(
            now,
            &Incarnation {
                incarnation_id: Uuid([2; 16]),
                directories: vec![DirectoryId(DIRECTORY_ID)],
                endpoints: vec![Endpoint {
                    listener: "PLAINTEXT".into(),
                    host: "localhost".into(),
                    port: 9092,
                }],
            },
        );
        let image = controller.image();
        let mut controller = Some(controller);
        let mut broker = Broker {
            shards: Vec::new(),
            effects: Vec::new(),
            inputs: Vec::new(),
            now,
            answered: Vec::new(),
            answered_bytes: 0,
            messages: 0,
        };
        for index in 0..shards {
            let mut effects = Effects::default();
            let start = ShardStart {
                shard: ShardId(index),
                shards,
                config: config.clone(),
                image: image.clone(),
                dirs: vec![DirStart {
                    config: StorageConfig {
                        shard: ShardId(index),
                        dir: LogDir(0),
                        directory_id: DIRECTORY_ID,
                        journal_bytes_max: config.journal_bytes_max,
                        tail_bytes_max,
                        index_bytes_max: 1 << 20,
                        free_bytes_min: 0,
                        mutations: Mutations::default(),
                    },
                    recovered: Ok(RecoveredShard::empty(ShardId(index))),
                }],
                seed: [3; 16],
                controller: controller.take_if(|_| index == 0),
            };
            broker.shards.push(Shard::new(start, now, &mut effects));
            broker.effects.push(effects);
            broker.inputs.push(VecDeque::new());
        }
        broker.settle();
        broker
    }

    pub fn connect(&mut self, shard: usize, connection: u64) -> ConnectionId {
        let connection = ConnectionId(connection);
        let peer = SocketAddr::from((Ipv4Addr::LOCALHOST, 1));
        self.inputs[shard].push_back(Input::Accepted { connection, listener: 0, peer });
        self.settle();
        connection
    }

    /// The frames arrive in one turn of this shard; returns when nothing is left to do. Returns the bytes of the answers.
    pub fn turn(
        &mut self,
        shard: usize,
        connection: ConnectionId,
        frames: impl Iterator<Item = BytesMut>,
    ) -> u64 {
        let received = frames.map(|frame| Input::Received { connection, frame });
        self.inputs[shard].extend(received);
        self.answered_bytes = 0;
        self.settle();
        self.answered_bytes
    }

    /// One request and the bytes of its answer, for set-up.
    pub fn ask(&mut self, shard: usize, connection: ConnectionId, frame: BytesMut) -> Vec<u8> {
        self.answered.clear();
        self.turn(shard, connection, std::iter::once(frame));
        std::mem::take(&mut self.answered)
    }

    fn settle(&mut self) {
        loop {
            let mut idle = true;
            for index in 0..self.shards.len() {
                while let Some(effect) = self.effects[index].pop() {
                    self.perform(index, effect);
                }
                if self.inputs[index].is_empty() {
                    continue;
                }
                idle = false;
                self.now.instant.0 += TURN_NS;
                let (shard, effects) = (&mut self.shards[index], &mut self.effects[index]);
                for input in self.inputs[index].drain(..) {
                    shard.step(self.now, input, effects);
                }
                shard.end_turn(self.now, effects);
            }
            if idle && self.effects.iter().all(Effects::is_empty) {
                return;
            }
        }
    }

    fn perform(&mut self, index: usize, effect: Effect) {
        let inputs = &mut self.inputs[index];
        match effect {
            Effect::Send { connection, pieces } => {
                let mut bytes = 0;
                for piece in &pieces {
                    bytes += piece.len();
                    if let Piece::Bytes(piece) = piece {
                        // Set-up looks at answers; a measured answer is only counted when it is long.
                        if self.answered.len() < 4096 {
                            self.answered.extend_from_slice(&piece[..piece.len().min(4096)]);
                        }
                    }
                }
                self.answered_bytes += bytes;
                inputs.push_back(Input::Sent { connection, bytes });
            }
            Effect::CommitJournal(commit) => {
                inputs.push_back(Input::JournalCommitted { dir: commit.dir, commit: commit.commit });
            }
            Effect::PrepareJournalFile { dir, file, .. } => {
                inputs.push_back(Input::JournalFileReady { dir, file });
            }
            Effect::WriteSegment { file, position, pieces } => {
                let length = pieces.iter().map(|piece| piece.len() as u64).sum();
                inputs.push_back(Input::SegmentWritten { file, position, length });
            }
            Effect::SyncSegments { sync, .. } => inputs.push_back(Input::SegmentsSynced { sync }),
            Effect::SealSegment { file, .. } => inputs.push_back(Input::SegmentSealed { file }),
            Effect::AppendMetadata { append, .. } => {
                inputs.push_back(Input::MetadataAppended { append, result: Ok(()) });
            }
            Effect::TellShard { to, message } => {
                self.messages += 1;
                let from = ShardId(u16::try_from(index).expect("few shards"));
                self.inputs[usize::from(to.0)].push_back(Input::Shard { from, message });
            }
            Effect::OpenSegment { .. }
            | Effect::CloseSegment { .. }
            | Effect::Pause { .. }
            | Effect::Resume { .. } => {}
            other => panic!("not part of a bench: {other:?}"),
        }
    }
}
