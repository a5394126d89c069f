//! What a server does with a request before it answers: one step more per stage.
//!
//! Decides nothing about sockets or disks: frames go in, answers and journal groups come out. Every socket variant drives
//! the same worker, so that two variants differ in sockets only.

use std::collections::VecDeque;

use clap::ValueEnum;
use loadgen::null_broker::{Answer, Answers};

use crate::arena::{BLOCK_BYTES, Buffer, BufferSource, GROUP_BYTES};
use crate::frames::{ANSWER_CORRELATION_AT, LENGTH_BYTES, Request, batch_is_intact, produce_answer};
use crate::tail::Tail;

/// Each stage does what the ones above it do, and one thing more.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, ValueEnum)]
pub enum Stage {
    /// Receive and answer.
    Null,
    /// Check the CRC-32C of the batch.
    Crc,
    /// Copy the batch into an aligned buffer.
    Copy,
    /// Write the buffer to the journal with direct I/O, then answer.
    Write,
    /// Write, fdatasync, then answer: group commit.
    Sync,
}

/// The bytes of one direct write, and the requests that wait for it.
pub struct Group {
    pub buffer: Buffer,
    filled: usize,
    waiting: Vec<(u32, Reply)>,
}

/// What is sent when a request is done.
enum Reply {
    /// The one answer, which is the same for all requests of our own client, with this correlation id.
    Fixed([u8; 4]),
    Whole(Vec<u8>),
}

impl Group {
    /// What is written: whole blocks.
    pub fn write_bytes(&self) -> usize {
        self.filled.next_multiple_of(BLOCK_BYTES)
    }
}

pub struct Worker {
    pub stage: Stage,
    source: BufferSource,
    open: Option<Group>,
    sealed: VecDeque<Group>,
    groups_in_flight: usize,
    groups_in_flight_max: usize,
    answer: Vec<u8>,
    outboxes: Vec<Vec<u8>>,
    dirty: Vec<u32>,
    pub requests_refused: u64,
    /// Copies of the frames, when a tail of copies is asked for.
    pub copies: Option<Tail>,
    /// What any client of Kafka's protocol is told, when the load generator drives this server.
    pub answers: Option<Answers>,
}

impl Worker {
    pub fn new(stage: Stage, source: BufferSource, groups_in_flight_max: usize) -> Worker {
        Worker {
            stage,
            source,
            open: None,
            sealed: VecDeque::new(),
            groups_in_flight: 0,
            groups_in_flight_max,
            answer: produce_answer(),
            outboxes: Vec::new(),
            dirty: Vec::new(),
            requests_refused: 0,
            copies: None,
            answers: None,
        }
    }

    /// One whole frame arrived on `connection`.
    pub fn on_frame(&mut self, connection: u32, frame: &[u8]) {
        let Some(reply) = self.reply(connection, frame) else { return };
        let Some(request) = Request::parse(frame) else {
            self.requests_refused += 1;
            return;
        };
        if self.stage >= Stage::Crc && !batch_is_intact(request.batch) {
            self.requests_refused += 1;
            return;
        }
        if let Some(tail) = &mut self.copies {
            tail.keep_copy(frame);
        }
        if self.stage >= Stage::Copy {
            self.copy(request.batch);
        }
        let reply = reply.unwrap_or(Reply::Fixed(request.correlation_id));
        if self.stage <= Stage::Copy {
            self.answer(connection, reply);
        } else {
            let group = self.open.as_mut().expect("the copy above left a group open");
            group.waiting.push((connection, reply));
        }
    }

    /// What a request of the load generator is answered with once it is done; None: it was no Produce, and is done.
    #[expect(clippy::option_option, reason = "no Produce, ours, theirs")]
    fn reply(&mut self, connection: u32, frame: &[u8]) -> Option<Option<Reply>> {
        let Some(answers) = &mut self.answers else { return Some(None) };
        let (mut produced, mut at_once) = (None, None);
        answers.answer(&frame[LENGTH_BYTES..], true, &mut |answer| match answer {
            Answer::Produced(bytes) => produced = Some(bytes.to_vec()),
            // A fetch finds nothing; nobody here waits for that.
            Answer::Now(bytes) | Answer::After(_, bytes) => at_once = Some(bytes),
        });
        match (produced, at_once) {
            (Some(bytes), _) => Some(Some(Reply::Whole(bytes))),
            (None, Some(bytes)) => {
                self.answer(connection, Reply::Whole(bytes));
                None
            }
            (None, None) => {
                self.requests_refused += 1;
                None
            }
        }
    }

    fn copy(&mut self, batch: &[u8]) {
        let fits = self.open.as_ref().is_some_and(|group| group.filled + batch.len() <= GROUP_BYTES);
        if !fits {
            let writes = self.stage >= Stage::Write;
            match self.open.take() {
                Some(group) if writes => {
                    self.sealed.push_back(group);
                    self.open_group();
                }
                Some(group) => self.open = Some(Group { filled: 0, ..group }),
                None => self.open_group(),
            }
        }
        let group = self.open.as_mut().expect("opened above");
        let filled = group.filled;
        group.buffer.bytes_mut()[filled..filled + batch.len()].copy_from_slice(batch);
        group.filled += batch.len();
    }

    fn open_group(&mut self) {
        self.open = Some(Group { buffer: self.source.take(), filled: 0, waiting: Vec::new() });
    }

    /// The next group to write, when there is one and the journal has room; the driver writes it and calls `on_durable`.
    pub fn start_group(&mut self) -> Option<Group> {
        if self.stage < Stage::Write || self.groups_in_flight == self.groups_in_flight_max {
            return None;
        }
        let group = self.sealed.pop_front().or_else(|| self.open.take())?;
        self.groups_in_flight += 1;
        Some(group)
    }

    /// The group is as safe as the stage promises. Groups come back in the order in which they were started.
    pub fn on_durable(&mut self, group: Group) {
        self.groups_in_flight -= 1;
        for (connection, reply) in group.waiting {
            self.answer(connection, reply);
        }
    }

    fn answer(&mut self, connection: u32, reply: Reply) {
        let index = connection as usize;
        if self.outboxes.len() <= index {
            self.outboxes.resize_with(index + 1, Vec::new);
        }
        let outbox = &mut self.outboxes[index];
        if outbox.is_empty() {
            self.dirty.push(connection);
        }
        match reply {
            Reply::Fixed(correlation_id) => {
                self.answer[ANSWER_CORRELATION_AT..ANSWER_CORRELATION_AT + 4]
                    .copy_from_slice(&correlation_id);
                outbox.extend_from_slice(&self.answer);
            }
            Reply::Whole(bytes) => outbox.extend_from_slice(&bytes),
        }
    }

    /// Swaps the connections that have answers into `into`, which must be empty.
    pub fn take_dirty(&mut self, into: &mut Vec<u32>) {
        std::mem::swap(&mut self.dirty, into);
    }

    /// The answers of a connection; the driver empties what it sent. A connection reported as dirty is reported again only
    /// after its outbox was empty.
    pub fn outbox(&mut self, connection: u32) -> &mut Vec<u8> {
        &mut self.outboxes[connection as usize]
    }
}
