//! Groups: who owns what, and how far they say they have come.

use std::collections::BTreeMap;

use super::Ledger;

/// A group and one of the partitions that it shares out.
pub type Slot = (String, i32);

#[derive(Debug, Default)]
pub struct Groups {
    /// (slot, generation) -> who was told that it owns it.
    owners: BTreeMap<(Slot, i32), String>,
    /// The highest commit that was acknowledged.
    committed: BTreeMap<Slot, i64>,
    /// The highest that was ever sent.
    sent: BTreeMap<Slot, i64>,
    next_commit: i64,
    /// The latest generation in which a member was told what it owns.
    latest: BTreeMap<String, i32>,
    pub deletions: u64,
    pub acknowledged: u64,
    pub assignments: u64,
}

impl Ledger {
    /// A member was told that it owns the slot in this generation.
    ///
    /// Invariant: nobody else ever was.
    pub fn told_owner(&mut self, slot: &Slot, generation: i32, member_id: &str) {
        self.groups.assignments += 1;
        let owner =
            self.groups.owners.entry((slot.clone(), generation)).or_insert_with(|| member_id.to_owned());
        if owner != member_id {
            let what = format!("{slot:?} in generation {generation}: {owner}, and {member_id}");
            self.violation("a partition has one owner in a generation", what);
        }
    }

    /// A member was told what it owns in this generation, so that is recorded.
    pub fn told_generation(&mut self, group: &str, generation: i32) {
        let latest = self.groups.latest.entry(group.to_owned()).or_insert(generation);
        *latest = generation.max(*latest);
    }

    #[must_use]
    pub fn latest_generation(&self, group: &str) -> i32 {
        self.groups.latest.get(group).copied().unwrap_or(-1)
    }

    /// Invariant: when a generation has begun, nobody commits in an earlier one.
    pub fn told_old_commit(&mut self, slot: &Slot, generation: i32, latest: i32) {
        let what = format!("{slot:?}: generation {generation} has committed, {latest} had begun");
        self.violation("nobody commits in an earlier generation", what);
    }

    /// The offset that a commit of this slot is to tell: each is higher than all before it.
    pub fn next_commit(&mut self, slot: &Slot) -> i64 {
        self.groups.next_commit += 1;
        self.groups.sent.insert(slot.clone(), self.groups.next_commit);
        self.groups.next_commit
    }

    pub fn told_committed(&mut self, slot: &Slot, offset: i64) {
        self.groups.acknowledged += 1;
        let committed = self.groups.committed.entry(slot.clone()).or_insert(-1);
        *committed = offset.max(*committed);
    }

    /// What was acknowledged so far: an answer to a question that is asked now tells no less.
    #[must_use]
    pub fn committed(&self, slot: &Slot) -> i64 {
        self.groups.committed.get(slot).copied().unwrap_or(-1)
    }

    /// Invariants: a commit that was acknowledged, or that anybody was told of, is never lost, nor does it go back; only what was sent
    ///             is told.
    pub fn told_offset(&mut self, slot: &Slot, offset: i64, floor: i64) {
        if offset < floor {
            let what = format!("{slot:?}: {floor} was acknowledged, {offset} is told");
            self.violation("an acknowledged commit survives", what);
        }
        let sent = self.groups.sent.get(slot).copied().unwrap_or(-1);
        if offset > sent {
            self.violation("only what was committed is told", format!("{slot:?}: {offset}, sent: {sent}"));
        }
        let committed = self.groups.committed.entry(slot.clone()).or_insert(-1);
        *committed = offset.max(*committed);
    }
}
