//! Which descriptors are closed, and that nobody loses one in use.

use super::*;

#[derive(Debug)]
struct Named(Descriptor<Named>);

impl HasDescriptor for Named {
    fn descriptor(&self) -> &Descriptor<Named> {
        &self.0
    }
}

fn all(max: u64) -> Arc<Descriptors<Named>> {
    Arc::new(Descriptors::new(max, 1))
}

fn open(all: &Arc<Descriptors<Named>>) -> Arc<Named> {
    let named = Arc::new(Named(Descriptor::new(Arc::clone(all))));
    let file = File::open("/dev/null").expect("there is one");
    drop(named.0.keep(&named, file, 0));
    named
}

fn is_open(named: &Named) -> bool {
    named.0.open.lock().expect("nobody panicked").is_some()
}

#[test]
fn the_one_that_was_used_longest_ago_is_closed_first() {
    let all = all(3);
    let files: Vec<_> = (0..3).map(|_| open(&all)).collect();
    assert!(files[0].0.opened().is_some(), "used again");
    let late = open(&all);
    let open_now: Vec<bool> = files.iter().map(|file| is_open(file)).collect();
    assert_eq!((open_now, is_open(&late), all.open_of(0)), (vec![true, false, true], true, 3));
}

#[test]
fn who_sends_from_a_file_keeps_it() {
    let all = all(1);
    let first = open(&all);
    let lease = first.0.opened().expect("open");
    let second = open(&all);
    assert!(!is_open(&first) && is_open(&second));
    assert_eq!(all.open_of(0), 2, "the lease is counted");
    assert!(lease.metadata().is_ok());
    drop(lease);
    assert_eq!(all.open_of(0), 1);
}

#[test]
fn a_file_that_is_gone_takes_no_place() {
    let all = all(2);
    drop(open(&all));
    let kept: Vec<_> = (0..2).map(|_| open(&all)).collect();
    assert!(kept.iter().all(|file| is_open(file)));
    assert_eq!(all.open_of(0), 2);
}

#[test]
fn a_file_that_two_threads_opened_is_open_once() {
    let all = all(2);
    let named = open(&all);
    let again = named.0.keep(&named, File::open("/dev/null").expect("there is one"), 0);
    assert!(Arc::ptr_eq(&again, &named.0.opened().expect("open")));
    assert_eq!(all.open_of(0), 1);
}

#[test]
fn a_file_without_a_name_is_left_by_the_last_who_has_it() {
    let all = all(2);
    let (sender, left) = crossbeam_channel::unbounded();
    let sender = Arc::new(sender);
    for (heir_is_there, expected) in [(true, 1), (false, 0)] {
        let named = open(&all);
        let reader = named.0.opened().expect("open");
        reader.leave_to(&if heir_is_there { Arc::downgrade(&sender) } else { Weak::new() });
        drop(named);
        assert!(reader.metadata().is_ok() && left.is_empty(), "somebody reads");
        drop(reader);
        assert_eq!((left.try_iter().count(), all.open_of(0)), (expected, 0));
    }
    drop(open(&all));
    assert!(left.is_empty(), "it has its name");
}
