//! What a group subscribes to: names, and topics that regular expressions stand for.
//!
//! Decides the hash by which a group notices that its topics are not what they were: created, grown, deleted, or others. Kafka writes a
//! hash of its own in the same place; a group that moves between the two is rebalanced once, and as its target is sticky, nothing moves.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::member::MemberMetadata;
use crate::model::TopicId;
use crate::model::metadata_image::MetadataImage;

/// Regular expression -> the topics that it stood for when it was last looked up.
pub(super) type ResolvedRegexes = BTreeMap<Arc<str>, ResolvedRegex>;

#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct ResolvedRegex {
    pub topics: BTreeSet<Arc<str>>,
}

/// The topics of one member, by id: those that exist.
///
/// A regular expression that was not looked up yet stands for nothing.
pub(super) fn topic_ids(
    metadata: &MemberMetadata,
    regexes: &ResolvedRegexes,
    image: &MetadataImage,
) -> BTreeSet<TopicId> {
    names(metadata, regexes).filter_map(|name| image.names.get(name)).copied().collect()
}

/// May repeat a name.
fn names<'a>(
    metadata: &'a MemberMetadata,
    regexes: &'a ResolvedRegexes,
) -> impl Iterator<Item = &'a Arc<str>> {
    let resolved = metadata.subscribed_topic_regex.as_ref().and_then(|regex| regexes.get(regex));
    metadata.subscribed_topic_names.iter().chain(resolved.into_iter().flat_map(|resolved| &resolved.topics))
}

/// The names of all members together.
pub(super) fn all_names<'a>(
    members: impl Iterator<Item = &'a MemberMetadata>,
    regexes: &'a ResolvedRegexes,
) -> BTreeSet<&'a Arc<str>> {
    let mut all = BTreeSet::new();
    // Most members of a group subscribe to the same.
    let mut last: Option<&MemberMetadata> = None;
    for metadata in members {
        let is_as_before = last.is_some_and(|last| {
            last.subscribed_topic_names == metadata.subscribed_topic_names
                && last.subscribed_topic_regex == metadata.subscribed_topic_regex
        });
        if !is_as_before {
            all.extend(names(metadata, regexes));
        }
        last = Some(metadata);
    }
    all
}

/// Of the topics with these names that exist. Never 0 for a topic, so that none is not the same as nothing known.
pub(super) fn metadata_hash<'a>(names: impl IntoIterator<Item = &'a Arc<str>>, image: &MetadataImage) -> i64 {
    let mut hash = Fnv::new();
    let mut is_empty = true;
    for topic in names.into_iter().filter_map(|name| image.topic_by_name(name)) {
        is_empty = false;
        hash.add(&topic.topic_id.0);
        hash.add(&(topic.name.len() as u64).to_be_bytes());
        hash.add(topic.name.as_bytes());
        hash.add(&(topic.partitions.len() as u64).to_be_bytes());
    }
    if is_empty { 0 } else { hash.value() }
}

/// FNV-1a, 64 bits: what is written to the log must be the same in every version of this broker.
struct Fnv(u64);

impl Fnv {
    fn new() -> Fnv {
        Fnv(0xcbf2_9ce4_8422_2325)
    }

    fn add(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.0 = (self.0 ^ u64::from(*byte)).wrapping_mul(0x0000_0100_0000_01b3);
        }
    }

    fn value(self) -> i64 {
        self.0.max(1).cast_signed()
    }
}
