//! What the threads of the crash test tell each other: whether a broker is there, what was acknowledged, when it is over.

use std::net::SocketAddr;
use std::sync::{Condvar, Mutex, MutexGuard};
use std::time::{Duration, Instant};

use crate::broker::Broker;

/// SplitMix64.
pub struct Random(u64);

impl Random {
    pub fn new(seed: u64) -> Random {
        Random(seed)
    }

    pub fn below(&mut self, end: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (mixed ^ (mixed >> 31)) % end
    }
}

#[derive(Default)]
struct State {
    up: bool,
    /// How many brokers there have been.
    starts: u32,
    /// Of the broker that is up: when its process began, and how many records it acknowledged.
    started: Option<Instant>,
    acks: u64,
    /// Those of them that librdkafka told us about.
    library_acks: u64,
    no_more: bool,
    over: bool,
    ready_after: Vec<Duration>,
    first_ack_after: Vec<Duration>,
}

pub struct Load {
    pub address: SocketAddr,
    pub seed: u64,
    state: Mutex<State>,
    changed: Condvar,
}

/// Ends the load when its thread fails, so that the others end too.
pub struct OverIfPanicking<'l>(&'l Load);

impl Drop for OverIfPanicking<'_> {
    fn drop(&mut self) {
        if std::thread::panicking() {
            self.0.over();
        }
    }
}

impl Load {
    pub fn new(address: SocketAddr, seed: u64) -> Load {
        Load { address, seed, state: Mutex::default(), changed: Condvar::new() }
    }

    /// Held by every thread of the load.
    pub fn over_if_panicking(&self) -> OverIfPanicking<'_> {
        OverIfPanicking(self)
    }

    pub fn over(&self) {
        self.change(|state| state.over = true);
    }

    pub fn started(&self, broker: &Broker) {
        self.change(|state| {
            state.up = true;
            state.starts += 1;
            state.started = Some(broker.started);
            state.acks = 0;
            state.library_acks = 0;
            state.ready_after.push(broker.ready_after);
        });
    }

    pub fn down(&self) {
        self.change(|state| state.up = false);
    }

    /// Producers finish what they began.
    pub fn no_more(&self) {
        self.change(|state| state.no_more = true);
    }

    pub fn is_no_more(&self) -> bool {
        let state = self.state();
        assert!(!state.over || state.no_more, "another thread failed");
        state.no_more
    }

    pub fn is_over(&self) -> bool {
        self.state().over
    }

    /// Waits for a broker; returns its number. None: it is over.
    pub fn wait_until_up(&self) -> Option<u32> {
        let waiting = |state: &mut State| !state.up && !state.over;
        let state = self.changed.wait_while(self.state(), waiting).expect("not poisoned");
        (!state.over).then_some(state.starts)
    }

    /// Counts what the broker of this number acknowledged.
    pub fn acknowledged(&self, start: u32, records: u64) {
        self.change(|state| {
            if state.starts == start && state.up {
                if state.acks == 0 {
                    state.first_ack_after.extend(state.started.map(|started| started.elapsed()));
                }
                state.acks += records;
            }
        });
    }

    /// Waits until the broker has acknowledged so many records, or for `at_most`.
    pub fn wait_for_acks(&self, acks: u64, at_most: Duration) {
        let waiting = |state: &mut State| state.acks < acks && !state.over;
        drop(self.changed.wait_timeout_while(self.state(), at_most, waiting).expect("not poisoned"));
    }

    /// librdkafka finds its broker again at its own pace, and does not say which broker acknowledged.
    pub fn acknowledged_to_library(&self) {
        self.change(|state| state.library_acks += u64::from(state.up));
    }

    pub fn wait_for_library_acks(&self, acks: u64, at_most: Duration) {
        let waiting = |state: &mut State| state.library_acks < acks && !state.over;
        drop(self.changed.wait_timeout_while(self.state(), at_most, waiting).expect("not poisoned"));
    }

    pub fn figures(&self) -> String {
        let state = self.state();
        format!(
            "from the start of the process to ready {}, to the first acknowledgement {}",
            spread(&state.ready_after),
            spread(&state.first_ack_after)
        )
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().expect("not poisoned")
    }

    fn change(&self, change: impl FnOnce(&mut State)) {
        if let Ok(mut state) = self.state.lock() {
            change(&mut state);
            self.changed.notify_all();
        }
    }
}

fn spread(durations: &[Duration]) -> String {
    let mut sorted = durations.to_vec();
    sorted.sort();
    let ms = |index: usize| sorted.get(index).map_or(0, Duration::as_millis);
    format!(
        "{} / {} / {} ms (min, median, max)",
        ms(0),
        ms(sorted.len() / 2),
        ms(sorted.len().saturating_sub(1))
    )
}
