//! What the writer of a segment file and its syncs, on different threads, know of each other.

use std::fs::File;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// Lives: with the segment's file. The writer begins it; whoever has made all of a sealed file durable ends it.
#[derive(Debug, Default)]
pub struct WriteSide(Mutex<Side>);

#[derive(Debug, Default)]
struct Side {
    /// And not ended: what was written may not be synced.
    is_begun: bool,
    /// The directory entries are not durable yet.
    is_new: bool,
    /// None: given back for want of descriptors.
    file: Option<Arc<File>>,
}

/// What there is to sync of a segment.
pub struct Unsynced {
    /// The open file, if it is. Opening it takes a thread that may block.
    pub file: Option<Arc<File>>,
    pub is_new: bool,
}

impl WriteSide {
    pub fn begin(&self, file: &Arc<File>) {
        *self.lock() = Side { is_begun: true, is_new: true, file: Some(Arc::clone(file)) };
    }

    /// The descriptor. What was written is still to be synced.
    pub fn give_back(&self) {
        self.lock().file = None;
    }

    /// Nothing is written any more, and nothing to be synced.
    pub fn end(&self) {
        *self.lock() = Side::default();
    }

    /// The directory entries are durable.
    pub fn on_entries_synced(&self) {
        self.lock().is_new = false;
    }

    /// None: nobody writes it here, so it was sealed, or never written.
    pub fn unsynced(&self) -> Option<Unsynced> {
        let side = self.lock();
        side.is_begun.then(|| Unsynced { file: side.file.clone(), is_new: side.is_new })
    }

    fn lock(&self) -> MutexGuard<'_, Side> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
