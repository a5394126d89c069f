//! Mail between threads: shard to shard, helper thread to shard, control thread to shard.
//!
//! One inbox per shard: a channel, and an eventfd that is written only when the shard sleeps. Sending never blocks; how much is
//! under way is bounded by the core (a request costs one message per shard), not here.

use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering, fence};

use crossbeam_channel::{Receiver, Sender, unbounded};
use rustix::event::{EventfdFlags, eventfd};

use crate::input::Input;
use crate::metrics::ShardSnapshot;
use crate::model::{ConnectionId, ShardId};
use crate::shard_message::ShardMessage;

use super::files::OpenFile;

/// What a shard's loop finds in its inbox.
#[derive(Debug)]
pub enum Mail {
    /// All that one turn of another shard had to say, in order.
    Messages {
        from: ShardId,
        messages: Vec<ShardMessage>,
    },
    /// A helper thread finished something for the core.
    Input(Input),
    /// A helper thread brought a cold range into memory: the connection may go on sending.
    RangeResident {
        connection: ConnectionId,
        result: io::Result<Arc<OpenFile>>,
    },
    Stop,
    /// The control thread wants a copy of the counters.
    Snapshot(Sender<ShardSnapshot>),
}

/// Wakes a sleeping shard, once per sleep.
///
/// Invariants: mail sent before `wake` is seen by the shard, either by its last look after `prepare_to_park` or because the eventfd
/// makes its poll return. Both sides put a full fence between their store and their load.
#[derive(Debug)]
pub struct Wake {
    eventfd: OwnedFd,
    parked: AtomicBool,
}

impl Wake {
    fn new() -> io::Result<Wake> {
        let eventfd = eventfd(0, EventfdFlags::CLOEXEC | EventfdFlags::NONBLOCK)?;
        Ok(Wake { eventfd, parked: AtomicBool::new(false) })
    }

    fn wake(&self) {
        fence(Ordering::SeqCst);
        if self.parked.load(Ordering::Relaxed) && self.parked.swap(false, Ordering::SeqCst) {
            // The only possible refusal is a counter at its maximum, which is as good as a write.
            let _ = rustix::io::write(&self.eventfd, &1_u64.to_ne_bytes());
        }
    }
}

impl AsFd for Wake {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.eventfd.as_fd()
    }
}

/// The sending side of a shard's inbox.
#[derive(Debug, Clone)]
pub struct Postbox {
    mail: Sender<Mail>,
    wake: Arc<Wake>,
}

impl Postbox {
    /// Mail to a shard that has stopped is dropped.
    pub fn send(&self, mail: Mail) {
        if self.mail.send(mail).is_ok() {
            self.wake.wake();
        }
    }
}

/// The receiving side; the shard's loop owns it.
#[derive(Debug)]
pub struct Inbox {
    mail: Receiver<Mail>,
    wake: Arc<Wake>,
}

impl Inbox {
    pub fn take(&self) -> Option<Mail> {
        self.mail.try_recv().ok()
    }

    /// From here on senders write the eventfd. Returns false if mail is already there: then do not sleep.
    pub fn prepare_to_park(&self) -> bool {
        self.wake.parked.store(true, Ordering::SeqCst);
        fence(Ordering::SeqCst);
        if self.mail.is_empty() {
            return true;
        }
        self.unpark();
        false
    }

    pub fn unpark(&self) {
        self.wake.parked.store(false, Ordering::SeqCst);
    }

    /// Readable (edge-triggered) when mail came during sleep.
    pub fn wake_fd(&self) -> BorrowedFd<'_> {
        self.wake.as_fd()
    }
}

/// An inbox and its postbox.
pub fn inbox() -> io::Result<(Postbox, Inbox)> {
    let wake = Arc::new(Wake::new()?);
    let (sender, receiver) = unbounded();
    Ok((Postbox { mail: sender, wake: Arc::clone(&wake) }, Inbox { mail: receiver, wake }))
}

/// One shard's way to all others: collects a turn's messages and hands them over as one mail per shard.
#[derive(Debug)]
pub struct Mesh {
    me: ShardId,
    postboxes: Vec<Postbox>,
    outgoing: Vec<Vec<ShardMessage>>,
    to_self: Vec<ShardMessage>,
}

impl Mesh {
    #[must_use]
    pub fn new(me: ShardId, postboxes: Vec<Postbox>) -> Mesh {
        let outgoing = postboxes.iter().map(|_| Vec::new()).collect();
        Mesh { me, postboxes, outgoing, to_self: Vec::new() }
    }

    /// Everyone is to stop, this shard too.
    pub fn stop_all(&self) {
        self.postboxes.iter().for_each(|postbox| postbox.send(Mail::Stop));
    }

    pub fn tell(&mut self, to: ShardId, message: ShardMessage) {
        if to == self.me {
            self.to_self.push(message);
        } else if let Some(outgoing) = self.outgoing.get_mut(usize::from(to.0)) {
            outgoing.push(message);
        } else {
            unreachable!("the core told shard {to}, of {}", self.postboxes.len());
        }
    }

    /// Posts what was told since the last call; returns how many messages left.
    pub fn flush(&mut self) -> u64 {
        let mut count = 0;
        for (postbox, outgoing) in self.postboxes.iter().zip(&mut self.outgoing) {
            if !outgoing.is_empty() {
                count += outgoing.len() as u64;
                postbox.send(Mail::Messages { from: self.me, messages: std::mem::take(outgoing) });
            }
        }
        count
    }

    #[must_use]
    pub fn has_to_self(&self) -> bool {
        !self.to_self.is_empty()
    }

    /// What the shard told itself: inputs of its next turn.
    pub fn take_to_self(&mut self) -> std::vec::Drain<'_, ShardMessage> {
        self.to_self.drain(..)
    }
}
