//! The 32 bytes by which a batch is known: the beginning of its first record's value.
//!
//! ```text
//! | magic u32 | run u32 | connection u32 | sequence u32 | intended ns u64 | partition u32 | topic u32 |     big-endian
//! ```

pub const STAMP_BYTES: usize = 32;
const MAGIC: u32 = 0x7065_6e73;

/// Invariants: `sequence` counts the batches of one connection to one topic-partition of one run, from 0.
/// Units: `intended_ns` is on the run's monotonic clock.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stamp {
    pub run: u32,
    pub connection: u32,
    pub sequence: u32,
    pub intended_ns: u64,
    pub partition: u32,
    pub topic: u32,
}

impl Stamp {
    #[must_use]
    pub fn to_bytes(self) -> [u8; STAMP_BYTES] {
        let mut bytes = [0; STAMP_BYTES];
        bytes[0..4].copy_from_slice(&MAGIC.to_be_bytes());
        bytes[4..8].copy_from_slice(&self.run.to_be_bytes());
        bytes[8..12].copy_from_slice(&self.connection.to_be_bytes());
        bytes[12..16].copy_from_slice(&self.sequence.to_be_bytes());
        bytes[16..24].copy_from_slice(&self.intended_ns.to_be_bytes());
        bytes[24..28].copy_from_slice(&self.partition.to_be_bytes());
        bytes[28..32].copy_from_slice(&self.topic.to_be_bytes());
        bytes
    }

    /// None where the bytes are not a stamp of any run.
    #[must_use]
    pub fn from_bytes(bytes: &[u8]) -> Option<Stamp> {
        let word = |at: usize| Some(u32::from_be_bytes(bytes.get(at..at + 4)?.try_into().ok()?));
        if word(0)? != MAGIC {
            return None;
        }
        Some(Stamp {
            run: word(4)?,
            connection: word(8)?,
            sequence: word(12)?,
            intended_ns: u64::from(word(16)?) << 32 | u64::from(word(20)?),
            partition: word(24)?,
            topic: word(28)?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stamp_reads_back() {
        let stamp = Stamp {
            run: 1,
            connection: 2,
            sequence: u32::MAX,
            intended_ns: u64::MAX - 7,
            partition: 9_999,
            topic: 3,
        };
        assert_eq!(Stamp::from_bytes(&stamp.to_bytes()), Some(stamp));
        assert_eq!(Stamp::from_bytes(&stamp.to_bytes()[..31]), None);
        assert_eq!(Stamp::from_bytes(&[0; 32]), None);
    }
}
