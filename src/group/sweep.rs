//! Offsets that nobody needs any more, and groups that have nothing left: looked for now and then, a slice of groups each time.
//!
//! Decides when, and which groups' turn it is. What has expired is decided by `offsets` and the group.

use super::offsets::Expiry;
use super::{Entry, GroupCoordinator};
use crate::coordinator::{Decision, View};
use crate::limits::{SWEEP_GROUPS_PER_TURN, SWEEP_OFFSETS_PER_TURN};
use crate::model::Instant;
use crate::model::group::GroupReply;

/// Lives: in a group coordinator. All groups, one after the other, and then nothing until the next time.
#[derive(Debug, Default)]
pub(super) struct Sweep {
    /// None: the coordinator is not loaded yet.
    next: Option<Instant>,
    /// A round is under way; groups up to this one are done.
    done: Option<String>,
    under_way: bool,
}

impl Sweep {
    /// The first round: offsets of topics that were deleted at the last moment of the run before need not wait for it.
    pub fn begin(&mut self, view: View<'_>, at_once: bool) {
        let interval_ms = if at_once { 0 } else { view.config.groups.retention_check_ms };
        self.next = Some(view.now.instant.after_ms(interval_ms));
    }

    pub fn begin_now(&mut self, view: View<'_>) {
        self.next = Some(view.now.instant);
        self.under_way = false;
    }

    pub fn next_deadline(&self) -> Option<Instant> {
        self.next
    }
}

impl GroupCoordinator {
    pub(super) fn maybe_sweep(&mut self, view: View<'_>, decision: &mut Decision<GroupReply>) {
        if self.sweep.next.is_none_or(|next| next > view.now.instant) {
            return;
        }
        if !self.sweep.under_way {
            self.sweep.under_way = true;
            self.sweep.done = None;
        }
        let from = match self.sweep.done.clone() {
            Some(done) => (std::ops::Bound::Excluded(done), std::ops::Bound::Unbounded),
            None => (std::ops::Bound::Unbounded, std::ops::Bound::Unbounded),
        };
        let first_record = decision.records.len();
        let mut last = None;
        let mut is_over = true;
        for (looked_at, (group_id, entry)) in self.groups.range::<String, _>(from).enumerate() {
            let room = (first_record + SWEEP_OFFSETS_PER_TURN).saturating_sub(decision.records.len());
            if looked_at == SWEEP_GROUPS_PER_TURN || room == 0 {
                is_over = false;
                break;
            }
            let found = self.sweep_group(view, group_id, entry, room, decision);
            if found == room {
                // There may be more of this group.
                is_over = false;
                break;
            }
            last = Some(group_id.clone());
        }
        self.sweep.done = last;
        if is_over {
            self.sweep.under_way = false;
            let interval_ms = view.config.groups.retention_check_ms;
            self.sweep.next = Some(view.now.instant.after_ms(interval_ms));
        }
    }

    /// How many offsets it lets go: at most `room`.
    fn sweep_group(
        &self,
        view: View<'_>,
        group_id: &str,
        entry: &Entry,
        room: usize,
        decision: &mut Decision<GroupReply>,
    ) -> usize {
        let group = &entry.group;
        let unused_since = group.unused_since();
        let expiry = |topic: &str| {
            let unused_since = unused_since.ok().filter(|_| !group.is_subscribed_to(topic))?;
            let (wall_ms, retention_ms) = (view.now.wall_ms, view.config.groups.retention_ms);
            Some(Expiry { wall_ms, retention_ms, unused_since })
        };
        let before = decision.records.len();
        let has_offsets = self.offsets.sweep(view, group_id, &expiry, room, &mut decision.records);
        let found = decision.records.len() - before;
        if !has_offsets && group.is_empty() && group.next_deadline().is_none() {
            group.tombstones(group_id, &mut decision.records);
        }
        found
    }
}
