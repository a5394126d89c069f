//! What is measured, each as a closure that does one unit of it.

use bytes::BytesMut;
use penstock::model::ConnectionId;

use crate::broker::Broker;
use crate::frames;

/// Small enough to stay in the cache's neighbourhood, large enough that fetches find a tail.
const TAIL_BYTES: u64 = 8 << 20;
const PARTITIONS: i32 = 8;
const FETCH_BYTES: i32 = 64 << 10;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Work {
    /// One Produce request in a turn of its own: it pays for the journal commit alone.
    Produce { batch_bytes: usize, record_bytes: usize },
    /// A turn with this many pipelined Produce requests: one journal commit for all.
    ProduceInOneTurn { requests: usize },
    /// A Produce request that comes to one shard and concerns another: one message there, one back.
    ProduceAcrossShards,
    /// A Fetch of 64 KiB from the hot tail.
    FetchTail,
}

pub const ALL: [(&str, Work); 6] = [
    ("produce-1k", Work::Produce { batch_bytes: 1024, record_bytes: 900 }),
    ("produce-16k", Work::Produce { batch_bytes: 16 << 10, record_bytes: 100 }),
    ("produce-1m", Work::Produce { batch_bytes: 1 << 20, record_bytes: 1000 }),
    ("produce-1k-x100-in-a-turn", Work::ProduceInOneTurn { requests: 100 }),
    ("produce-1k-across-shards", Work::ProduceAcrossShards),
    ("fetch-64k-tail", Work::FetchTail),
];

impl Work {
    pub fn named(name: &str) -> Option<Work> {
        ALL.iter().find(|(known, _)| *known == name).map(|(_, work)| *work)
    }

    /// Requests in one unit.
    pub fn requests(self) -> u64 {
        if let Work::ProduceInOneTurn { requests } = self { requests as u64 } else { 1 }
    }

    /// About how many times the smallest work one unit is.
    pub fn weight(self) -> u64 {
        match self {
            Work::Produce { batch_bytes, .. } => (batch_bytes >> 12) as u64 + 1,
            Work::ProduceInOneTurn { requests } => requests as u64,
            Work::ProduceAcrossShards | Work::FetchTail => 1,
        }
    }

    /// Sets up a broker; the closure does one unit.
    pub fn prepare(self) -> Box<dyn FnMut()> {
        let shards = if self == Work::ProduceAcrossShards { 2 } else { 1 };
        let mut broker = Broker::new(shards, TAIL_BYTES);
        let connection = broker.connect(0, 1);
        broker.ask(0, connection, frames::create_topic(PARTITIONS));
        match self {
            Work::Produce { batch_bytes, record_bytes } => {
                let frame = frames::produce(0, &frames::batch(batch_bytes, record_bytes));
                unit(broker, connection, frame, 1)
            }
            Work::ProduceInOneTurn { requests } => {
                unit(broker, connection, frames::produce(0, &frames::batch(1024, 900)), requests)
            }
            Work::ProduceAcrossShards => {
                let batch = frames::batch(1024, 900);
                let far = (0..PARTITIONS).find(|partition| {
                    let before = broker.messages;
                    broker.ask(0, connection, frames::produce(*partition, &batch));
                    broker.messages > before
                });
                let far = far.expect("of eight partitions on two shards one is on the other");
                unit(broker, connection, frames::produce(far, &batch), 1)
            }
            Work::FetchTail => {
                let produce = frames::produce(0, &frames::batch(16 << 10, 100));
                for _ in 0..8 {
                    broker.ask(0, connection, produce.clone());
                }
                unit(broker, connection, frames::fetch(0, 0, FETCH_BYTES), 1)
            }
        }
    }
}

fn unit(mut broker: Broker, connection: ConnectionId, frame: BytesMut, requests: usize) -> Box<dyn FnMut()> {
    Box::new(move || {
        let frames = std::iter::repeat_n(&frame, requests).map(|frame| BytesMut::from(&frame[..]));
        let answered = broker.turn(0, connection, frames);
        assert!(answered > 0, "every request is answered");
    })
}
