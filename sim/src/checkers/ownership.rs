//! Consumer groups: who owns what now, and until when it may count on that.
//!
//! A member owns what it was told until it says that it gave it up, or until a session is over since it sent the last heartbeat that was
//! answered: the broker cannot have heard it earlier, so it may not put it out earlier.

use std::collections::BTreeMap;

use penstock::model::Instant;

use super::Ledger;
use super::groups::Slot;

#[derive(Debug, Default)]
pub struct Ownership {
    /// None: nobody has been told yet that it owns it.
    slots: BTreeMap<Slot, Option<Owner>>,
    pub moves: u64,
}

#[derive(Debug)]
struct Owner {
    member_id: String,
    until: Instant,
}

impl Ledger {
    /// The slot is one of those that the group shares out.
    pub fn shares_out(&mut self, slot: Slot) {
        self.ownership.slots.entry(slot).or_default();
    }

    /// Who may count on owning it.
    #[must_use]
    pub fn owner(&self, slot: &Slot, now: Instant) -> Option<&str> {
        let owner = self.ownership.slots.get(slot)?.as_ref().filter(|owner| owner.until > now)?;
        Some(&owner.member_id)
    }

    /// A heartbeat was answered: the member owns the slot, also from now on.
    ///
    /// Invariant: nobody else may still count on owning it.
    pub fn told_owns(&mut self, slot: &Slot, member_id: &str, now: Instant, until: Instant) {
        if let Some(owner) = self.owner(slot, now)
            && owner != member_id
        {
            let what = format!("{slot:?}: {owner} has it, and {member_id} is given it");
            self.violation("a partition has one owner at a time", what);
        }
        let owner = Owner { member_id: member_id.to_owned(), until };
        let before = self.ownership.slots.insert(slot.clone(), Some(owner)).flatten();
        self.ownership.moves += u64::from(before.is_none_or(|before| before.member_id != member_id));
    }

    /// The member will not touch it any more.
    pub fn gave_up(&mut self, slot: &Slot, member_id: &str) {
        let owner = self.ownership.slots.get_mut(slot);
        if let Some(owner) = owner
            && owner.as_ref().is_some_and(|owner| owner.member_id == member_id)
        {
            *owner = None;
        }
    }

    /// Invariant: whoever beats in time is a member.
    pub fn told_out(&mut self, member_id: &str, error: i16, now: Instant, until: Instant) {
        if now < until {
            let what =
                format!("{member_id}: error {error}, {} ns before its session ends", until.ns_since(now));
            self.violation("a member that is heard of is not put out", what);
        }
    }

    /// Invariant: what another may count on is not committed for.
    pub fn told_foreign_commit(&mut self, slot: &Slot, member_id: &str, owner: &str) {
        let what = format!("{slot:?}: {member_id} has committed, which {owner} owned");
        self.violation("only the owner commits", what);
    }

    /// Slots that nobody has, which somebody must have when the faults have stopped.
    #[must_use]
    pub fn unowned(&self, now: Instant) -> Vec<&Slot> {
        self.ownership.slots.keys().filter(|slot| self.owner(slot, now).is_none()).collect()
    }
}
