//! The keys of groups: what one group of the new consumer protocol sets for itself, in place of the broker's value.
//!
//! Kafka has more of them, for share groups and groups of Kafka Streams, which this broker does not have.

use super::key::{Key, Synonym, Unit, ValueType};

const fn from(name: &'static str) -> Synonym {
    Synonym { name, factor: 1 }
}

/// Sorted by name.
#[rustfmt::skip]
pub(super) const GROUP_KEYS: &[Key] = &[
    Key::group("consumer.assignment.interval.ms", ValueType::Int).min(0).unit(Unit::Ms)
        .synonyms(&[from("group.consumer.assignment.interval.ms")])
        .effective("The least time between two assignments of the group."),
    Key::group("consumer.heartbeat.interval.ms", ValueType::Int).min(1).unit(Unit::Ms)
        .synonyms(&[from("group.consumer.heartbeat.interval.ms")])
        .effective("How often members of the group are to be heard of."),
    Key::group("consumer.session.timeout.ms", ValueType::Int).min(1).unit(Unit::Ms)
        .synonyms(&[from("group.consumer.session.timeout.ms")])
        .effective("A member that is not heard of for this long is put out."),
];
