//! How numbers are shown to people: three digits that matter, a unit, columns that line up. And colours, where somebody looks.
//!
//! Decides looks only.

use crate::words::{Bytes, Phrase};
use crate::workload::{Rate, Workload};

/// `870 ns`, `1.23 ms`, `45.6 s`.
#[must_use]
pub fn time(nanoseconds: f64) -> String {
    const UNITS: [(f64, &str); 4] = [(1e9, "s"), (1e6, "ms"), (1e3, "us"), (1.0, "ns")];
    // Rounded first: 999.9 us are 1.00 ms.
    let unit = UNITS.into_iter().find(|(unit, _)| nanoseconds >= unit * 0.9995);
    let (unit, name) = unit.unwrap_or((1.0, "ns"));
    format!("{} {name}", three_digits(nanoseconds / unit))
}

/// `12,345,678`.
#[must_use]
pub fn count(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// `1.23 GB`.
#[must_use]
pub fn bytes(number: u64) -> String {
    const UNITS: [(f64, &str); 4] = [(1e12, "TB"), (1e9, "GB"), (1e6, "MB"), (1e3, "kB")];
    let number = number as f64;
    match UNITS.into_iter().find(|(unit, _)| number >= *unit) {
        Some((unit, name)) => format!("{} {name}", three_digits(number / unit)),
        None => format!("{number} B"),
    }
}

#[must_use]
pub fn megabytes_per_second(bytes: u64, seconds: f64) -> String {
    three_digits(if seconds > 0.0 { bytes as f64 / seconds / 1e6 } else { 0.0 })
}

/// `0.123`, `1.23`, `12.3`, `1,234`.
#[must_use]
pub fn three_digits(number: f64) -> String {
    match number.abs() {
        0.0 => "0".to_owned(),
        size if size < 0.9995 => format!("{number:.3}"),
        size if size < 9.995 => format!("{number:.2}"),
        size if size < 99.95 => format!("{number:.1}"),
        _ => count(number.round() as u64),
    }
}

/// One line: `4 producers to 1 topic of 4 partitions, ...`.
#[must_use]
pub fn workload(workload: &Workload) -> String {
    let plural = |number: u32, what: &str| {
        format!("{} {what}{}", count(u64::from(number)), if number == 1 { "" } else { "s" })
    };
    let readers = match workload.consumers {
        0 => "no reader".to_owned(),
        readers => format!("{} in {}", plural(readers, "reader"), plural(workload.groups, "group")),
    };
    let batch = match workload.linger.is_zero() {
        true => format!("{} in a batch", count(u64::from(workload.records_per_batch))),
        false => {
            format!("up to {} in {}", count(u64::from(workload.records_per_batch)), workload.linger.print())
        }
    };
    format!(
        "{}, {} of {}, {readers}; {} of {}, {batch}, acks={}{}; {} for {}",
        plural(workload.producers, "producer"),
        plural(workload.topics, "topic"),
        plural(workload.partitions, "partition"),
        "records",
        Bytes(u64::from(workload.record_bytes)).print(),
        workload.acks.print(),
        if workload.idempotent { ", idempotent" } else { "" },
        rate(workload.rate),
        workload.duration.print(),
    )
}

#[must_use]
pub fn rate(rate: Rate) -> String {
    match rate {
        Rate::Max => "as fast as answers come".to_owned(),
        Rate::RecordsPerSecond(records) => format!("{} records/s", three_digits(records)),
        Rate::BytesPerSecond(bytes) => format!("{} MB/s", three_digits(bytes / 1e6)),
    }
}

/// Colours for a terminal, none for a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Paint {
    pub colours: bool,
}

impl Paint {
    #[must_use]
    pub fn red(self, text: &str) -> String {
        self.paint("1;31", text)
    }

    #[must_use]
    pub fn green(self, text: &str) -> String {
        self.paint("32", text)
    }

    #[must_use]
    pub fn yellow(self, text: &str) -> String {
        self.paint("33", text)
    }

    #[must_use]
    pub fn bold(self, text: &str) -> String {
        self.paint("1", text)
    }

    fn paint(self, code: &str, text: &str) -> String {
        if self.colours { format!("\x1b[{code}m{text}\x1b[0m") } else { text.to_owned() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_have_three_digits_and_a_unit() {
        let times = [
            (0.0, "0 ns"),
            (870.0, "870 ns"),
            (1_234.0, "1.23 us"),
            (999_900.0, "1.00 ms"),
            (45_600_000.0, "45.6 ms"),
            (61e9, "61.0 s"),
            (1.5e12, "1,500 s"),
        ];
        for (nanoseconds, text) in times {
            assert_eq!(time(nanoseconds), text);
        }
        assert_eq!(
            [count(0), count(999), count(1_000), count(12_345_678)],
            ["0", "999", "1,000", "12,345,678"]
        );
        assert_eq!([bytes(999), bytes(1_500_000), bytes(2_000_000_000)], ["999 B", "1.50 MB", "2.00 GB"]);
        assert_eq!(megabytes_per_second(5_000_000, 0.0), "0");
    }
}
