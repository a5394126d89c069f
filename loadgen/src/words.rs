//! The words in which people write a workload: `5ms`, `16KiB`, `100MB/s`, `zipf:1000:1.1`, `0,2-3`.
//!
//! Decides how each kind of value is written and read. Every value that can be printed reads back as itself. The same words are
//! used by flags, files and expectations; which values make sense is decided in `settings`.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use serde::de::{self, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::workload::{Acks, Arrival, Codec, ConsumeFrom, Keys, Rate};

/// A value that is written as one word. Errors say how it is written.
pub trait Phrase: Sized {
    fn parse(text: &str) -> Result<Self, String>;
    fn print(&self) -> String;
}

/// A value in a flag or a file: one word in both. A file may write it as a plain number where it is one.
#[derive(Clone, Debug, PartialEq)]
pub struct Word<T>(pub T);

impl<T: Phrase> FromStr for Word<T> {
    type Err = String;

    fn from_str(text: &str) -> Result<Word<T>, String> {
        T::parse(text.trim()).map(Word)
    }
}

impl<T: Phrase> Serialize for Word<T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.0.print())
    }
}

impl<'de, T: Phrase> Deserialize<'de> for Word<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Word<T>, D::Error> {
        struct Reader<T>(std::marker::PhantomData<T>);

        impl<T: Phrase> Visitor<'_> for Reader<T> {
            type Value = Word<T>;

            fn expecting(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
                out.write_str("a word in quotes, or a number")
            }

            fn visit_str<E: de::Error>(self, text: &str) -> Result<Word<T>, E> {
                text.parse().map_err(E::custom)
            }

            fn visit_i64<E: de::Error>(self, number: i64) -> Result<Word<T>, E> {
                self.visit_str(&number.to_string())
            }

            fn visit_u64<E: de::Error>(self, number: u64) -> Result<Word<T>, E> {
                self.visit_str(&number.to_string())
            }

            fn visit_f64<E: de::Error>(self, number: f64) -> Result<Word<T>, E> {
                self.visit_str(&number.to_string())
            }
        }

        deserializer.deserialize_any(Reader(std::marker::PhantomData))
    }
}

/// A number of bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bytes(pub u64);

/// Cores by number.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Cpus(pub Vec<usize>);

const BYTE_UNITS: [(&str, u64); 7] = [
    ("GiB", 1 << 30),
    ("GB", 1_000_000_000),
    ("MiB", 1 << 20),
    ("MB", 1_000_000),
    ("KiB", 1 << 10),
    ("kB", 1_000),
    ("B", 1),
];
const TIME_UNITS: [(&str, u64); 6] = [
    ("h", 3_600_000_000_000),
    ("m", 60_000_000_000),
    ("s", 1_000_000_000),
    ("ms", 1_000_000),
    ("us", 1_000),
    ("ns", 1),
];
const COUNT_UNITS: [(&str, u64); 4] = [("", 1), ("k", 1_000), ("M", 1_000_000), ("G", 1_000_000_000)];

const BYTES_HINT: &str = "sizes are written 100, 100B, 16KiB, 1MB";
const DURATION_HINT: &str = "times are written 10s, 5ms, 250us, 2m";
const RATE_HINT: &str =
    "rates are written 100000 or 100k (records/s), 100MB/s (bytes of record batches), or max";
const KEYS_HINT: &str = "keys are written none, round-robin:N or zipf:N:EXPONENT, such as zipf:10000:1.1";
const CPUS_HINT: &str = "cores are written 0,2-3";

impl Phrase for Duration {
    fn parse(text: &str) -> Result<Duration, String> {
        if text == "0" {
            return Ok(Duration::ZERO);
        }
        let (number, unit) = split_unit(text);
        let unit = TIME_UNITS.iter().find(|(name, _)| *name == unit);
        let nanoseconds = unit.and_then(|(_, unit)| scaled(number, *unit)).ok_or(DURATION_HINT)?;
        Ok(Duration::from_nanos(nanoseconds))
    }

    /// In the largest unit, up to seconds, in which it is a whole number.
    fn print(&self) -> String {
        let nanoseconds = self.as_nanos();
        let unit = TIME_UNITS[2..].iter().find(|(_, unit)| nanoseconds.is_multiple_of(u128::from(*unit)));
        let (name, unit) = unit.copied().unwrap_or(("ns", 1));
        format!("{}{name}", nanoseconds / u128::from(unit))
    }
}

impl Phrase for Bytes {
    fn parse(text: &str) -> Result<Bytes, String> {
        Ok(Bytes(bytes(text).ok_or(BYTES_HINT)?))
    }

    fn print(&self) -> String {
        let unit = BYTE_UNITS.iter().find(|(_, unit)| self.0 > 0 && self.0.is_multiple_of(*unit));
        let (name, unit) = unit.copied().unwrap_or(("B", 1));
        format!("{}{name}", self.0 / unit)
    }
}

impl Phrase for Rate {
    fn parse(text: &str) -> Result<Rate, String> {
        if text == "max" {
            return Ok(Rate::Max);
        }
        let plain = text.strip_suffix("/s").unwrap_or(text);
        let (number, unit) = split_unit(plain);
        let count = COUNT_UNITS.iter().find(|(name, _)| *name == unit).map(|(_, unit)| *unit);
        if let Some(count) = count {
            return Ok(Rate::RecordsPerSecond(positive(number, count).ok_or(RATE_HINT)?));
        }
        let bytes = byte_unit(unit).filter(|_| plain != text);
        Ok(Rate::BytesPerSecond(bytes.and_then(|unit| positive(number, unit)).ok_or(RATE_HINT)?))
    }

    fn print(&self) -> String {
        match self {
            Rate::Max => "max".to_owned(),
            Rate::RecordsPerSecond(records) => format!("{records}"),
            Rate::BytesPerSecond(bytes) => {
                match BYTE_UNITS.iter().find(|(_, unit)| bytes % *unit as f64 == 0.0) {
                    Some((name, unit)) => format!("{}{name}/s", bytes / *unit as f64),
                    None => format!("{bytes}B/s"),
                }
            }
        }
    }
}

impl Phrase for Keys {
    fn parse(text: &str) -> Result<Keys, String> {
        let parts: Vec<&str> = text.split(':').collect();
        let keys = match parts[..] {
            ["none"] => Some(Keys::None),
            ["round-robin", keys] => keys.parse().ok().map(Keys::RoundRobin),
            ["zipf", keys, exponent] => keys
                .parse()
                .ok()
                .zip(exponent.parse().ok().filter(|exponent: &f64| exponent.is_finite()))
                .map(|(keys, exponent)| Keys::Zipf { keys, exponent }),
            _ => None,
        };
        keys.ok_or_else(|| KEYS_HINT.to_owned())
    }

    fn print(&self) -> String {
        match self {
            Keys::None => "none".to_owned(),
            Keys::RoundRobin(keys) => format!("round-robin:{keys}"),
            Keys::Zipf { keys, exponent } => format!("zipf:{keys}:{exponent}"),
        }
    }
}

impl Phrase for Acks {
    /// Kafka's own numbers are understood too.
    fn parse(text: &str) -> Result<Acks, String> {
        match text {
            "all" | "-1" => Ok(Acks::All),
            "leader" | "1" => Ok(Acks::Leader),
            "none" | "0" => Ok(Acks::None),
            _ => Err("acks are all, leader (1) or none (0)".to_owned()),
        }
    }

    fn print(&self) -> String {
        named(&[(Acks::All, "all"), (Acks::Leader, "leader"), (Acks::None, "none")], *self)
    }
}

const CODECS: [(Codec, &str); 5] = [
    (Codec::None, "none"),
    (Codec::Gzip, "gzip"),
    (Codec::Snappy, "snappy"),
    (Codec::Lz4, "lz4"),
    (Codec::Zstd, "zstd"),
];

impl Phrase for Codec {
    fn parse(text: &str) -> Result<Codec, String> {
        by_name(&CODECS, text)
    }

    fn print(&self) -> String {
        named(&CODECS, *self)
    }
}

const ARRIVALS: [(Arrival, &str); 2] = [(Arrival::Uniform, "uniform"), (Arrival::Poisson, "poisson")];

impl Phrase for Arrival {
    fn parse(text: &str) -> Result<Arrival, String> {
        by_name(&ARRIVALS, text)
    }

    fn print(&self) -> String {
        named(&ARRIVALS, *self)
    }
}

const STARTS: [(ConsumeFrom, &str); 2] = [(ConsumeFrom::End, "end"), (ConsumeFrom::Beginning, "beginning")];

impl Phrase for ConsumeFrom {
    fn parse(text: &str) -> Result<ConsumeFrom, String> {
        by_name(&STARTS, text)
    }

    fn print(&self) -> String {
        named(&STARTS, *self)
    }
}

impl Phrase for Cpus {
    fn parse(text: &str) -> Result<Cpus, String> {
        let mut cpus = Vec::new();
        for part in text.split(',') {
            let (first, last) = part.split_once('-').unwrap_or((part, part));
            let range = first.trim().parse::<usize>().ok().zip(last.trim().parse::<usize>().ok());
            let (first, last) =
                range.filter(|(first, last)| first <= last && *last < 4096).ok_or(CPUS_HINT)?;
            cpus.extend(first..=last);
        }
        cpus.sort_unstable();
        cpus.dedup();
        Ok(Cpus(cpus))
    }

    fn print(&self) -> String {
        self.0.iter().map(ToString::to_string).collect::<Vec<_>>().join(",")
    }
}

/// `1.5ms` is 1.5 and `ms`.
fn split_unit(text: &str) -> (&str, &str) {
    let end = text.find(|letter: char| !letter.is_ascii_digit() && letter != '.').unwrap_or(text.len());
    (&text[..end], text[end..].trim_start())
}

/// KB, kB and K are all a thousand: everybody writes another one.
fn byte_unit(name: &str) -> Option<u64> {
    let name = if name == "KB" { "kB" } else { name };
    BYTE_UNITS.iter().find(|(known, _)| *known == name).map(|(_, unit)| *unit)
}

fn bytes(text: &str) -> Option<u64> {
    let (number, unit) = split_unit(text);
    scaled(number, if unit.is_empty() { 1 } else { byte_unit(unit)? })
}

/// Whole numbers are exact; a fraction is rounded to the smallest unit.
fn scaled(number: &str, unit: u64) -> Option<u64> {
    if let Ok(whole) = number.parse::<u64>() {
        return whole.checked_mul(unit);
    }
    let value = number.parse::<f64>().ok()? * unit as f64;
    (value.is_finite() && value < u64::MAX as f64).then(|| value.round() as u64)
}

fn positive(number: &str, unit: u64) -> Option<f64> {
    let value = number.parse::<f64>().ok()? * unit as f64;
    (value.is_finite() && value > 0.0).then_some(value)
}

fn by_name<T: Copy>(names: &[(T, &str)], text: &str) -> Result<T, String> {
    let found = names.iter().find(|(_, name)| *name == text).map(|(value, _)| *value);
    found.ok_or_else(|| {
        let known: Vec<&str> = names.iter().map(|(_, name)| *name).collect();
        format!("it is one of {}", known.join(", "))
    })
}

fn named<T: Copy + PartialEq>(names: &[(T, &str)], value: T) -> String {
    let found = names.iter().find(|(known, _)| *known == value);
    found.map(|(_, name)| (*name).to_owned()).expect("every value has a name: the tests read each back")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check<T: Phrase + PartialEq + fmt::Debug>(text: &str, expected: T) {
        let read = T::parse(text).unwrap_or_else(|error| panic!("{text}: {error}"));
        assert_eq!(read, expected, "{text}");
        assert_eq!(T::parse(&read.print()).as_ref(), Ok(&read), "{}", read.print());
    }

    fn refused<T: Phrase + fmt::Debug>(texts: &[&str]) {
        for text in texts {
            assert!(T::parse(text).is_err(), "{text} is taken for {:?}", T::parse(text));
        }
    }

    #[test]
    fn times() {
        check("10s", Duration::from_secs(10));
        check("1.5ms", Duration::from_micros(1500));
        check("250us", Duration::from_micros(250));
        check("2m", Duration::from_secs(120));
        check("0", Duration::ZERO);
        check("7ns", Duration::from_nanos(7));
        refused::<Duration>(&["", "10", "s", "10 parsecs", "-1s", "1.2.3s", "99999999999h"]);
    }

    #[test]
    fn sizes() {
        check("100", Bytes(100));
        check("16KiB", Bytes(16 << 10));
        check("1MB", Bytes(1_000_000));
        check("1.5KB", Bytes(1500));
        check("0", Bytes(0));
        refused::<Bytes>(&["", "KiB", "1Kib", "-1", "99999999999GiB"]);
    }

    #[test]
    fn rates() {
        check("100000", Rate::RecordsPerSecond(100_000.0));
        check("100k", Rate::RecordsPerSecond(100_000.0));
        check("1.5M/s", Rate::RecordsPerSecond(1_500_000.0));
        check("100MB/s", Rate::BytesPerSecond(1e8));
        check("1.5B/s", Rate::BytesPerSecond(1.5));
        check("max", Rate::Max);
        refused::<Rate>(&["0", "-5", "100MB", "fast", "1e999", ""]);
    }

    #[test]
    fn keys_and_cores() {
        check("none", Keys::None);
        check("round-robin:10000", Keys::RoundRobin(10_000));
        check("zipf:1000:1.1", Keys::Zipf { keys: 1000, exponent: 1.1 });
        refused::<Keys>(&["zipf:1000", "round-robin:", "zipf:1:NaN", "some"]);
        check("0,2-3", Cpus(vec![0, 2, 3]));
        check("3,1,1-2", Cpus(vec![1, 2, 3]));
        refused::<Cpus>(&["", "a", "3-1", "0-99999999"]);
    }

    #[test]
    fn names() {
        check("1", Acks::Leader);
        check("-1", Acks::All);
        check("0", Acks::None);
        CODECS.into_iter().for_each(|(codec, name)| check(name, codec));
        ARRIVALS.into_iter().for_each(|(arrival, name)| check(name, arrival));
        STARTS.into_iter().for_each(|(start, name)| check(name, start));
        refused::<Codec>(&["lz5", ""]);
    }
}
