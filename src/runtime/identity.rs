//! `meta.properties` as a file: read, or made at the first start.

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::Path;

use protocol::Uuid;

use crate::config::Config;
use crate::config::meta_properties::MetaProperties;

use super::files::sync_dir;
use super::preflight::StartError;

const FILE: &str = "meta.properties";

/// Whose directory this is. A configured id that contradicts it refuses the start.
pub fn identity(data_dir: &Path, config: &Config) -> Result<MetaProperties, StartError> {
    let path = data_dir.join(FILE);
    let shown = path.display();
    match fs::read_to_string(&path) {
        Ok(text) => {
            let found = MetaProperties::parse(&text).map_err(|error| {
                StartError::new(format!("{shown}: {error}"), "restore the file from a backup")
            })?;
            check(&found, config, &shown.to_string())?;
            Ok(found)
        }
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            let made = MetaProperties {
                cluster_id: config.cluster_id.clone().unwrap_or_else(|| random_uuid().to_string()),
                node_id: config.node_id.0,
                directory_id: random_uuid(),
            };
            write(data_dir, &made).map_err(|error| {
                StartError::new(
                    format!("cannot write {shown}: {error}"),
                    "give this user the right to write there",
                )
            })?;
            Ok(made)
        }
        Err(error) => Err(StartError::new(format!("cannot read {shown}: {error}"), String::new())),
    }
}

fn check(found: &MetaProperties, config: &Config, shown: &str) -> Result<(), StartError> {
    if let Some(wanted) = &config.cluster_id
        && *wanted != found.cluster_id
    {
        return Err(StartError::new(
            format!("cluster.id is {wanted}, but {shown} belongs to cluster {}", found.cluster_id),
            "remove cluster.id, or choose another data directory",
        ));
    }
    if config.node_id.0 != found.node_id {
        return Err(StartError::new(
            format!("node.id is {}, but {shown} belongs to node {}", config.node_id, found.node_id),
            format!("set node.id={}, or choose another data directory", found.node_id),
        ));
    }
    Ok(())
}

/// Whole or not at all: a crash leaves the directory without identity, as before.
fn write(data_dir: &Path, properties: &MetaProperties) -> io::Result<()> {
    let temporary = data_dir.join(".meta.properties.new");
    let mut file = File::create(&temporary)?;
    write!(file, "{properties}")?;
    file.sync_all()?;
    fs::rename(&temporary, data_dir.join(FILE))?;
    sync_dir(data_dir)
}

/// A version 4 UUID whose text does not begin with a dash, as Kafka makes them: command lines would take it for an option.
fn random_uuid() -> Uuid {
    loop {
        let mut bytes = random_bytes();
        bytes[6] = bytes[6] & 0x0F | 0x40;
        bytes[8] = bytes[8] & 0x3F | 0x80;
        let uuid = Uuid(bytes);
        if !uuid.to_string().starts_with('-') {
            return uuid;
        }
    }
}

/// From the kernel; blocks only before its generator is seeded, early at boot.
#[must_use]
pub fn random_bytes<const N: usize>() -> [u8; N] {
    let mut bytes = [0; N];
    let mut filled = 0;
    while filled < N {
        match rustix::rand::getrandom(&mut bytes[filled..], rustix::rand::GetRandomFlags::empty()) {
            Ok(count) => filled += count,
            Err(rustix::io::Errno::INTR) => {}
            Err(error) => panic!("the kernel gives no random bytes: {error}"),
        }
    }
    bytes
}
