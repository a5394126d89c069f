//! Who has the last word on a broker key: dynamic values over static ones over defaults.
//!
//! Decides the effective text of a key and which synonyms DescribeConfigs lists. Text only.
//!
//! Shape:  this broker (dynamic) > all brokers (dynamic) > server.properties, --set > default

use std::collections::BTreeMap;

use super::key::Key;
use super::{broker_key, broker_keys, broker_synonyms};

/// Where a value comes from, by the numbers of DescribeConfigs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(i8)]
pub enum Source {
    Topic = 1,
    DynamicBroker = 2,
    DynamicDefaultBroker = 3,
    StaticBroker = 4,
    Default = 5,
    Group = 8,
}

impl Source {
    #[must_use]
    pub fn code(self) -> i8 {
        self as i8
    }
}

/// One line of a value's history.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SynonymValue {
    pub name: String,
    pub value: String,
    pub source: Source,
}

/// The texts that are set, by layer.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Layers {
    pub broker: BTreeMap<String, String>,
    pub all_brokers: BTreeMap<String, String>,
    pub fixed: BTreeMap<&'static str, String>,
}

/// With eligible leader replicas (a feature of the metadata log), Kafka counts this key of the cluster only.
const CLUSTER_ONLY: &str = "min.insync.replicas";

impl Layers {
    /// The effective text of a key; None if nobody set it and it has no default.
    pub(super) fn value(&self, key: &Key) -> Option<(&str, Source)> {
        self.in_order(key).next()
    }

    /// Every layer that has the key, the winning one first.
    fn in_order<'a>(&'a self, key: &Key) -> impl Iterator<Item = (&'a str, Source)> {
        let cluster_only = key.name == CLUSTER_ONLY;
        let text = |map: &'a BTreeMap<String, String>| map.get(key.name).map(String::as_str);
        let broker = text(&self.broker).filter(|_| !cluster_only);
        let fixed = self.fixed.get(key.name).map(String::as_str).filter(|_| !cluster_only);
        [
            (broker, Source::DynamicBroker),
            (text(&self.all_brokers), Source::DynamicDefaultBroker),
            (fixed, Source::StaticBroker),
            (key.default, Source::Default),
        ]
        .into_iter()
        .filter_map(|(value, source)| Some((value?, source)))
    }

    /// The values that stand behind a broker key and its synonyms, the winning one first.
    ///
    /// Source: Apache Kafka 4.3.1, asked: synonyms that would come before the key itself are left out, so
    ///         `log.retention.ms` has none when only `log.retention.hours` has a value.
    pub(super) fn synonyms(&self, name: &'static str) -> Vec<SynonymValue> {
        let names = broker_synonyms(name);
        let mut values = Vec::new();
        for source in
            [Source::DynamicBroker, Source::DynamicDefaultBroker, Source::StaticBroker, Source::Default]
        {
            for key in names.iter().filter_map(|name| broker_key(name)) {
                let found = self.in_order(key).find(|(_, of)| *of == source);
                values.extend(found.map(|(value, source)| SynonymValue {
                    name: key.name.to_owned(),
                    value: value.to_owned(),
                    source,
                }));
            }
        }
        let first = values.iter().position(|value| value.name == name).unwrap_or(values.len());
        values.split_off(first)
    }

    /// Replaces the dynamic layers. Keys and values that this binary does not take are left out: they were written
    /// by another version.
    pub(super) fn set_dynamic(
        &mut self,
        broker: &BTreeMap<String, String>,
        all_brokers: &BTreeMap<String, String>,
    ) {
        let known = |map: &BTreeMap<String, String>| -> BTreeMap<String, String> {
            let canonical = |(name, value): (&String, &String)| {
                let key = broker_keys().find(|key| key.name == name)?;
                Some((name.clone(), key.canonical(value).ok()?))
            };
            map.iter().filter_map(canonical).collect()
        };
        self.broker = known(broker);
        self.all_brokers = known(all_brokers);
    }
}
