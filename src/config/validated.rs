//! The broker's configuration, validated and typed.
//!
//! Decides what the keys mean together. Everything is here once: code never looks a key up by its name, except to
//! describe it to a client.

use std::collections::BTreeMap;

use super::broker_key;
use super::groups::GroupConfig;
use super::key::{Key, list_elements};
use super::layers::{Layers, Source, SynonymValue};
use super::listeners::{self, Listener};
use super::raw::{ConfigError, Origin, RawConfig};
use crate::limits::{CLEANER_BACKOFF_MS_MIN, LOG_DIRS_MAX};
use crate::model::BrokerId;
use crate::model::topic_config::TopicConfig;

/// What the broker runs with.
///
/// Lives: one per broker, shared by its shards. Dynamic values make another one (`with_dynamic`).
/// Units: in the names.
#[derive(Debug, Clone, PartialEq)]
pub struct Config {
    pub(super) layers: Layers,

    /// At least one. Its index is the listener's number everywhere.
    pub listeners: Vec<Listener>,
    pub node_id: BrokerId,
    /// None: the data directory's, or a new one.
    pub cluster_id: Option<String>,
    pub rack: Option<String>,
    /// At least one, each once.
    pub log_dirs: Vec<String>,
    /// Which of them has the metadata log.
    pub metadata_log_dir: usize,
    /// 0: one for each core.
    pub shards: u16,

    pub num_partitions: i32,
    pub default_replication_factor: i16,
    pub auto_create_topics: bool,
    pub delete_topics: bool,

    pub request_bytes_max: usize,
    pub fetch_bytes_max: u64,
    pub describe_partitions_max: usize,
    pub fetch_sessions_max: usize,
    /// None: never.
    pub connection_idle_ms_max: Option<u64>,
    pub connections_max: u32,
    pub connections_per_ip_max: u32,
    pub producer_id_expiration_ms: u64,
    pub retention_check_ms: u64,
    /// Of the first check after a start.
    pub retention_delay_ms: u64,

    pub cleaner: CleanerConfig,

    /// Of each shard.
    pub journal_bytes_max: u64,
    /// Of each log dir's file system.
    pub free_bytes_min: u64,
    /// Of each shard.
    pub tail_bytes_max: u64,
    /// Of each shard.
    pub index_bytes_max: u64,

    pub groups: GroupConfig,

    /// Of a topic that overrides nothing.
    pub topic_defaults: TopicConfig,
}

/// How compaction runs.
///
/// Lives: one per broker; sums are of all shards.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CleanerConfig {
    pub is_enabled: bool,
    pub backoff_ms: u64,
    pub map_bytes: u64,
    pub bytes_per_second: u64,
}

impl Config {
    /// Types the settings and checks them against each other.
    pub fn validate(raw: &RawConfig) -> Result<Config, ConfigError> {
        let fixed = raw.values().map(|(key, value)| (key, value.value.clone())).collect();
        let layers = Layers { fixed, ..Layers::default() };
        Config::typed(layers).map_err(|error| {
            let origin =
                raw.values().find(|(key, _)| *key == error.key).map(|(_, value)| value.origin.clone());
            ConfigError { origin, ..error }
        })
    }

    /// The configuration under these dynamic values, by broker (None: the default of all).
    ///
    /// What this binary does not know or take is left out, and values that contradict the static ones change nothing:
    /// a broker must be able to start with whatever the metadata log says.
    #[must_use]
    pub fn with_dynamic(&self, overrides: &BTreeMap<Option<BrokerId>, BTreeMap<String, String>>) -> Config {
        self.try_with_dynamic(overrides).unwrap_or_else(|_| self.clone())
    }

    /// As `with_dynamic`, for values that are being set now.
    pub fn try_with_dynamic(
        &self,
        overrides: &BTreeMap<Option<BrokerId>, BTreeMap<String, String>>,
    ) -> Result<Config, ConfigError> {
        let none = BTreeMap::new();
        let of = |broker: Option<BrokerId>| overrides.get(&broker).unwrap_or(&none);
        let mut layers = self.layers.clone();
        layers.set_dynamic(of(Some(self.node_id)), of(None));
        Config::typed(layers).map_err(|error| error.from(&Origin::Dynamic))
    }

    /// The effective text of a broker key, and where it comes from.
    #[must_use]
    pub fn broker_value(&self, key: &Key) -> Option<(&str, Source)> {
        self.layers.value(key)
    }

    /// What `server.properties` or the command line says, whether or not it counts.
    #[must_use]
    pub fn static_value(&self, key: &Key) -> Option<&str> {
        self.layers.fixed.get(key.name).map(String::as_str)
    }

    /// What DescribeConfigs lists behind a broker key, the winning value first.
    #[must_use]
    pub fn broker_synonyms(&self, key: &Key) -> Vec<SynonymValue> {
        self.layers.synonyms(key.name)
    }

    fn typed(layers: Layers) -> Result<Config, ConfigError> {
        let of = Texts { layers: &layers };
        of.check_roles()?;
        let mut config = Config {
            listeners: listeners::parse(
                of.text("listeners"),
                of.maybe("advertised.listeners"),
                of.text("listener.security.protocol.map"),
                of.text("controller.listener.names"),
            )?,
            node_id: of.node_id()?,
            cluster_id: of.cluster_id()?,
            rack: of.maybe("broker.rack").map(str::to_owned),
            log_dirs: of.log_dirs()?,
            metadata_log_dir: of.metadata_log_dir()?,
            shards: u16::try_from(of.number("shards")).unwrap_or(0),
            num_partitions: of.int("num.partitions"),
            default_replication_factor: of.default_replication_factor()?,
            auto_create_topics: of.boolean("auto.create.topics.enable"),
            delete_topics: of.boolean("delete.topic.enable"),
            request_bytes_max: usize::try_from(of.number("socket.request.max.bytes")).unwrap_or(usize::MAX),
            fetch_bytes_max: of.unsigned("fetch.max.bytes"),
            describe_partitions_max: usize::try_from(of.number("max.request.partition.size.limit"))
                .unwrap_or(1),
            fetch_sessions_max: usize::try_from(of.number("max.incremental.fetch.session.cache.slots"))
                .unwrap_or(0),
            connection_idle_ms_max: u64::try_from(of.number("connections.max.idle.ms")).ok(),
            connections_max: u32::try_from(of.number("max.connections")).unwrap_or(0),
            connections_per_ip_max: u32::try_from(of.number("max.connections.per.ip")).unwrap_or(0),
            producer_id_expiration_ms: of.unsigned("producer.id.expiration.ms"),
            retention_check_ms: of.unsigned("log.retention.check.interval.ms"),
            retention_delay_ms: of.unsigned("log.initial.task.delay.ms"),
            cleaner: of.cleaner(),
            journal_bytes_max: of.unsigned("journal.bytes.max"),
            free_bytes_min: of.unsigned("log.dir.free.bytes.min"),
            tail_bytes_max: of.unsigned("tail.memory.bytes"),
            index_bytes_max: of.unsigned("index.cache.bytes"),
            groups: GroupConfig::typed(&of)?,
            topic_defaults: TopicConfig::default(),
            layers: Layers::default(),
        };
        config.layers = layers;
        config.topic_defaults = config.topic_config(&BTreeMap::new()).map_err(in_words_of_the_broker)?;
        Ok(config)
    }
}

/// A contradiction between topic defaults is one between broker keys.
fn in_words_of_the_broker(error: ConfigError) -> ConfigError {
    let synonym = super::topic_key(&error.key).and_then(|key| key.synonyms.first());
    ConfigError { key: synonym.map_or(error.key.clone(), |synonym| synonym.name.to_owned()), ..error }
}

/// The effective texts, read by type. They are valid and canonical: `RawConfig::set` and `Layers::set_dynamic` saw to it.
pub(super) struct Texts<'a> {
    layers: &'a Layers,
}

impl<'a> Texts<'a> {
    fn maybe(&self, name: &str) -> Option<&'a str> {
        let key = broker_key(name).expect("names in this file are in the table");
        self.layers.value(key).map(|(text, _)| text)
    }

    /// Of a key that has a default.
    pub(super) fn text(&self, name: &str) -> &'a str {
        self.maybe(name).expect("keys read without `maybe` have defaults")
    }

    pub(super) fn number(&self, name: &str) -> i64 {
        self.text(name).parse().expect("canonical numbers parse")
    }

    pub(super) fn int(&self, name: &str) -> i32 {
        i32::try_from(self.number(name)).expect("canonical ints fit")
    }

    /// Of a key whose range has no negative numbers.
    pub(super) fn unsigned(&self, name: &str) -> u64 {
        u64::try_from(self.number(name)).expect("the table's range starts at 0 or above")
    }

    fn boolean(&self, name: &str) -> bool {
        self.text(name) == "true"
    }

    fn cleaner(&self) -> CleanerConfig {
        let rate: f64 =
            self.text("log.cleaner.io.max.bytes.per.second").parse().expect("canonical numbers parse");
        CleanerConfig {
            is_enabled: self.boolean("log.cleaner.enable"),
            backoff_ms: self.unsigned("log.cleaner.backoff.ms").max(CLEANER_BACKOFF_MS_MIN),
            map_bytes: u64::try_from(self.number("log.cleaner.dedupe.buffer.size")).unwrap_or(0),
            // What is more than fits is no limit.
            bytes_per_second: (rate as u64).max(1),
        }
    }

    fn is_set(&self, name: &str) -> bool {
        self.layers.fixed.contains_key(name)
    }

    fn node_id(&self) -> Result<BrokerId, ConfigError> {
        let (old, new) = (self.int("broker.id"), self.int("node.id"));
        if self.is_set("broker.id") && self.is_set("node.id") && old != new {
            let problem = format!("it must equal node.id, which is {new}");
            return Err(ConfigError::new("broker.id", Some(&old.to_string()), problem));
        }
        let id = if self.is_set("broker.id") && !self.is_set("node.id") { old } else { new };
        if id < 0 {
            return Err(ConfigError::new("broker.id", Some(&id.to_string()), "allowed: 0 to 2147483647"));
        }
        Ok(BrokerId(id))
    }

    fn cluster_id(&self) -> Result<Option<String>, ConfigError> {
        let Some(text) = self.maybe("cluster.id") else { return Ok(None) };
        let is_digit = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_');
        if text.len() == 22 && text.bytes().all(is_digit) {
            return Ok(Some(text.to_owned()));
        }
        Err(ConfigError::new("cluster.id", Some(text), "allowed: 22 digits of URL-safe base64"))
    }

    fn log_dirs(&self) -> Result<Vec<String>, ConfigError> {
        let name = if self.maybe("log.dirs").is_some() { "log.dirs" } else { "log.dir" };
        let text = self.maybe(name).unwrap_or_default();
        let dirs: Vec<String> = list_elements(text).map(str::to_owned).collect();
        if dirs.is_empty() || dirs.len() > LOG_DIRS_MAX {
            let problem = format!("allowed: 1 to {LOG_DIRS_MAX} directories");
            return Err(ConfigError::new(name, Some(text), problem));
        }
        Ok(dirs)
    }

    fn metadata_log_dir(&self) -> Result<usize, ConfigError> {
        let Some(wanted) = self.maybe("metadata.log.dir") else { return Ok(0) };
        let found = self.log_dirs()?.iter().position(|dir| dir == wanted);
        found.ok_or_else(|| ConfigError::new("metadata.log.dir", Some(wanted), "allowed: one of log.dirs"))
    }

    fn default_replication_factor(&self) -> Result<i16, ConfigError> {
        let text = self.text("default.replication.factor");
        let factor = text.parse().ok().filter(|factor| *factor >= 1);
        factor
            .ok_or_else(|| ConfigError::new("default.replication.factor", Some(text), "allowed: 1 to 32767"))
    }

    fn check_roles(&self) -> Result<(), ConfigError> {
        let text = self.text("process.roles");
        let has = |role| list_elements(text).any(|element| element == role);
        if has("broker") && has("controller") {
            return Ok(());
        }
        let problem = "this broker is its own controller; allowed: broker,controller";
        Err(ConfigError::new("process.roles", Some(text), problem))
    }
}
