//! Compares our message declarations with Kafka's own JSON definitions, field by field, version by version.
//!
//! `cargo run -p protocol --example schema_check -- FOLDER...`: each folder holds `*.json` as in Apache Kafka's
//! `clients/src/main/resources/common/message`, `metadata/src/main/resources/common/metadata` or
//! `group-coordinator/src/main/resources/common/message`. Prints every difference and ends with 1 if there is one.
//! `about`, `entityType`, `mapKey`, `zeroCopy` and listeners say nothing about bytes and are not compared.
#![allow(clippy::print_stdout, clippy::print_stderr, clippy::disallowed_methods)]

use std::collections::BTreeMap;
use std::path::Path;
use std::process::ExitCode;

use protocol::messages::SCHEMAS;
use protocol::schema::{DefaultValue, FieldKind, FieldSchema, MessageKind, MessageSchema, Versions};
use serde_json::Value;

fn main() -> ExitCode {
    let folders: Vec<String> = std::env::args().skip(1).collect();
    if folders.is_empty() {
        eprintln!("usage: schema_check FOLDER...");
        return ExitCode::from(2);
    }
    let mut check = Check::default();
    for folder in &folders {
        if let Err(error) = check.folder(Path::new(folder)) {
            eprintln!("{folder}: {error}");
            return ExitCode::from(2);
        }
    }
    for difference in &check.differences {
        println!("{difference}");
    }
    let Check { messages, fields, versions, differences } = check;
    println!(
        "{messages} messages, {versions} versions, {fields} fields compared: {} differences",
        differences.len()
    );
    ExitCode::from(u8::from(!differences.is_empty()))
}

#[derive(Default)]
struct Check {
    messages: usize,
    versions: usize,
    fields: usize,
    differences: Vec<String>,
}

/// Structs a definition declares outside its fields.
type CommonStructs<'j> = BTreeMap<&'j str, &'j Value>;

impl Check {
    fn folder(&mut self, folder: &Path) -> Result<(), Box<dyn std::error::Error>> {
        let mut paths = Vec::new();
        for entry in std::fs::read_dir(folder)? {
            paths.push(entry?.path());
        }
        paths.sort();
        for path in paths.iter().filter(|path| path.extension().is_some_and(|end| end == "json")) {
            let json: Value = serde_json::from_str(&without_comments(&std::fs::read_to_string(path)?))
                .map_err(|error| format!("{}: {error}", path.display()))?;
            self.message(&json);
        }
        Ok(())
    }

    fn message(&mut self, json: &Value) {
        let name = text(json, "name");
        if text(json, "validVersions") == "none" {
            return;
        }
        let Some(ours) = SCHEMAS.iter().find(|schema| schema.name == name) else {
            self.differences.push(format!("{name}: not declared"));
            return;
        };
        self.messages += 1;
        let valid = versions(text(json, "validVersions"));
        self.same(
            name,
            "validVersions",
            valid,
            Versions { first: ours.first_version, last: ours.last_version },
        );
        let flexible = versions(text(json, "flexibleVersions"));
        let flexible_from = if flexible.first > flexible.last { i16::MAX } else { flexible.first };
        self.same(name, "flexibleVersions", flexible_from, ours.flexible_from);
        let key = json.get("apiKey").and_then(Value::as_i64).map(|key| key as i16);
        self.same(name, "apiKey", key, ours.key);
        self.same(name, "type", text(json, "type"), kind_name(ours));
        let common = array(json, "commonStructs").map(|common| (text(common, "name"), common)).collect();
        for version in valid.first..=valid.last {
            self.versions += 1;
            let path = format!("{name} v{version}");
            self.struct_fields(&path, json, ours.fields, &common, version, version >= flexible_from);
        }
    }

    fn struct_fields(
        &mut self,
        path: &str,
        json: &Value,
        ours: &[FieldSchema],
        common: &CommonStructs<'_>,
        version: i16,
        flexible: bool,
    ) {
        let theirs: Vec<&Value> = array(json, "fields").collect();
        let names: Vec<String> = theirs.iter().map(|field| snake_case(text(field, "name"))).collect();
        let our_names: Vec<&str> = ours.iter().map(|field| field.name).collect();
        self.same(path, "fields", format!("{names:?}"), format!("{our_names:?}"));
        for ((theirs, name), ours) in theirs.into_iter().zip(&names).zip(ours) {
            self.field(&format!("{path} {name}"), theirs, ours, common, version, flexible);
        }
    }

    fn field(
        &mut self,
        path: &str,
        theirs: &Value,
        ours: &FieldSchema,
        common: &CommonStructs<'_>,
        version: i16,
        flexible: bool,
    ) {
        self.fields += 1;
        let range = |key| versions(theirs.get(key).and_then(Value::as_str).unwrap_or("none"));
        let present = range("versions").contains(version);
        self.same(path, "versions", present, ours.versions.contains(version));
        let ignorable = theirs.get("ignorable").and_then(Value::as_bool).unwrap_or(false);
        self.same(path, "ignorable", ignorable, ours.ignorable);
        let type_name = text(theirs, "type");
        self.same(path, "type", type_name, &kind(&ours.kind));
        self.same(path, "default", default(theirs), ours.default);
        if !present {
            return;
        }
        let nullable = range("nullableVersions").contains(version);
        self.same(path, "nullable", nullable, ours.nullable.contains(version));
        let tagged = flexible && range("taggedVersions").contains(version);
        let tag = if tagged { theirs.get("tag").and_then(Value::as_u64) } else { None };
        self.same(path, "tag", tag, ours.tag.map(u64::from));
        let old_encoding = theirs.get("flexibleVersions").and_then(Value::as_str) == Some("none");
        self.same(path, "flexible", !old_encoding, ours.flexible);
        if let Some(schema) = inner_struct(&ours.kind) {
            let declared = common.get(schema.name).copied().unwrap_or(theirs);
            self.struct_fields(path, declared, schema.fields, common, version, flexible);
        }
    }

    fn same<T: PartialEq + std::fmt::Debug>(&mut self, path: &str, what: &str, theirs: T, ours: T) {
        if theirs != ours {
            self.differences.push(format!("{path}: {what} is {theirs:?}, ours {ours:?}"));
        }
    }
}

fn kind_name(schema: &MessageSchema) -> &'static str {
    match schema.kind {
        MessageKind::Request => "request",
        MessageKind::Response => "response",
        MessageKind::Header => "header",
        MessageKind::Metadata => "metadata",
        MessageKind::CoordinatorKey => "coordinator-key",
        MessageKind::CoordinatorValue => "coordinator-value",
        MessageKind::Data => "data",
    }
}

fn inner_struct(kind: &FieldKind) -> Option<&'static protocol::schema::StructSchema> {
    match kind {
        FieldKind::Array(element) => inner_struct(element),
        FieldKind::Struct(schema) => Some(schema),
        _ => None,
    }
}

fn kind(kind: &FieldKind) -> String {
    let name = match kind {
        FieldKind::Array(element) => return format!("[]{}", self::kind(element)),
        FieldKind::Struct(schema) => schema.name,
        FieldKind::Bool => "bool",
        FieldKind::Int8 => "int8",
        FieldKind::Int16 => "int16",
        FieldKind::Uint16 => "uint16",
        FieldKind::Int32 => "int32",
        FieldKind::Uint32 => "uint32",
        FieldKind::Int64 => "int64",
        FieldKind::Float64 => "float64",
        FieldKind::Uuid => "uuid",
        FieldKind::String => "string",
        FieldKind::Bytes => "bytes",
        FieldKind::Records => "records",
    };
    name.to_owned()
}

fn default(field: &Value) -> DefaultValue {
    let nullable_records = text(field, "type") == "records" && field.get("nullableVersions").is_some();
    let text = match field.get("default") {
        // What Kafka's generator does, without saying so in the definition.
        None if nullable_records => return DefaultValue::Null,
        None => return DefaultValue::Zero,
        Some(Value::String(text)) => text.clone(),
        Some(other) => other.to_string(),
    };
    let number = match text.strip_prefix("0x") {
        Some(digits) => i64::from_str_radix(digits, 16),
        None => text.parse(),
    };
    match (text.as_str(), number) {
        ("" | "false", _) | (_, Ok(0)) => DefaultValue::Zero,
        ("null", _) => DefaultValue::Null,
        ("true", _) => DefaultValue::True,
        (_, Ok(number)) => DefaultValue::Int(number),
        (other, Err(_)) => panic!("a default of a kind we do not know: {other}"),
    }
}

fn text<'j>(json: &'j Value, key: &str) -> &'j str {
    json.get(key).and_then(Value::as_str).unwrap_or_default()
}

fn array<'j>(json: &'j Value, key: &str) -> impl Iterator<Item = &'j Value> {
    json.get(key).and_then(Value::as_array).into_iter().flatten()
}

/// Parses Kafka's notation: `none`, `4`, `4-18`, `12+`.
fn versions(text: &str) -> Versions {
    let number = |text: &str| text.trim().parse::<i16>().expect("a version is a number");
    if text == "none" || text.is_empty() {
        return Versions { first: 1, last: 0 };
    }
    if let Some(first) = text.strip_suffix('+') {
        return Versions { first: number(first), last: i16::MAX };
    }
    let (first, last) = text.split_once('-').unwrap_or((text, text));
    Versions { first: number(first), last: number(last) }
}

/// `KRaftVersion` is `k_raft_version`, `V3AndBelow` is `v3_and_below`.
fn snake_case(name: &str) -> String {
    let letters: Vec<char> = name.chars().collect();
    let mut snake = String::new();
    for (index, letter) in letters.iter().enumerate() {
        let after_lower = index > 0 && !letters[index - 1].is_uppercase();
        let before_lower = letters.get(index + 1).is_some_and(|next| next.is_lowercase());
        if letter.is_uppercase() && index > 0 && (after_lower || before_lower) {
            snake.push('_');
        }
        snake.extend(letter.to_lowercase());
    }
    snake
}

/// Kafka's definitions are JSON with comments from `//` to the end of the line.
fn without_comments(text: &str) -> String {
    let mut plain = String::with_capacity(text.len());
    for line in text.lines() {
        let mut in_string = false;
        let mut end = line.len();
        let bytes = line.as_bytes();
        for index in 0..bytes.len() {
            match bytes[index] {
                b'"' if index == 0 || bytes[index - 1] != b'\\' => in_string = !in_string,
                b'/' if !in_string && bytes.get(index + 1) == Some(&b'/') => {
                    end = index;
                    break;
                }
                _ => {}
            }
        }
        plain.push_str(&line[..end]);
        plain.push('\n');
    }
    plain
}
