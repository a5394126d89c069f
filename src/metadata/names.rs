//! Names of topics: which are valid, which collide, which are Kafka's own.

/// The longest name: with a partition number it must fit a file name in Kafka.
const NAME_BYTES_MAX: usize = 249;

/// Topics that brokers keep for themselves.
const INTERNAL: &[&str] = &["__consumer_offsets", "__transaction_state", "__share_group_state"];

/// The name of the metadata log: no topic of users.
pub(super) const METADATA_TOPIC: &str = "__cluster_metadata";

pub(super) fn is_internal(name: &str) -> bool {
    INTERNAL.contains(&name)
}

/// Topics that are made by the brokers that use them, with settings of their own: asking for one makes none.
#[must_use]
pub fn is_made_by_brokers(name: &str) -> bool {
    name == METADATA_TOPIC || is_internal(name)
}

/// Why a name is not a topic's name; None if it may be one.
///
/// Source: Apache Kafka's rules, asked.
#[must_use]
pub fn topic_name_problem(name: &str) -> Option<&'static str> {
    let is_legal = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_' | b'-');
    match name {
        "" => Some("a topic needs a name"),
        "." | ".." => Some("a topic cannot be named . or .."),
        _ if name.len() > NAME_BYTES_MAX => Some("a topic's name has at most 249 characters"),
        _ if !name.bytes().all(is_legal) => {
            Some("a topic's name consists of ASCII letters, digits, '.', '_' and '-'")
        }
        _ => None,
    }
}

/// The form in which two names that differ only in '.' and '_' are equal: metric names do not tell them apart.
/// None for names with neither.
pub(super) fn collision_form(name: &str) -> Option<String> {
    name.contains(['.', '_']).then(|| name.replace('.', "_"))
}
