//! Writes valid messages as a first corpus for the fuzz targets.
//!
//! `cargo run -p protocol --example fuzz_corpus -- fuzz/corpus`: for every message and version a few random ones, into the
//! folders `request_frame` and `response`, in the form each target reads; for `record_batch` the batches that clients sent
//! in the record tests.

#![allow(clippy::disallowed_methods)]

#[path = "../tests/support/mod.rs"]
mod support;

use std::io;
use std::path::{Path, PathBuf};

use protocol::schema::MessageKind;
use support::{MESSAGES, Random, message_with_unknown_tags};

const SEEDS: u64 = 3;

fn main() -> io::Result<()> {
    let root = PathBuf::from(std::env::args().nth(1).unwrap_or_else(|| "fuzz/corpus".to_owned()));
    for target in ["request_frame", "response"] {
        std::fs::create_dir_all(root.join(target))?;
    }
    record_batches(&root.join("record_batch"))?;
    for (index, (schema, _)) in MESSAGES.iter().enumerate() {
        for version in schema.first_version..=schema.last_version {
            for seed in 0..SEEDS {
                let message = message_with_unknown_tags(schema, version, &mut Random::new(seed));
                let (target, head) = match (schema.kind, schema.key) {
                    (MessageKind::Request, Some(key)) => {
                        ("request_frame", request_header(key, version, version >= schema.flexible_from))
                    }
                    _ => {
                        let index = index as u16;
                        (
                            "response",
                            [&index.to_be_bytes()[..], &[(version - schema.first_version) as u8]].concat(),
                        )
                    }
                };
                let path = root.join(target).join(format!("{}-{version}-{seed}", schema.name));
                std::fs::write(path, [head, message].concat())?;
            }
        }
    }
    Ok(())
}

/// Each recorded batch under three rules: as sent and inflated, compressed anew, as sent and believed.
fn record_batches(folder: &Path) -> io::Result<()> {
    std::fs::create_dir_all(folder)?;
    for entry in std::fs::read_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/src/record/fixtures"))? {
        let entry = entry?;
        let batch = std::fs::read(entry.path())?;
        for rules in [0x48, 0x38, 0x08] {
            let name = format!("{}-{rules:x}", entry.file_name().display());
            std::fs::write(folder.join(name), [&[rules], &batch[..]].concat())?;
        }
    }
    Ok(())
}

fn request_header(key: i16, version: i16, flexible: bool) -> Vec<u8> {
    let mut head = [key.to_be_bytes(), version.to_be_bytes()].concat();
    head.extend([0, 0, 0, 1, 0, 1, b'c']);
    if flexible {
        head.push(0);
    }
    head
}
