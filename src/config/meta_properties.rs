//! `meta.properties`: whose data directory this is. Kafka's format, version 1.
//!
//! Decides what the text means and how it is written; reading and writing the file is the runtime's.

use std::fmt;

use protocol::Uuid;

use super::properties;

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MetaProperties {
    pub cluster_id: String,
    pub node_id: i32,
    /// Names this directory within the cluster; other disks' journals carry another.
    pub directory_id: Uuid,
}

/// What is wrong with the text of a `meta.properties`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MetaPropertiesError {
    pub key: &'static str,
    pub problem: String,
}

impl fmt::Display for MetaPropertiesError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "meta.properties: {}: {}", self.key, self.problem)
    }
}

impl std::error::Error for MetaPropertiesError {}

impl MetaProperties {
    /// Reads the text of the file.
    ///
    /// Errors: a key is missing, or not what it should be; a version other than 1; a `node.id` and `broker.id` that differ.
    pub fn parse(text: &str) -> Result<MetaProperties, MetaPropertiesError> {
        let entries = properties::parse(text)
            .map_err(|error| MetaPropertiesError { key: "syntax", problem: error.to_string() })?;
        let value = |key: &'static str| -> Result<&str, MetaPropertiesError> {
            let last = entries.iter().rev().find(|entry| entry.key == key).map(|entry| entry.value.trim());
            last.filter(|value| !value.is_empty())
                .ok_or(MetaPropertiesError { key, problem: "missing".to_owned() })
        };
        let version = value("version")?;
        if version != "1" {
            let problem = format!("{version} is not supported (allowed: 1)");
            return Err(MetaPropertiesError { key: "version", problem });
        }
        let number = value("node.id")?;
        let node_id = number.parse().ok().filter(|id| *id >= 0);
        let directory = value("directory.id")?;
        let directory_id: Option<Uuid> = directory.parse().ok().filter(|id| *id != Uuid::ZERO);
        Ok(MetaProperties {
            cluster_id: value("cluster.id")?.to_owned(),
            node_id: node_id.ok_or_else(|| MetaPropertiesError {
                key: "node.id",
                problem: format!("{number} is not a number from 0 on"),
            })?,
            directory_id: directory_id.ok_or_else(|| MetaPropertiesError {
                key: "directory.id",
                problem: format!("{directory} is not a usable UUID of 22 digits"),
            })?,
        })
    }
}

/// The text of the file.
impl fmt::Display for MetaProperties {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let MetaProperties { cluster_id, node_id, directory_id } = self;
        writeln!(f, "#")?;
        writeln!(f, "node.id={node_id}\ndirectory.id={directory_id}\nversion=1\ncluster.id={cluster_id}")
    }
}
