//! The books of all logs, under ids that are never mistaken for those of logs that are gone.
//!
//! The id of a log that is gone still names something: a deleted log without records. So what comes late (a commit, a place in a
//! queue, a resident of a journal file) finds nothing to do, and nobody has to look for it when a log goes.

use std::ops::{Index, IndexMut};

use super::Slot;
use crate::journal::LogId;
use crate::model::LogDir;

/// An id is the log dir in 8 bits, the generation of its place in 24, the place in 32.
const GENERATIONS: u32 = 1 << 24;

/// Lives: per storage.
/// Invariants: `free` holds exactly the places whose log is gone. A place's generation grows when its log goes.
#[derive(Debug)]
pub(super) struct Slots {
    dir: LogDir,
    places: Vec<Place>,
    free: Vec<u32>,
    gone: Slot,
}

#[derive(Debug)]
struct Place {
    generation: u32,
    slot: Slot,
}

impl Slots {
    pub fn new(dir: LogDir) -> Slots {
        Slots { dir, places: Vec::new(), free: Vec::new(), gone: Slot::gone() }
    }

    pub fn insert(&mut self, slot: Slot) -> LogId {
        if let Some(index) = self.free.pop() {
            self.places[index as usize].slot = slot;
            return self.id_at(index as usize);
        }
        self.places.push(Place { generation: 0, slot });
        self.id_at(self.places.len() - 1)
    }

    /// Its memory is given back and its place is used again, under another id.
    pub fn remove(&mut self, id: LogId) {
        let Some(place) =
            self.places.get_mut(index_of(id)).filter(|place| place.generation == generation_of(id))
        else {
            return;
        };
        place.slot = Slot::gone();
        place.generation += 1;
        // A place that was used so often is used no more.
        if place.generation >= GENERATIONS {
            return;
        }
        self.free.push(u32::try_from(index_of(id)).expect("an index is half of an id"));
    }

    /// Places, used and free.
    pub fn len(&self) -> usize {
        self.places.len()
    }

    /// The log in a place; a free place gives one that is gone.
    pub fn id_at(&self, index: usize) -> LogId {
        let half = u32::try_from(index).expect("fewer partitions than 2^32");
        LogId(u64::from(self.dir.0) << 56 | u64::from(self.places[index].generation) << 32 | u64::from(half))
    }
}

fn index_of(id: LogId) -> usize {
    (id.0 & u64::from(u32::MAX)) as usize
}

fn generation_of(id: LogId) -> u32 {
    (id.0 >> 32) as u32 & (GENERATIONS - 1)
}

impl Index<LogId> for Slots {
    type Output = Slot;

    fn index(&self, id: LogId) -> &Slot {
        match self.places.get(index_of(id)) {
            Some(place) if place.generation == generation_of(id) => &place.slot,
            _ => &self.gone,
        }
    }
}

impl IndexMut<LogId> for Slots {
    fn index_mut(&mut self, id: LogId) -> &mut Slot {
        match self.places.get_mut(index_of(id)) {
            Some(place) if place.generation == generation_of(id) => &mut place.slot,
            _ => &mut self.gone,
        }
    }
}
