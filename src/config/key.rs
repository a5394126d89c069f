//! One row of the table of keys: what a key is called, which texts it takes, what they mean here.
//!
//! Decides whether a text is a value of a key, and its canonical form. Knows no particular key: those are the tables.

use std::fmt;

/// What a value is, by Kafka's names: DescribeConfigs tells it to clients.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ValueType {
    Boolean,
    String,
    Int,
    Short,
    Long,
    Double,
    List,
    Class,
    /// Never shown to anybody.
    Password,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scope {
    Topic,
    Broker,
    Group,
}

/// When a new value counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Update {
    /// Read once, at the start. Kafka's "read-only".
    Restart,
    /// While running, for one broker only.
    PerBroker,
    /// While running, for one broker or as the default of all.
    ClusterWide,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Effect {
    Effective,
    /// Kafka has it, so it is taken, kept and shown; here it changes nothing.
    None,
    /// As `None`, and the user relies on it for safety: the warning is louder.
    Unprotected,
}

/// Which values are taken, beside being of the type.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Allowed {
    Any,
    /// Both inclusive.
    Range(i64, i64),
    RangeOr(i64, i64, i64),
    Fraction(f64, f64),
    OneOf(&'static [&'static str]),
    /// As `OneOf`, whatever the case.
    OneOfAnyCase(&'static [&'static str]),
    /// Every element of a list.
    EachOf(&'static [&'static str]),
    NonEmpty,
    /// `*`, or elements `PARTITION:BROKER`.
    ThrottledReplicas,
}

/// The unit of a value, for readers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unit {
    None,
    Bytes,
    Ms,
    Seconds,
    Minutes,
    Hours,
    Count,
}

/// A broker key that gives a topic key its default; `factor` turns its unit into the topic key's.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Synonym {
    pub name: &'static str,
    pub factor: i64,
}

/// One key.
///
/// Invariants: `default` is a valid value in canonical form, or None: no value.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Key {
    pub name: &'static str,
    pub scope: Scope,
    pub value_type: ValueType,
    pub default: Option<&'static str>,
    pub allowed: Allowed,
    pub unit: Unit,
    pub update: Update,
    pub effect: Effect,
    /// Topic keys: broker keys, the one that wins first. Empty: no broker key.
    pub synonyms: &'static [Synonym],
    /// Not Kafka's, ours.
    pub own: bool,
    pub about: &'static str,
}

/// Why a text is not a value of a key.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum ValueError {
    NotOfType(ValueType),
    NotAllowed(Allowed),
    EmptyElement,
}

impl Key {
    /// Checks a text and gives its canonical form: trimmed, booleans in lower case, numbers without decoration, lists
    /// without blanks and repetitions.
    pub fn canonical(&self, text: &str) -> Result<String, ValueError> {
        // Java's trim: everything up to the blank.
        let text = text.trim_matches(|c: char| c <= ' ');
        match self.value_type {
            ValueType::Boolean => self.boolean(text),
            ValueType::Int => self.whole(text, i64::from(i32::MIN), i64::from(i32::MAX)),
            ValueType::Short => self.whole(text, i64::from(i16::MIN), i64::from(i16::MAX)),
            ValueType::Long => self.whole(text, i64::MIN, i64::MAX),
            ValueType::Double => self.double(text),
            ValueType::List => self.list(text),
            ValueType::String | ValueType::Class | ValueType::Password => self.text(text),
        }
    }

    #[must_use]
    pub fn is_sensitive(&self) -> bool {
        self.value_type == ValueType::Password
    }

    #[must_use]
    pub fn is_live(&self) -> bool {
        self.update != Update::Restart
    }

    fn boolean(&self, text: &str) -> Result<String, ValueError> {
        let text = text.to_ascii_lowercase();
        if text == "true" || text == "false" { Ok(text) } else { Err(ValueError::NotOfType(self.value_type)) }
    }

    fn whole(&self, text: &str, min: i64, max: i64) -> Result<String, ValueError> {
        let value: i64 = text.parse().map_err(|_| ValueError::NotOfType(self.value_type))?;
        if !(min..=max).contains(&value) {
            return Err(ValueError::NotOfType(self.value_type));
        }
        let allowed = match self.allowed {
            Allowed::Range(min, max) => (min..=max).contains(&value),
            Allowed::RangeOr(min, max, or) => (min..=max).contains(&value) || value == or,
            _ => true,
        };
        if allowed { Ok(value.to_string()) } else { Err(ValueError::NotAllowed(self.allowed)) }
    }

    fn double(&self, text: &str) -> Result<String, ValueError> {
        let value: f64 = text.parse().map_err(|_| ValueError::NotOfType(self.value_type))?;
        let allowed = match self.allowed {
            Allowed::Fraction(min, max) => (min..=max).contains(&value),
            _ => !value.is_nan(),
        };
        if allowed { Ok(text.to_owned()) } else { Err(ValueError::NotAllowed(self.allowed)) }
    }

    fn list(&self, text: &str) -> Result<String, ValueError> {
        let mut elements: Vec<&str> = Vec::new();
        for element in list_elements(text) {
            if element.is_empty() {
                return Err(ValueError::EmptyElement);
            }
            let allowed = match self.allowed {
                Allowed::EachOf(names) => names.contains(&element),
                Allowed::ThrottledReplicas => element == "*" || is_throttled_replica(element),
                _ => true,
            };
            if !allowed {
                return Err(ValueError::NotAllowed(self.allowed));
            }
            if !elements.contains(&element) {
                elements.push(element);
            }
        }
        let star_among_others = elements.contains(&"*") && elements.len() > 1;
        if (self.allowed == Allowed::ThrottledReplicas && star_among_others)
            || (self.allowed == Allowed::NonEmpty && elements.is_empty())
        {
            return Err(ValueError::NotAllowed(self.allowed));
        }
        Ok(elements.join(","))
    }

    fn text(&self, text: &str) -> Result<String, ValueError> {
        let allowed = match self.allowed {
            Allowed::OneOf(names) => names.contains(&text),
            Allowed::OneOfAnyCase(names) => names.iter().any(|name| name.eq_ignore_ascii_case(text)),
            Allowed::NonEmpty => !text.is_empty(),
            _ => true,
        };
        if allowed { Ok(text.to_owned()) } else { Err(ValueError::NotAllowed(self.allowed)) }
    }
}

/// The elements of a list value, trimmed; none of the empty text.
pub fn list_elements(text: &str) -> impl Iterator<Item = &str> {
    let text = text.trim();
    text.split(',').map(str::trim).filter(move |_| !text.is_empty())
}

fn is_throttled_replica(element: &str) -> bool {
    let is_number = |part: &str| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit());
    element.split_once(':').is_some_and(|(partition, broker)| is_number(partition) && is_number(broker))
}

impl ValueType {
    /// The number that DescribeConfigs carries.
    #[must_use]
    pub fn code(self) -> i8 {
        match self {
            ValueType::Boolean => 1,
            ValueType::String => 2,
            ValueType::Int => 3,
            ValueType::Short => 4,
            ValueType::Long => 5,
            ValueType::Double => 6,
            ValueType::List => 7,
            ValueType::Class => 8,
            ValueType::Password => 9,
        }
    }

    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            ValueType::Boolean => "boolean",
            ValueType::String => "string",
            ValueType::Int => "int",
            ValueType::Short => "short",
            ValueType::Long => "long",
            ValueType::Double => "double",
            ValueType::List => "list",
            ValueType::Class => "class",
            ValueType::Password => "password",
        }
    }
}

impl Unit {
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Unit::None => "",
            Unit::Bytes => "bytes",
            Unit::Ms => "ms",
            Unit::Seconds => "s",
            Unit::Minutes => "min",
            Unit::Hours => "h",
            Unit::Count => "count",
        }
    }
}

/// What is allowed, as an operator reads it.
impl fmt::Display for Allowed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Allowed::Any => f.write_str("any"),
            Allowed::Range(min, i64::MAX) => write!(f, ">= {min}"),
            Allowed::Range(min, max) => write!(f, "{min} to {max}"),
            Allowed::RangeOr(min, max, or) => write!(f, "{min} to {max}, or {or}"),
            Allowed::Fraction(min, max) => write!(f, "{min} to {max}"),
            Allowed::OneOf(names) => write!(f, "one of {}", names.join(", ")),
            Allowed::OneOfAnyCase(names) => write!(f, "one of {} in any case", names.join(", ")),
            Allowed::EachOf(names) => write!(f, "any of {}", names.join(", ")),
            Allowed::NonEmpty => f.write_str("not empty"),
            Allowed::ThrottledReplicas => f.write_str("*, or PARTITION:BROKER,PARTITION:BROKER,..."),
        }
    }
}

impl fmt::Display for ValueError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            ValueError::NotOfType(ValueType::Boolean) => f.write_str("expected true or false"),
            ValueError::NotOfType(value_type) => write!(f, "expected a number of type {}", value_type.name()),
            ValueError::NotAllowed(allowed) => write!(f, "allowed: {allowed}"),
            ValueError::EmptyElement => f.write_str("an element of the list is empty"),
        }
    }
}

/// A row in the making. The tables are written with these.
impl Key {
    const fn new(name: &'static str, scope: Scope, value_type: ValueType) -> Key {
        Key {
            name,
            scope,
            value_type,
            default: None,
            allowed: Allowed::Any,
            unit: Unit::None,
            update: Update::Restart,
            effect: Effect::None,
            synonyms: &[],
            own: false,
            about: "",
        }
    }

    pub(super) const fn broker(name: &'static str, value_type: ValueType) -> Key {
        Key::new(name, Scope::Broker, value_type)
    }

    /// Topic keys may change at any time.
    pub(super) const fn topic(name: &'static str, value_type: ValueType) -> Key {
        let key = Key::new(name, Scope::Topic, value_type);
        Key { update: Update::ClusterWide, ..key }
    }

    /// So may keys of groups.
    pub(super) const fn group(name: &'static str, value_type: ValueType) -> Key {
        let key = Key::new(name, Scope::Group, value_type);
        Key { update: Update::ClusterWide, ..key }
    }

    pub(super) const fn default(self, default: &'static str) -> Key {
        Key { default: Some(default), ..self }
    }

    pub(super) const fn allowed(self, allowed: Allowed) -> Key {
        Key { allowed, ..self }
    }

    pub(super) const fn range(self, min: i64, max: i64) -> Key {
        Key { allowed: Allowed::Range(min, max), ..self }
    }

    pub(super) const fn min(self, min: i64) -> Key {
        Key { allowed: Allowed::Range(min, i64::MAX), ..self }
    }

    pub(super) const fn unit(self, unit: Unit) -> Key {
        Key { unit, ..self }
    }

    pub(super) const fn live(self) -> Key {
        Key { update: Update::ClusterWide, ..self }
    }

    pub(super) const fn per_broker(self) -> Key {
        Key { update: Update::PerBroker, ..self }
    }

    pub(super) const fn synonyms(self, synonyms: &'static [Synonym]) -> Key {
        Key { synonyms, ..self }
    }

    pub(super) const fn own(self) -> Key {
        Key { own: true, ..self }
    }

    /// It works, and this is what it does.
    pub(super) const fn effective(self, about: &'static str) -> Key {
        Key { effect: Effect::Effective, about, ..self }
    }

    /// It is only kept; this is what it does in Kafka.
    pub(super) const fn kept(self, about: &'static str) -> Key {
        Key { effect: Effect::None, about, ..self }
    }

    pub(super) const fn unprotected(self, about: &'static str) -> Key {
        Key { effect: Effect::Unprotected, about, ..self }
    }
}
