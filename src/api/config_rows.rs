//! Settings as clients are told them: one row for each key, with value, source and history.
//!
//! Decides what is shown of a key. Which keys there are and what they mean is `config/`.

use std::collections::BTreeMap;

use protocol::STRING_BYTES_MAX;

use crate::config::{Config, Key, Source, SynonymValue};

/// One key of one resource.
pub(super) struct ConfigRow {
    pub key: &'static Key,
    value: Option<String>,
    pub source: Source,
    pub read_only: bool,
    /// What stands behind the value; empty if the client did not ask.
    history: Vec<SynonymValue>,
}

impl ConfigRow {
    /// The row of a topic with these overrides.
    pub(super) fn of_topic(
        config: &Config,
        overrides: &BTreeMap<String, String>,
        key: &'static Key,
        with_history: bool,
    ) -> ConfigRow {
        let (value, source) = config.topic_value(overrides, key).unzip();
        ConfigRow {
            key,
            value,
            source: source.unwrap_or(Source::Default),
            read_only: false,
            history: if with_history { config.topic_synonyms(overrides, key) } else { Vec::new() },
        }
    }

    /// The row of a group with these overrides; None: it has none.
    pub(super) fn of_group(
        config: &Config,
        overrides: Option<&BTreeMap<String, String>>,
        key: &'static Key,
        with_history: bool,
    ) -> ConfigRow {
        let values = config.group_synonyms(overrides, key);
        let (value, source) = values.first().map(|first| (first.value.clone(), first.source)).unzip();
        ConfigRow {
            key,
            value,
            source: source.unwrap_or(Source::Default),
            read_only: false,
            history: if with_history { values } else { Vec::new() },
        }
    }

    /// The row of this broker.
    pub(super) fn of_broker(config: &Config, key: &'static Key, with_history: bool) -> ConfigRow {
        let (value, source) = config.broker_value(key).unzip();
        ConfigRow {
            key,
            value: value.map(str::to_owned),
            source: source.unwrap_or(Source::Default),
            read_only: !key.is_live(),
            history: if with_history { config.broker_synonyms(key) } else { Vec::new() },
        }
    }

    /// The row of a dynamic default of all brokers.
    pub(super) fn of_all_brokers(key: &'static Key, value: &str, with_history: bool) -> ConfigRow {
        let source = Source::DynamicDefaultBroker;
        let own = SynonymValue { name: key.name.to_owned(), value: value.to_owned(), source };
        ConfigRow {
            key,
            value: Some(value.to_owned()),
            source,
            read_only: !key.is_live(),
            history: if with_history { vec![own] } else { Vec::new() },
        }
    }

    /// The value, unless it is a secret, or longer than a string of an answer may be.
    pub(super) fn value(&self) -> Option<&str> {
        self.shown(self.value.as_deref())
    }

    /// Name, value and source of everything behind the value, the winner first.
    pub(super) fn history(&self) -> impl Iterator<Item = (&str, Option<&str>, Source)> {
        self.history.iter().map(|of| (of.name.as_str(), self.shown(Some(&of.value)), of.source))
    }

    fn shown<'a>(&self, text: Option<&'a str>) -> Option<&'a str> {
        text.filter(|text| !self.key.is_sensitive() && text.len() <= STRING_BYTES_MAX)
    }

    /// As many bytes as the row takes in an answer, or more.
    pub(super) fn bytes_max(&self) -> usize {
        let history = self.history().map(|(name, value, _)| name.len() + value.map_or(0, str::len) + 8);
        let own = self.key.name.len() + self.value().map_or(0, str::len) + self.key.about.len();
        64 + own + history.sum::<usize>()
    }
}
