//! The compaction thread without a shard: a pass over two real files, who reads them meanwhile, and what ends a step.

use std::os::unix::fs::FileExt;

use bytes::Bytes;
use crossbeam_channel::Receiver;
use protocol::record::{BatchBuilder, batches};
use rustix::event::{PollFd, PollFlags, poll};

use super::*;
use crate::effect::{FileId, SegmentName};
use crate::model::{PartitionIndex, SealedSegment, TopicId};
use crate::runtime::DataDir;
use crate::runtime::files::{Files, segment_path};
use crate::runtime::mesh::{Inbox, inbox};
use crate::storage::RecoveryDisk;

const OF: TopicPartition = TopicPartition { topic_id: TopicId([5; 16]), partition: PartitionIndex(0) };
const COMPACTION: CompactionId = CompactionId(3);

struct World {
    compactor: Option<Compactor>,
    thread: Option<JoinHandle<()>>,
    inbox: Inbox,
    files: Files,
    root: PathBuf,
    /// Files without a name come here when nobody has them any more.
    nameless: (Arc<Sender<File>>, Receiver<File>),
}

impl World {
    fn new(name: &str) -> World {
        let root = std::env::temp_dir().join(format!("penstock-compactor-{name}-{}", std::process::id()));
        std::fs::create_dir_all(partition_dir(&root, OF)).expect("a temporary directory");
        let dirs: Arc<[PathBuf]> = [root.clone()].into();
        let (postbox, inbox) = inbox().expect("an eventfd");
        let (heir, left) = unbounded();
        let nameless = (Arc::new(heir), left);
        let heir = Arc::downgrade(&nameless.0);
        let (compactor, thread) =
            Compactor::start(ShardId(0), Arc::clone(&dirs), heir, postbox).expect("a thread");
        let files = Files::new(dirs, 1);
        World { compactor: Some(compactor), thread: Some(thread), inbox, files, root, nameless }
    }

    fn compactor(&self) -> &Compactor {
        self.compactor.as_ref().expect("not stopped")
    }

    /// A segment of one batch for each record.
    fn segment(&self, number: u64, base: i64, records: &[(&str, &str)]) -> (Source, Vec<u8>) {
        let mut bytes = Vec::new();
        for (index, (key, value)) in records.iter().enumerate() {
            let mut batch = BatchBuilder::new().base_offset(base + index as i64);
            batch.append(1_000, Some(key.as_bytes()), Some(value.as_bytes()), &[]);
            bytes.extend_from_slice(&batch.build());
        }
        let name = SegmentName { topic_partition: OF, base_offset: Offset(base) };
        std::fs::write(segment_path(&self.root, name), &bytes).expect("writes");
        self.files.open(FileId(number), name);
        let sealed = SealedSegment {
            base_offset: Offset(base),
            next_offset: Offset(base + records.len() as i64),
            length: bytes.len() as u64,
            max_timestamp: 1_000,
            clean_end: Offset(base),
        };
        let file = self.files.find(FileId(number)).expect("just opened");
        ((file, CompactedSegment { file: FileId(number), sealed }), bytes)
    }

    fn answer(&self) -> Input {
        loop {
            if self.inbox.prepare_to_park() {
                let mut fds = [PollFd::from_borrowed_fd(self.inbox.wake_fd(), PollFlags::IN)];
                poll(&mut fds, None).expect("a poll");
                let _ = rustix::io::read(self.inbox.wake_fd(), &mut [0; 8]);
                self.inbox.unpark();
            }
            match self.inbox.take() {
                Some(Mail::Input(input)) => return input,
                Some(other) => panic!("unexpected {other:?}"),
                None => {}
            }
        }
    }

    fn names(&self) -> Vec<String> {
        let entries = std::fs::read_dir(partition_dir(&self.root, OF)).expect("it is there");
        let names = entries.map(|entry| entry.expect("listed").file_name().into_string().expect("ascii"));
        let mut names: Vec<String> = names.collect();
        names.sort();
        names
    }

    /// The shard hears that these are not there any more. Which files nobody has then, and that have no name.
    fn forget(&self, sources: Vec<Source>) -> Vec<u64> {
        sources.iter().for_each(|(file, _)| drop(self.files.close(file.id)));
        drop(sources);
        self.nameless.1.try_iter().map(|file| file.metadata().expect("it is open").len()).collect()
    }

    fn stop(&mut self) {
        self.compactor.take().expect("stopped once").stop();
        self.thread.take().expect("stopped once").join().expect("it ends");
    }
}

impl Drop for World {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.root);
    }
}

fn told(clean_end: i64) -> (CleanRules, Snapshot) {
    let rules = CleanRules {
        clean_end: Offset(clean_end),
        now_ms: 5_000,
        delete_retention_ms: 0,
        producers: Arc::from([]),
        length_max: u64::MAX,
    };
    (rules, Snapshot { epochs: Bytes::new(), producers: Bytes::new() })
}

#[test]
fn two_segments_become_one_and_who_reads_them_may_finish() {
    let mut world = World::new("pass");
    let (first, first_bytes) = world.segment(1, 0, &[("a", "1"), ("b", "1")]);
    let (second, second_bytes) = world.segment(2, 2, &[("a", "2"), ("c", "2")]);
    let sources = vec![first.clone(), second.clone()];
    world.compactor().map_keys(COMPACTION, sources.clone(), Offset(0), 1 << 20, u64::MAX);
    let Input::KeysMapped { result: Ok(mapped), .. } = world.answer() else { panic!("mapped") };
    assert_eq!((mapped.clean_end, mapped.keys), (Offset(4), 3));
    world.compactor().rewrite(COMPACTION, OF, sources, told(4), u64::MAX);
    let Input::SegmentsRewritten { result: Ok(new), .. } = world.answer() else { panic!("rewritten") };
    assert_eq!(
        (new.sealed.base_offset, new.sealed.next_offset, new.records_dropped),
        (Offset(0), Offset(4), 1)
    );
    let base = |number: i64, suffix: &str| format!("{number:020}{suffix}");
    let before = [base(0, ".log"), base(0, ".log.cleaned"), base(0, ".summary.cleaned"), base(2, ".log")];
    assert_eq!(world.names(), before, "nothing has changed for readers");

    let held = vec![Arc::clone(&first.0), Arc::clone(&second.0)];
    world.compactor().swap(COMPACTION, OF, vec![Offset(0), Offset(2)], held);
    assert!(matches!(world.answer(), Input::SegmentsSwapped { result: Ok(()), .. }));
    assert_eq!(world.names(), [base(0, ".log"), base(0, ".summary")]);
    for ((file, _), bytes) in [(&first, &first_bytes), (&second, &second_bytes)] {
        let mut read = vec![0; bytes.len()];
        let open = file.open().expect("pinned");
        open.read_exact_at(&mut read, 0).expect("reads");
        assert_eq!(&read, bytes, "a number means the file that it meant before");
    }
    let name = SegmentName { topic_partition: OF, base_offset: Offset(0) };
    let now = std::fs::read(segment_path(&world.root, name)).expect("reads");
    let offsets: Vec<i64> = batches(&now).map(|batch| batch.expect("whole").base_offset()).collect();
    assert_eq!(offsets, [1, 2, 3]);
    let mut disk = DataDir::new(world.root.clone());
    assert_eq!(disk.segments(), Ok(vec![(name, new.sealed.length)]));
    let mut front = vec![0; 4096];
    let count = disk.read_summary(name, &mut front).expect("reads");
    let summary = Summary::decode(OF, &Bytes::copy_from_slice(&front[..count])).expect("whole");
    assert_eq!((summary.segment, summary.index), (new.sealed, Some(new.index)));
    world.stop();
    assert_eq!(world.forget(vec![first, second]), [first_bytes.len() as u64, second_bytes.len() as u64]);
}

#[test]
fn a_step_that_is_told_to_end_leaves_nothing() {
    let mut world = World::new("end");
    let (source, _) = world.segment(1, 0, &[("a", "1"), ("a", "2")]);
    world.compactor().map_keys(COMPACTION, vec![source.clone()], Offset(0), 1 << 20, u64::MAX);
    assert!(matches!(world.answer(), Input::KeysMapped { result: Ok(_), .. }));
    // At a byte a second it would take minutes.
    world.compactor().rewrite(COMPACTION, OF, vec![source.clone()], told(2), 1);
    world.compactor().end(COMPACTION);
    let Input::SegmentsRewritten { result, .. } = world.answer() else { panic!("answered") };
    assert_eq!(result, Err(CompactionFault::GivenUp));
    assert_eq!(world.names(), ["00000000000000000000.log"]);
    // The map is gone.
    world.compactor().rewrite(COMPACTION, OF, vec![source.clone()], told(2), u64::MAX);
    assert!(matches!(world.answer(), Input::SegmentsRewritten { result: Err(CompactionFault::GivenUp), .. }));
    // A stop waits for nothing either.
    world.compactor().map_keys(COMPACTION, vec![source], Offset(0), 1 << 20, 1);
    world.stop();
    assert!(matches!(world.answer(), Input::KeysMapped { result: Err(CompactionFault::GivenUp), .. }));
}

#[test]
fn what_cannot_be_read_is_told() {
    let mut world = World::new("fault");
    let ((file, mut segment), _) = world.segment(1, 0, &[("a", "1")]);
    segment.sealed.length += 1;
    world.compactor().map_keys(COMPACTION, vec![(Arc::clone(&file), segment)], Offset(0), 1 << 20, u64::MAX);
    let Input::KeysMapped { result, .. } = world.answer() else { panic!("answered") };
    assert!(matches!(result, Err(CompactionFault::Disk(_))));
    world.compactor().swap(COMPACTION, OF, vec![Offset(0)], vec![Arc::clone(&file)]);
    let Input::SegmentsSwapped { result, .. } = world.answer() else { panic!("answered") };
    assert!(matches!(result, Err(SwapFault::Unchanged(_))), "nothing was rewritten");
    world.stop();
    assert!(world.forget(vec![(file, segment)]).is_empty(), "it has its name");
}
