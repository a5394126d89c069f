//! Rows of a catalogue: found, replaced, out of order, of other files, damaged.

use std::os::unix::fs::FileExt;

use super::*;

/// A directory of its own, removed at the end.
struct Dir(PathBuf);

impl Dir {
    fn new(name: &str) -> Dir {
        let path = std::env::temp_dir().join(format!("penstock-catalogue-{name}-{}", std::process::id()));
        fs::create_dir_all(&path).expect("a temporary directory");
        Dir(path)
    }

    /// Writes a catalogue of these segments.
    fn write(&self, segments: &[SegmentName]) {
        let mut catalogue = Catalogue::of(&self.0);
        segments.iter().for_each(|name| catalogue.add(*name, identity(*name), header(*name)));
        catalogue.finish();
    }

    /// Which of these segments the catalogue knows, asked in this order.
    fn known(&self, segments: &[SegmentName]) -> Vec<bool> {
        let mut catalogue = Catalogue::of(&self.0);
        let known = segments.iter().map(|name| match catalogue.header(*name, identity(*name)) {
            None => false,
            Some(found) => {
                assert_eq!(found, header(*name), "{name:?}");
                true
            }
        });
        known.collect()
    }
}

impl Drop for Dir {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

fn segment(partition: i32, base_offset: i64) -> SegmentName {
    let topic_partition =
        TopicPartition { topic_id: TopicId([0xab; 16]), partition: PartitionIndex(partition) };
    SegmentName { topic_partition, base_offset: Offset(base_offset) }
}

fn identity(of: SegmentName) -> FileIdentity {
    FileIdentity { inode: 7 + of.base_offset.0.cast_unsigned(), modified_ns: -1 }
}

fn header(of: SegmentName) -> SummaryHeader {
    let mut header = [3; SUMMARY_HEADER_BYTES];
    header[..8].copy_from_slice(&of.base_offset.0.to_le_bytes());
    header
}

fn some() -> Vec<SegmentName> {
    vec![segment(0, 0), segment(0, 9), segment(1, 0), segment(2, 4), segment(2, 1 << 40)]
}

#[test]
fn what_was_added_is_found_in_its_order() {
    let dir = Dir::new("found");
    assert_eq!(dir.known(&some()), [false; 5], "there is none yet");
    dir.write(&some());
    assert_eq!(dir.known(&some()), [true; 5]);
    let asked = [segment(0, 9), segment(0, 10), segment(2, 4), segment(0, 0), segment(3, 0)];
    assert_eq!(dir.known(&asked), [true, false, true, false, false], "gaps, a step back, past the end");
    assert!(!next_path(&dir.0).exists());
}

#[test]
fn the_next_one_replaces_it_whole() {
    let dir = Dir::new("replaced");
    dir.write(&some());
    dir.write(&some()[2..3]);
    assert_eq!(dir.known(&some()), [false, false, true, false, false]);
    dir.write(&[]);
    assert_eq!(dir.known(&some()), [false, false, true, false, false], "nobody asked for anything");
}

#[test]
fn a_file_that_is_another_now_has_no_row() {
    let dir = Dir::new("identity");
    dir.write(&some());
    let name = segment(0, 9);
    let known = identity(name);
    for changed in [FileIdentity { inode: 1, ..known }, FileIdentity { modified_ns: 0, ..known }] {
        assert_eq!(Catalogue::of(&dir.0).header(name, changed), None);
    }
    assert_eq!(Catalogue::of(&dir.0).header(name, known), Some(header(name)));
}

#[test]
fn a_row_out_of_order_is_left_out() {
    let dir = Dir::new("order");
    dir.write(&[segment(1, 0), segment(0, 9), segment(1, 0), segment(2, 4)]);
    assert_eq!(dir.known(&some()), [false, false, true, true, false]);
}

#[test]
fn nothing_is_known_from_damage_on() {
    let dir = Dir::new("damage");
    let path = dir.0.join(NAME);
    let length = FRONT_BYTES + 5 * ROW_BYTES;
    for at in 0..length {
        dir.write(&some());
        let file = File::options().write(true).read(true).open(&path).expect("it was written");
        let mut byte = [0];
        file.read_exact_at(&mut byte, at as u64).expect("reads");
        file.write_all_at(&[byte[0] ^ 0x10], at as u64).expect("writes");
        let whole = at.checked_sub(FRONT_BYTES).map_or(0, |at| at / ROW_BYTES);
        let expected: Vec<bool> = (0..5).map(|row| row < whole).collect();
        assert_eq!(dir.known(&some()), expected, "byte {at} is wrong");
        file.set_len(at as u64).expect("cuts");
        assert_eq!(dir.known(&some()), expected, "cut at {at}");
    }
}

#[test]
fn one_that_cannot_be_written_leaves_the_old_one() {
    let dir = Dir::new("unwritable");
    dir.write(&some()[..2]);
    // In its way.
    fs::create_dir_all(next_path(&dir.0)).expect("creates");
    dir.write(&some());
    assert_eq!(dir.known(&some()), [true, true, false, false, false]);
}

#[test]
fn one_that_is_given_up_leaves_nothing() {
    let dir = Dir::new("given-up");
    dir.write(&some()[..1]);
    let mut catalogue = Catalogue::of(&dir.0);
    catalogue.add(some()[1], identity(some()[1]), header(some()[1]));
    assert!(next_path(&dir.0).exists());
    drop(catalogue);
    assert!(!next_path(&dir.0).exists());
    assert_eq!(dir.known(&some()), [true, false, false, false, false]);
}
