//! `meta.properties` as a file: read, or made at the first start.

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::Path;

use protocol::Uuid;

use crate::config::Config;
use crate::config::meta_properties::MetaProperties;

use super::files::sync_dir;
use super::preflight::StartError;

/// Kafka's name.
pub const META_PROPERTIES: &str = "meta.properties";

/// Whose directories these are. What is new among them gets an id of its own, and the cluster and node of the others.
///
/// Errors: they contradict each other or the configuration; two have the same id, so one is a copy.
pub fn identities(data_dirs: &[&Path], config: &Config) -> Result<Vec<MetaProperties>, StartError> {
    let mut found = Vec::with_capacity(data_dirs.len());
    for data_dir in data_dirs {
        found.push(read(data_dir, config)?);
    }
    let known = data_dirs.iter().zip(&found).filter_map(|(dir, found)| Some((*dir, found.as_ref()?)));
    let known: Vec<(&Path, &MetaProperties)> = known.collect();
    for (at, (dir, properties)) in known.iter().enumerate() {
        for (other, before) in &known[..at] {
            agree(dir, properties, other, before)?;
        }
    }
    let cluster_id = known.first().map(|(_, first)| first.cluster_id.clone());
    let cluster_id = cluster_id.or_else(|| config.cluster_id.clone());
    let cluster_id = cluster_id.unwrap_or_else(|| random_uuid().to_string());
    let made = data_dirs.iter().zip(found.clone()).map(|(dir, found)| match found {
        Some(found) => Ok(found),
        None => make(dir, &cluster_id, config.node_id.0),
    });
    made.collect()
}

/// Two dirs of one broker.
fn agree(
    dir: &Path,
    properties: &MetaProperties,
    other: &Path,
    before: &MetaProperties,
) -> Result<(), StartError> {
    let (dir, other) = (dir.display(), other.display());
    if properties.cluster_id != before.cluster_id {
        let (one, two) = (&before.cluster_id, &properties.cluster_id);
        return Err(StartError::new(
            format!("{other} belongs to cluster {one}, but {dir} to cluster {two}"),
            "remove the one that is not of this cluster from log.dirs",
        ));
    }
    if properties.directory_id == before.directory_id {
        return Err(StartError::new(
            format!("{other} and {dir} have the same directory.id: one is a copy of the other"),
            "remove the copy from log.dirs",
        ));
    }
    Ok(())
}

/// None: there is no identity yet.
fn read(data_dir: &Path, config: &Config) -> Result<Option<MetaProperties>, StartError> {
    let path = data_dir.join(META_PROPERTIES);
    let shown = path.display();
    match fs::read_to_string(&path) {
        Ok(text) => {
            let found = MetaProperties::parse(&text).map_err(|error| {
                StartError::new(format!("{shown}: {error}"), "restore the file from a backup")
            })?;
            check(&found, config, &shown.to_string())?;
            Ok(Some(found))
        }
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(StartError::new(format!("cannot read {shown}: {error}"), String::new())),
    }
}

fn make(data_dir: &Path, cluster_id: &str, node_id: i32) -> Result<MetaProperties, StartError> {
    let made = MetaProperties { cluster_id: cluster_id.to_owned(), node_id, directory_id: random_uuid() };
    write(data_dir, &made).map_err(|error| {
        let shown = data_dir.join(META_PROPERTIES);
        StartError::new(
            format!("cannot write {}: {error}", shown.display()),
            "give this user the right to write there",
        )
    })?;
    Ok(made)
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
    fs::rename(&temporary, data_dir.join(META_PROPERTIES))?;
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
