//! What a topic's settings mean: its own, over the broker's defaults.

use std::collections::BTreeMap;

use super::key::{Key, Scope, list_elements};
use super::layers::{Source, SynonymValue};
use super::raw::ConfigError;
use super::{Config, broker_key, is_removed_topic_key, topic_key};
use crate::model::topic_config::{TimestampType, TopicCompression, TopicConfig};

impl Config {
    /// Types a topic's overrides, together with the defaults in force.
    ///
    /// Errors: an unknown key, a value that its key does not take, keys that contradict each other. `overrides` may hold
    ///         keys that Kafka has removed; they mean nothing.
    pub fn topic_config(&self, overrides: &BTreeMap<String, String>) -> Result<TopicConfig, ConfigError> {
        for (name, value) in overrides {
            check_topic_value(name, value)?;
        }
        self.check_together(overrides)?;
        Ok(self.typed_topic_config(overrides))
    }

    /// As `topic_config` for overrides that were accepted once, maybe by another version: what is wrong now counts as
    /// not set.
    #[must_use]
    pub fn topic_config_lenient(&self, overrides: &BTreeMap<String, String>) -> TopicConfig {
        self.typed_topic_config(overrides)
    }

    /// The effective text of a topic key in canonical form, and where it comes from.
    #[must_use]
    pub fn topic_value(&self, overrides: &BTreeMap<String, String>, key: &Key) -> Option<(String, Source)> {
        let own = overrides.get(key.name).and_then(|text| key.canonical(text).ok());
        if let Some(own) = own {
            return Some((own, Source::Topic));
        }
        let inherited = key.synonyms.iter().find_map(|synonym| {
            let (text, source) = self.layers.value(broker_key(synonym.name)?)?;
            Some((scaled(text, synonym.factor), source))
        });
        inherited.or_else(|| Some((key.default?.to_owned(), Source::Default)))
    }

    /// What DescribeConfigs lists behind a topic key, the winning value first.
    #[must_use]
    pub fn topic_synonyms(&self, overrides: &BTreeMap<String, String>, key: &Key) -> Vec<SynonymValue> {
        let own = overrides.get(key.name).and_then(|text| key.canonical(text).ok());
        let own = own.map(|value| SynonymValue { name: key.name.to_owned(), value, source: Source::Topic });
        let broker = key.synonyms.first().map(|synonym| self.layers.synonyms(synonym.name));
        own.into_iter().chain(broker.unwrap_or_default()).collect()
    }

    /// What DescribeConfigs lists behind a key of a group, the winning value first. An own value that the broker's bounds do not allow any
    /// more is shown as it was set.
    #[must_use]
    pub fn group_synonyms(
        &self,
        overrides: Option<&BTreeMap<String, String>>,
        key: &Key,
    ) -> Vec<SynonymValue> {
        let own = overrides.and_then(|overrides| overrides.get(key.name));
        let own = own.map(|value| SynonymValue {
            name: key.name.to_owned(),
            value: value.clone(),
            source: Source::Group,
        });
        let broker = key.synonyms.first().map(|synonym| self.layers.synonyms(synonym.name));
        own.into_iter().chain(broker.unwrap_or_default()).collect()
    }

    fn typed_topic_config(&self, overrides: &BTreeMap<String, String>) -> TopicConfig {
        let text = |name: &str| -> String {
            let key = topic_key(name).expect("the names below are in the table");
            self.topic_value(overrides, key).expect("the keys below have defaults").0
        };
        let number = |name: &str| -> i64 { text(name).parse().expect("canonical numbers parse") };
        let small = |name: &str| -> i32 { i32::try_from(number(name)).expect("canonical ints fit") };
        let unsigned = |name: &str| -> u32 { u32::try_from(number(name)).unwrap_or(0) };
        let policy = text("cleanup.policy");
        TopicConfig {
            max_message_bytes: unsigned("max.message.bytes"),
            segment_bytes: unsigned("segment.bytes"),
            segment_ms: u64::try_from(number("segment.ms")).unwrap_or(u64::MAX),
            timestamp_type: match text("message.timestamp.type").as_str() {
                "LogAppendTime" => TimestampType::LogAppendTime,
                _ => TimestampType::CreateTime,
            },
            timestamp_before_max_ms: number("message.timestamp.before.max.ms"),
            timestamp_after_max_ms: number("message.timestamp.after.max.ms"),
            compression: match text("compression.type").as_str() {
                "uncompressed" => TopicCompression::Uncompressed,
                "gzip" => TopicCompression::Gzip { level: small("compression.gzip.level") },
                "snappy" => TopicCompression::Snappy,
                "lz4" => TopicCompression::Lz4 { level: small("compression.lz4.level") },
                "zstd" => TopicCompression::Zstd { level: small("compression.zstd.level") },
                _ => TopicCompression::Producer,
            },
            compacted: list_elements(&policy).any(|element| element == "compact"),
            deletes: list_elements(&policy).any(|element| element == "delete"),
            durable_acks: text("durable.acks") == "true",
            retention_ms: number("retention.ms"),
            retention_bytes: number("retention.bytes"),
            min_cleanable_dirty_millionths: millionths(&text("min.cleanable.dirty.ratio")),
            min_compaction_lag_ms: number("min.compaction.lag.ms"),
            max_compaction_lag_ms: number("max.compaction.lag.ms"),
            delete_retention_ms: number("delete.retention.ms"),
            min_insync_replicas: unsigned("min.insync.replicas"),
        }
    }

    /// Rules over more than one key.
    fn check_together(&self, overrides: &BTreeMap<String, String>) -> Result<(), ConfigError> {
        let number = |name: &str| -> Option<i64> {
            self.topic_value(overrides, topic_key(name)?).and_then(|(text, _)| text.parse().ok())
        };
        let (min, max) = (number("min.compaction.lag.ms"), number("max.compaction.lag.ms"));
        if let (Some(min), Some(max)) = (min, max)
            && min > max
        {
            let problem = format!("must not exceed max.compaction.lag.ms, which is {max}");
            return Err(ConfigError::new("min.compaction.lag.ms", Some(&min.to_string()), problem));
        }
        let remote = topic_key("remote.storage.enable").and_then(|key| self.topic_value(overrides, key));
        if remote.is_some_and(|(text, _)| text == "true") {
            let problem = "there is no tiered storage in penstock; allowed: false";
            return Err(ConfigError::new("remote.storage.enable", Some("true"), problem));
        }
        Ok(())
    }
}

/// Checks one value of one topic key; gives its canonical form, or None for a key that Kafka has removed.
pub fn check_topic_value(name: &str, value: &str) -> Result<Option<String>, ConfigError> {
    match topic_key(name) {
        Some(key) => {
            let canonical = key.canonical(value);
            canonical.map(Some).map_err(|error| ConfigError::new(name, Some(value), error.to_string()))
        }
        None if is_removed_topic_key(name) => Ok(None),
        None => Err(ConfigError::unknown(name, Scope::Topic)),
    }
}

/// A fraction, which the table keeps between 0 and 1.
fn millionths(text: &str) -> u32 {
    let fraction: f64 = text.parse().expect("canonical numbers parse");
    (fraction * 1_000_000.0).round() as u32
}

/// A broker's value in the unit of the topic key. Negative times are "no limit", which topics write -1.
fn scaled(text: &str, factor: i64) -> String {
    match (factor, text.parse::<i64>()) {
        (2.., Ok(value)) if value < 0 => "-1".to_owned(),
        (2.., Ok(value)) => value.saturating_mul(factor).to_string(),
        _ => text.to_owned(),
    }
}
