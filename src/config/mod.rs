//! Configuration: one table of keys; text in, validated values out.
//!
//! Decides which keys exist, what their values may be and what they mean. The table feeds everything: the parser of
//! `server.properties` and `--set`, validation, DescribeConfigs, `docs/CONFIG.md`. Reads no file.
//!
//! Shape:  text -> `RawConfig` (known keys, valid values, who set them) -> `Config` (typed, consistent)

mod broker_keys;
#[cfg(test)]
mod docs;
mod group_keys;
mod groups;
mod kept_broker_keys;
mod key;
mod layers;
mod listeners;
pub mod meta_properties;
mod nearest;
pub mod properties;
mod raw;
mod topic;
mod topic_keys;
mod validated;

#[cfg(test)]
mod tests;

pub use groups::{ConsumerGroupConfig, GroupConfig, GroupIntervals, Interval};
pub use key::{Allowed, Effect, Key, Scope, Synonym, Unit, Update, ValueError, ValueType, list_elements};
pub use layers::{Source, SynonymValue};
pub use listeners::Listener;
pub use raw::{ConfigError, Origin, RawConfig, Warning};

pub use topic::check_topic_value;
pub use validated::{CleanerConfig, Config};

/// All keys of brokers, in two parts, each sorted by name.
pub fn broker_keys() -> impl Iterator<Item = &'static Key> {
    broker_keys::BROKER_KEYS.iter().chain(kept_broker_keys::KEPT_BROKER_KEYS)
}

/// All keys of topics, sorted by name.
pub fn topic_keys() -> impl Iterator<Item = &'static Key> {
    topic_keys::TOPIC_KEYS.iter()
}

/// All keys of groups, sorted by name.
pub fn group_keys() -> impl Iterator<Item = &'static Key> {
    group_keys::GROUP_KEYS.iter()
}

#[must_use]
pub fn group_key(name: &str) -> Option<&'static Key> {
    find(group_keys::GROUP_KEYS, name)
}

#[must_use]
pub fn broker_key(name: &str) -> Option<&'static Key> {
    find(broker_keys::BROKER_KEYS, name).or_else(|| find(kept_broker_keys::KEPT_BROKER_KEYS, name))
}

#[must_use]
pub fn topic_key(name: &str) -> Option<&'static Key> {
    find(topic_keys::TOPIC_KEYS, name)
}

/// A topic key that Kafka had before 4.0: taken, never kept.
#[must_use]
pub fn is_removed_topic_key(name: &str) -> bool {
    topic_keys::REMOVED_TOPIC_KEYS.contains(&name)
}

/// The broker keys that stand for the same value as `name`, the one that wins first.
#[must_use]
pub fn broker_synonyms(name: &'static str) -> Vec<&'static str> {
    let group = topic_keys()
        .map(|key| key.synonyms)
        .find(|synonyms| synonyms.len() > 1 && synonyms.iter().any(|synonym| synonym.name == name));
    group.map_or_else(|| vec![name], |synonyms| synonyms.iter().map(|synonym| synonym.name).collect())
}

fn find(keys: &'static [Key], name: &str) -> Option<&'static Key> {
    keys.binary_search_by(|key| key.name.cmp(name)).ok().and_then(|index| keys.get(index))
}
