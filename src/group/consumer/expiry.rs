//! Deadlines that have passed: members that are not heard of, members that do not give up, regular expressions to look up.
//!
//! Decides what follows. Members that are put out at one instant go in one decision, with one new epoch.

use std::collections::BTreeSet;
use std::sync::Arc;

use protocol::messages::group_record::ConsumerGroupRegularExpressionValue;

use super::regexes::Lookup;
use super::subscription::{self, ResolvedRegex};
use super::timers::Timer;
use super::{ConsumerGroup, member::MemberState};
use crate::coordinator::{CoordinatorRecord, View};
use crate::group::records;
use crate::limits::GROUP_REGEX_REFRESH_MS_MIN;
use crate::model::consumer_group::MemberId;

impl ConsumerGroup {
    /// Returns the members that are to be put out, which is for the caller to write.
    pub fn on_time(&mut self, view: View<'_>, records: &mut Vec<CoordinatorRecord>) -> BTreeSet<MemberId> {
        let mut expired = BTreeSet::new();
        let mut looks_up = false;
        while let Some(timer) = self.timers.pop_passed(view.now.instant) {
            match timer {
                Timer::Session(member_id) | Timer::Join(member_id) | Timer::Sync(member_id) => {
                    expired.insert(member_id);
                }
                Timer::Rebalance(member_id) => {
                    let member = self.members.get(&member_id);
                    if member.is_some_and(|member| member.current.state == MemberState::UnrevokedPartitions) {
                        expired.insert(member_id);
                    }
                }
                Timer::Regexes => looks_up = true,
            }
        }
        expired.retain(|member_id| self.members.contains_key(member_id));
        if looks_up && expired.is_empty() {
            self.look_up(view, records);
        } else if looks_up {
            // Both write the next epoch: one after the other.
            self.timers.set(Timer::Regexes, view.now.instant);
        }
        expired
    }

    /// Regular expressions wait for a lookup: at once if one was never looked up, soon if the image has changed since, and otherwise until
    /// what they stand for is as old as `group.consumer.regex.refresh.interval.ms`.
    pub(super) fn plan_lookup(&mut self, view: View<'_>) {
        self.plan_lookup_of(view, &BTreeSet::new());
    }

    /// `written`: those whose records are not replayed yet.
    fn plan_lookup_of(&mut self, view: View<'_>, written: &BTreeSet<Arc<str>>) {
        let mut patterns = self
            .members
            .values()
            .filter_map(|member| member.metadata.subscribed_topic_regex.as_ref())
            .peekable();
        if patterns.peek().is_none() {
            return;
        }
        let is_new =
            patterns.any(|pattern| !self.regexes.contains_key(pattern) && !written.contains(pattern));
        let now = view.now.instant;
        match self.looked_up {
            Some((version, at)) if !is_new => {
                let is_of_image = version == view.image.version;
                let refresh_ms = u64::from(view.config.groups.consumer.regex_refresh_ms);
                let pause_ms = if is_of_image { refresh_ms } else { GROUP_REGEX_REFRESH_MS_MIN };
                self.timers.set_no_later(Timer::Regexes, at.after_ms(pause_ms).max(now));
            }
            _ => self.timers.set(Timer::Regexes, now),
        }
    }

    fn look_up(&mut self, view: View<'_>, records: &mut Vec<CoordinatorRecord>) {
        let patterns = || -> BTreeSet<Arc<str>> {
            self.members
                .values()
                .filter_map(|member| member.metadata.subscribed_topic_regex.clone())
                .collect()
        };
        let mut lookup = self.lookup.take().unwrap_or_else(|| Lookup::new(patterns(), view.image.version));
        if !lookup.advance(view.image) {
            self.lookup = Some(lookup);
            self.timers.set(Timer::Regexes, view.now.instant);
            return;
        }
        self.looked_up = Some((lookup.image_version, view.now.instant));
        let written = lookup.found.keys().cloned().collect();
        self.apply_lookup(view, lookup, records);
        self.plan_lookup_of(view, &written);
    }

    /// Patterns that nobody subscribes to any more are dropped; the others are written if they stand for other topics than before.
    fn apply_lookup(&mut self, view: View<'_>, lookup: Lookup, records: &mut Vec<CoordinatorRecord>) {
        let subscribed: BTreeSet<&Arc<str>> = self
            .members
            .values()
            .filter_map(|member| member.metadata.subscribed_topic_regex.as_ref())
            .collect();
        let mut resolved = self.regexes.clone();
        let mut changes = false;
        for (pattern, topics) in lookup.found {
            let before = self.regexes.get(&pattern);
            if !subscribed.contains(&pattern) || before.is_some_and(|before| before.topics == topics) {
                continue;
            }
            changes = true;
            let value = ConsumerGroupRegularExpressionValue {
                topics: topics.iter().map(AsRef::as_ref).collect(),
                version: i64::try_from(lookup.image_version).unwrap_or(i64::MAX),
                timestamp: view.now.wall_ms,
            };
            records.push(records::consumer_group_regular_expression(&self.group_id, &pattern, &value));
            resolved.insert(pattern, ResolvedRegex { topics });
        }
        if !changes {
            return;
        }
        let members = self.members.values().map(|member| &member.metadata);
        let hash = subscription::metadata_hash(subscription::all_names(members, &resolved), view.image);
        self.bump_epoch(hash, records);
    }
}
