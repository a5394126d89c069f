//! `docs/CONFIG.md`, made from the table. `PENSTOCK_WRITE_DOCS=1 cargo test config_md` writes it.

use std::fmt::Write as _;

use super::{Allowed, Effect, Key, Update, broker_keys, group_keys, topic_keys};

const HEAD: &str = "# Configuration

Kafka's keys, by Kafka's names, in Kafka's syntax: a `server.properties` of Apache Kafka's works as it is.

    penstock --config server.properties --set log.dirs=/data/penstock

- `--set KEY=VALUE` wins over the file. An unknown key or a value out of range stops the start, and says what would be right.
- A key that Kafka has but that does nothing here is taken with one line of warning; DescribeConfigs shows it.
- **live** values may be changed while running (IncrementalAlterConfigs), for one broker or for all; **broker**: for one broker only;
  **restart**: in the file.
- Of several keys for one value (`log.retention.ms`, `.minutes`, `.hours`) the finer unit wins.

This page is made from the table in `src/config/`; a test keeps it so.
";

fn page() -> String {
    let mut page = HEAD.to_owned();
    let working = |key: &&Key| key.effect == Effect::Effective;
    let kept = |key: &&Key| key.effect != Effect::Effective;
    page.push_str("\n## Keys of topics\n\n");
    table(&mut page, topic_keys().filter(working), true);
    page.push_str("\nTaken and kept, without effect:\n\n");
    table(&mut page, topic_keys().filter(kept), true);
    page.push_str("\nTaken and dropped, because Kafka 4.0 removed them and old tools still send them: ");
    let removed: Vec<String> =
        super::topic_keys::REMOVED_TOPIC_KEYS.iter().map(|name| format!("`{name}`")).collect();
    writeln!(page, "{}.", removed.join(", ")).expect("a String takes everything");
    page.push_str("\n## Keys of groups\n\nOf groups of the new consumer protocol (`kafka-configs.sh --entity-type groups`), ");
    page.push_str("within the broker's bounds.\n\n");
    table(&mut page, group_keys(), true);
    page.push_str("\n## Keys of the broker\n\n");
    table(&mut page, broker_keys().filter(working), false);
    page.push_str("\n## Keys of Kafka's broker that have no effect here\n\n");
    table(&mut page, broker_keys().filter(kept), false);
    page
}

fn table<'a>(page: &mut String, keys: impl Iterator<Item = &'a Key>, topic: bool) {
    let mut line = |text: String| writeln!(page, "{text}").expect("a String takes everything");
    if topic {
        line("| key | type | default | allowed | default from | |\n|--|--|--|--|--|--|".to_owned());
    } else {
        line("| key | type | default | allowed | change | |\n|--|--|--|--|--|--|".to_owned());
    }
    let mut keys: Vec<&Key> = keys.collect();
    keys.sort_by_key(|key| key.name);
    for key in keys {
        let unit = if key.unit.name().is_empty() { String::new() } else { format!(", {}", key.unit.name()) };
        let default = key.default.map_or("-".to_owned(), |text| format!("`{text}`"));
        let allowed = if key.allowed == Allowed::Any { String::new() } else { key.allowed.to_string() };
        let from = match (topic, key.update) {
            (true, _) => key
                .synonyms
                .iter()
                .map(|synonym| format!("`{}`", synonym.name))
                .collect::<Vec<_>>()
                .join(", "),
            (false, Update::Restart) => "restart".to_owned(),
            (false, Update::PerBroker) => "broker".to_owned(),
            (false, Update::ClusterWide) => "live".to_owned(),
        };
        let own = if key.own { "**penstock's own.** " } else { "" };
        let (name, value_type, about) = (key.name, key.value_type.name(), key.about);
        line(format!("| `{name}` | {value_type}{unit} | {default} | {allowed} | {from} | {own}{about} |"));
    }
}

#[test]
#[expect(clippy::disallowed_methods, reason = "the page is a file")]
fn config_md_is_what_the_table_says() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/CONFIG.md");
    if std::env::var_os("PENSTOCK_WRITE_DOCS").is_some() {
        std::fs::write(path, page()).expect("docs/CONFIG.md can be written");
    }
    let written = std::fs::read_to_string(path).expect("docs/CONFIG.md can be read");
    assert!(written == page(), "docs/CONFIG.md is stale: PENSTOCK_WRITE_DOCS=1 cargo test config_md");
}
