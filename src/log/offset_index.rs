//! Where each batch of one segment stands: by offset, by position, by timestamp.
//!
//! Decides how much of that is kept in memory and in what form. Exact to the batch, because a fetch must begin with the
//! very batch that holds its offset: some clients skip one offset for each batch that has nothing for them.
//!
//! ```text
//! marks   one each 32 KiB of log: offset, position, where its steps begin, largest timestamp before it
//! steps   one per batch, three varints: offsets, bytes, max_timestamp less the largest one before it
//! ```
//!
//! Six bytes for a usual batch and 24 for each 32 KiB: about 1 byte per KiB at 16 KiB a batch, 7 at 1 KiB.
//!
//! In a summary (`docs/FORMATS.md`) it is the same: count of marks, the marks, the steps.
//!
//! Offsets that compaction took away count to the batch behind them: whoever asks for one is given that batch.

use bytes::{BufMut, BytesMut};

use crate::model::Offset;

/// Log bytes between two marks: what a search decodes at most.
const MARK_BYTES: u64 = 32 * 1024;

/// A mark in a summary: relative offset, position and place of its steps, 4 bytes each; the timestamp, 8.
const MARK_SECTION_BYTES: usize = 20;

/// 64 bits, 7 in a byte.
const VARINT_BYTES_MAX: usize = 10;

/// "No timestamp", and so the smallest maximum.
const NO_TIMESTAMP: i64 = -1;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Mark {
    relative_offset: u32,
    position: u32,
    steps_at: u32,
    /// Of all batches before it.
    max_timestamp: [u32; 2],
}

/// One batch as the index knows it. Its base offset is where the batch before it ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct IndexedBatch {
    pub base_offset: Offset,
    pub next_offset: Offset,
    pub position: u64,
    pub length: u64,
    pub max_timestamp: i64,
    /// The largest timestamp of the segment up to this batch, this one included.
    pub running_max_timestamp: i64,
}

impl IndexedBatch {
    pub fn end(&self) -> u64 {
        self.position + self.length
    }
}

/// Lives: per segment. Invariants: batches are dense in offsets and in positions. No allocation before the first batch.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct OffsetIndex {
    base_offset: Offset,
    marks: Vec<Mark>,
    steps: Vec<u8>,
    next_offset: Offset,
    end: u64,
    max_timestamp: i64,
}

impl OffsetIndex {
    pub fn new(base_offset: Offset) -> OffsetIndex {
        OffsetIndex {
            base_offset,
            marks: Vec::new(),
            steps: Vec::new(),
            next_offset: base_offset,
            end: 0,
            max_timestamp: NO_TIMESTAMP,
        }
    }

    pub fn next_offset(&self) -> Offset {
        self.next_offset
    }

    /// Bytes of all batches.
    pub fn end(&self) -> u64 {
        self.end
    }

    /// -1: no record has one.
    pub fn max_timestamp(&self) -> i64 {
        self.max_timestamp
    }

    /// Can a batch that ends at `end` and whose last offset is `last_offset` be described?
    pub fn can_hold(base_offset: Offset, last_offset: Offset, end: u64) -> bool {
        i32::try_from(last_offset.0 - base_offset.0).is_ok() && u32::try_from(end).is_ok()
    }

    /// Adds the batch that stands at the end.
    ///
    /// Invariants: `can_hold` it; asserted, since what comes from files is checked before.
    pub fn push(&mut self, offsets: u32, length: u32, max_timestamp: i64) {
        let next_offset = self.next_offset.plus(i64::from(offsets));
        let end = self.end + u64::from(length);
        assert!(offsets > 0 && length > 0, "a batch has offsets and bytes");
        assert!(
            Self::can_hold(self.base_offset, next_offset.plus(-1), end),
            "the segment should have rolled"
        );
        let is_marked =
            self.marks.last().is_none_or(|mark| self.end - u64::from(mark.position) >= MARK_BYTES);
        if is_marked {
            self.push_mark();
        }
        put_varint(&mut self.steps, u64::from(offsets));
        put_varint(&mut self.steps, u64::from(length));
        put_varint(&mut self.steps, zigzag(max_timestamp.wrapping_sub(self.max_timestamp)));
        self.next_offset = next_offset;
        self.end = end;
        self.max_timestamp = self.max_timestamp.max(max_timestamp);
    }

    fn push_mark(&mut self) {
        let fits = "can_hold limits offsets and positions; steps are fewer bytes than the log";
        self.marks.push(Mark {
            relative_offset: u32::try_from(self.next_offset.0 - self.base_offset.0).expect(fits),
            position: u32::try_from(self.end).expect(fits),
            steps_at: u32::try_from(self.steps.len()).expect(fits),
            max_timestamp: split(self.max_timestamp),
        });
    }

    /// The segment is complete: gives back what growth has left over.
    pub fn shrink(&mut self) {
        self.marks.shrink_to_fit();
        self.steps.shrink_to_fit();
    }

    /// The batch that holds `offset`.
    pub fn batch_holding(&self, offset: Offset) -> Option<IndexedBatch> {
        self.batches_holding(offset).next().filter(|batch| batch.base_offset <= offset)
    }

    /// The batches that end behind `offset`.
    fn batches_holding(&self, offset: Offset) -> impl Iterator<Item = IndexedBatch> + '_ {
        let relative = offset.0 - self.base_offset.0;
        let after = self.marks.partition_point(|mark| i64::from(mark.relative_offset) <= relative);
        self.batches_from(after.saturating_sub(1)).skip_while(move |batch| batch.next_offset <= offset)
    }

    /// The last batch that ends at or before `position`.
    pub fn batch_ending_by(&self, position: u64) -> Option<IndexedBatch> {
        let after = self.marks.partition_point(|mark| u64::from(mark.position) < position);
        let last_from = |mark| self.batches_from(mark).take_while(|batch| batch.end() <= position).last();
        let mark = after.checked_sub(1)?;
        // Inside the first batch after a mark, the last one that has ended belongs to the mark before.
        last_from(mark).or_else(|| last_from(mark.checked_sub(1)?))
    }

    /// Where the batches with a base offset below `offset` end.
    pub fn position_below(&self, offset: Offset) -> u64 {
        if offset >= self.next_offset {
            return self.end;
        }
        self.batch_holding(offset.plus(-1)).map_or(0, |batch| batch.end())
    }

    /// The first batch that ends behind `from` and has a `max_timestamp` of at least `timestamp`.
    pub fn batch_reaching(&self, timestamp: i64, from: Offset) -> Option<IndexedBatch> {
        if self.max_timestamp < timestamp {
            return None;
        }
        if from > self.base_offset {
            // Marks tell of what lies before `from`, too: no shortcut by time.
            return self.batches_holding(from).find(|batch| batch.max_timestamp >= timestamp);
        }
        let after = self.marks.partition_point(|mark| mark.max_timestamp() < timestamp);
        self.batches_from(after.saturating_sub(1)).find(|batch| batch.max_timestamp >= timestamp)
    }

    /// The largest timestamp of the batches that end behind `from` and have a base offset below `offset`; -1 if none has one.
    pub fn max_timestamp_between(&self, from: Offset, offset: Offset) -> i64 {
        if from > self.base_offset {
            let batches = self.batches_holding(from).take_while(|batch| batch.base_offset < offset);
            return batches.map(|batch| batch.max_timestamp).max().unwrap_or(NO_TIMESTAMP);
        }
        if offset >= self.next_offset {
            return self.max_timestamp;
        }
        self.batch_holding(offset.plus(-1)).map_or(NO_TIMESTAMP, |batch| batch.running_max_timestamp)
    }

    /// What it holds in memory.
    pub fn bytes(&self) -> u64 {
        (self.marks.len() * size_of::<Mark>() + self.steps.len() + size_of::<OffsetIndex>()) as u64
    }

    /// As the section of a summary; `decode` gives the index back.
    pub fn encode(&self) -> BytesMut {
        let mut section =
            BytesMut::with_capacity(4 + self.marks.len() * MARK_SECTION_BYTES + self.steps.len());
        section.put_u32_le(u32::try_from(self.marks.len()).expect("fewer marks than bytes of log"));
        for mark in &self.marks {
            section.put_u32_le(mark.relative_offset);
            section.put_u32_le(mark.position);
            section.put_u32_le(mark.steps_at);
            section.put_i64_le(mark.max_timestamp());
        }
        section.extend_from_slice(&self.steps);
        section
    }

    /// Of a segment that begins at `base_offset` and ends at `next_offset`, after `end` bytes. None: this is not its index.
    pub fn decode(base_offset: Offset, next_offset: Offset, end: u64, section: &[u8]) -> Option<OffsetIndex> {
        let (count, rest) = section.split_first_chunk()?;
        let count = usize::try_from(u32::from_le_bytes(*count)).ok()?;
        let (marks, steps) = rest.split_at_checked(count.checked_mul(MARK_SECTION_BYTES)?)?;
        let marks = marks.chunks_exact(MARK_SECTION_BYTES).map(Mark::decode).collect();
        let mut index = OffsetIndex {
            base_offset,
            marks,
            steps: steps.to_vec(),
            next_offset,
            end,
            max_timestamp: NO_TIMESTAMP,
        };
        index.max_timestamp = index.walk()?;
        Some(index)
    }

    /// Whether marks and steps agree with each other and with the ends of the segment: the largest timestamp, if so. After it no
    /// search can fail for an offset of the segment.
    fn walk(&self) -> Option<i64> {
        let (mut relative, mut position, mut max_timestamp) = (0i64, 0u64, NO_TIMESTAMP);
        let mut rest = self.steps.as_slice();
        let mut marks = self.marks.iter().peekable();
        while !rest.is_empty() {
            let steps_at = self.steps.len() - rest.len();
            if let Some(mark) = marks.next_if(|mark| mark.steps_at as usize == steps_at) {
                let agrees = i64::from(mark.relative_offset) == relative
                    && u64::from(mark.position) == position
                    && mark.max_timestamp() == max_timestamp;
                agrees.then_some(())?;
            } else if steps_at == 0 {
                return None;
            }
            let offsets = i64::from(u32::try_from(take_varint(&mut rest)?).ok()?);
            let length = u64::from(u32::try_from(take_varint(&mut rest)?).ok()?);
            let timestamp = max_timestamp.wrapping_add(unzigzag(take_varint(&mut rest)?));
            (offsets > 0 && length > 0).then_some(())?;
            // Neither can overflow: each step is below 2^32, and there are fewer than 2^32 of them.
            relative += offsets;
            position += length;
            max_timestamp = max_timestamp.max(timestamp);
        }
        let is_whole = marks.peek().is_none()
            && position == self.end
            && self.base_offset.0.checked_add(relative) == Some(self.next_offset.0);
        is_whole.then_some(max_timestamp)
    }

    fn batches_from(&self, mark: usize) -> Steps<'_> {
        let Some(mark) = self.marks.get(mark) else {
            return Steps { rest: &[], next_offset: self.next_offset, position: self.end, max_timestamp: -1 };
        };
        Steps {
            rest: self.steps.get(mark.steps_at as usize..).unwrap_or_default(),
            next_offset: self.base_offset.plus(i64::from(mark.relative_offset)),
            position: u64::from(mark.position),
            max_timestamp: mark.max_timestamp(),
        }
    }
}

impl Mark {
    fn decode(bytes: &[u8]) -> Mark {
        let word = |at: usize| u32::from_le_bytes([bytes[at], bytes[at + 1], bytes[at + 2], bytes[at + 3]]);
        Mark {
            relative_offset: word(0),
            position: word(4),
            steps_at: word(8),
            max_timestamp: [word(16), word(12)],
        }
    }

    fn max_timestamp(&self) -> i64 {
        let [high, low] = self.max_timestamp;
        (i64::from(high) << 32) | i64::from(low)
    }
}

/// Halves keep the alignment, and so the size, of a mark at that of its other fields.
fn split(timestamp: i64) -> [u32; 2] {
    [(timestamp >> 32) as u32, timestamp as u32]
}

/// Decodes batch after batch.
struct Steps<'a> {
    rest: &'a [u8],
    next_offset: Offset,
    position: u64,
    max_timestamp: i64,
}

impl Iterator for Steps<'_> {
    type Item = IndexedBatch;

    fn next(&mut self) -> Option<IndexedBatch> {
        let offsets = take_varint(&mut self.rest)?;
        let length = take_varint(&mut self.rest)?;
        let max_timestamp = self.max_timestamp.wrapping_add(unzigzag(take_varint(&mut self.rest)?));
        let batch = IndexedBatch {
            base_offset: self.next_offset,
            next_offset: self.next_offset.plus(offsets as i64),
            position: self.position,
            length,
            max_timestamp,
            running_max_timestamp: self.max_timestamp.max(max_timestamp),
        };
        self.next_offset = batch.next_offset;
        self.position = batch.end();
        self.max_timestamp = batch.running_max_timestamp;
        Some(batch)
    }
}

fn zigzag(value: i64) -> u64 {
    ((value << 1) ^ (value >> 63)) as u64
}

fn unzigzag(value: u64) -> i64 {
    (value >> 1) as i64 ^ -((value & 1) as i64)
}

fn put_varint(out: &mut Vec<u8>, mut value: u64) {
    while value >= 0x80 {
        out.push(value as u8 | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
}

fn take_varint(bytes: &mut &[u8]) -> Option<u64> {
    let mut value = 0;
    for (index, byte) in bytes.iter().enumerate().take(VARINT_BYTES_MAX) {
        value |= u64::from(byte & 0x7f) << (7 * index);
        if *byte < 0x80 {
            *bytes = &bytes[index + 1..];
            return Some(value);
        }
    }
    None
}
