//! Offsets. A durable offset is another type than an offset, so that only synced records can be acknowledged.

/// The position of a record in its partition's log: 0-based.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Offset(pub i64);

impl Offset {
    pub const ZERO: Offset = Offset(0);

    /// The offset `count` records further on.
    #[must_use]
    pub fn plus(self, count: i64) -> Offset {
        Offset(self.0 + count)
    }
}

/// Every record before it survives power loss. Made only where a journal commit is seen to be durable.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct DurableOffset(pub i64);

impl DurableOffset {
    #[must_use]
    pub fn offset(self) -> Offset {
        Offset(self.0)
    }
}
