//! What the user set: known keys with valid values, and where each came from.
//!
//! Decides per key. What keys mean together is decided by `Config::validate`.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use super::key::{Effect, Key, Scope};
use super::{broker_key, broker_keys, group_keys, properties, topic_key, topic_keys};

/// Prefixes under which Kafka takes any key: settings of one listener, and of plug-ins.
const KEPT_PREFIXES: &[&str] = &["listener.name.", "rlmm.config.", "rsm.config.", "config.providers."];

/// Who set a value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Origin {
    File {
        path: Arc<str>,
        line: u32,
    },
    CommandLine,
    /// Through the admin API, while running.
    Dynamic,
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Origin::File { path, line } => write!(f, "{path}:{line}"),
            Origin::CommandLine => f.write_str("command line"),
            Origin::Dynamic => f.write_str("dynamic config"),
        }
    }
}

/// A key that is taken though it does nothing here. One line, for the log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Warning(pub String);

impl fmt::Display for Warning {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A configuration that is refused: which key, which value, who said so, what would be right.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConfigError {
    pub key: String,
    pub value: Option<String>,
    pub origin: Option<Origin>,
    /// What is wrong, and what is allowed.
    pub problem: String,
}

impl ConfigError {
    pub(super) fn new(key: &str, value: Option<&str>, problem: impl Into<String>) -> ConfigError {
        ConfigError {
            key: key.to_owned(),
            value: value.map(str::to_owned),
            origin: None,
            problem: problem.into(),
        }
    }

    #[must_use]
    pub(super) fn from(mut self, origin: &Origin) -> ConfigError {
        self.origin = Some(origin.clone());
        self
    }

    /// A key that does not exist, with the one that is probably meant.
    #[must_use]
    pub fn unknown(name: &str, scope: Scope) -> ConfigError {
        let nearest = match scope {
            Scope::Broker => super::nearest::nearest(name, broker_keys().map(|key| key.name)),
            Scope::Topic => super::nearest::nearest(name, topic_keys().map(|key| key.name)),
            Scope::Group => super::nearest::nearest(name, group_keys().map(|key| key.name)),
        };
        let of_topics = scope == Scope::Broker && topic_key(name).is_some();
        let problem = match nearest {
            Some(nearest) if of_topics => format!("a key of topics, not of brokers; nearest: {nearest}"),
            None if of_topics => "a key of topics, not of brokers".to_owned(),
            Some(nearest) => format!("no such key; nearest: {nearest}"),
            None => "no such key".to_owned(),
        };
        ConfigError::new(name, None, problem)
    }
}

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.key)?;
        if let Some(value) = &self.value {
            write!(f, "={value}")?;
        }
        write!(f, ": {}", self.problem)?;
        if let Some(origin) = &self.origin {
            write!(f, " ({origin})")?;
        }
        Ok(())
    }
}

impl std::error::Error for ConfigError {}

/// One value, in canonical form.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct RawValue {
    pub value: String,
    pub origin: Origin,
}

/// The broker's settings by key. The last one to set a key wins.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct RawConfig {
    values: BTreeMap<&'static str, RawValue>,
}

impl RawConfig {
    /// Sets one key.
    ///
    /// Errors: an unknown key, with the nearest known one; a value out of range, with the range.
    pub fn set(&mut self, key: &str, value: &str, origin: Origin) -> Result<Option<Warning>, ConfigError> {
        let Some(known) = broker_key(key) else {
            return if KEPT_PREFIXES.iter().any(|prefix| key.starts_with(prefix)) {
                Ok(Some(Warning(format!("{key} has no effect in penstock ({origin})"))))
            } else {
                Err(ConfigError::unknown(key, Scope::Broker).from(&origin))
            };
        };
        let shown = if known.is_sensitive() { None } else { Some(value) };
        let canonical = known
            .canonical(value)
            .map_err(|error| ConfigError::new(key, shown, error.to_string()).from(&origin))?;
        let warning = warning(known, &canonical, &origin);
        self.values.insert(known.name, RawValue { value: canonical, origin });
        Ok(warning)
    }

    /// Sets all keys of a file in Java's properties syntax; `path` is for messages.
    ///
    /// Errors: as `set`, for the first entry that is wrong.
    pub fn set_from_properties(&mut self, text: &str, path: &str) -> Result<Vec<Warning>, ConfigError> {
        let path: Arc<str> = path.into();
        let entries =
            properties::parse(text).map_err(|error| ConfigError::new(&path, None, error.to_string()))?;
        let mut warnings = Vec::new();
        for entry in entries {
            let origin = Origin::File { path: path.clone(), line: entry.line };
            warnings.extend(self.set(&entry.key, &entry.value, origin)?);
        }
        Ok(warnings)
    }

    /// Sets `KEY=VALUE`, as `--set` takes it.
    pub fn set_assignment(&mut self, assignment: &str) -> Result<Option<Warning>, ConfigError> {
        let Some((key, value)) = assignment.split_once('=') else {
            return Err(ConfigError::new(assignment, None, "expected KEY=VALUE").from(&Origin::CommandLine));
        };
        self.set(key.trim(), value, Origin::CommandLine)
    }

    pub(super) fn values(&self) -> impl Iterator<Item = (&'static str, &RawValue)> {
        self.values.iter().map(|(key, value)| (*key, value))
    }
}

fn warning(key: &Key, value: &str, origin: &Origin) -> Option<Warning> {
    let name = key.name;
    match key.effect {
        // Set to what it is anyway: nothing to say.
        _ if key.default == Some(value) => None,
        Effect::Effective => None,
        Effect::None => Some(Warning(format!("{name} has no effect in penstock ({origin})"))),
        Effect::Unprotected => Some(Warning(format!(
            "{name} has no effect in penstock: clients are neither authenticated nor authorized ({origin})"
        ))),
    }
}
