//! One line for each second of a run.
//!
//! Decides its columns. Whether and where it is written is the command's affair.

use crate::figures::{self, Paint};
use crate::report::Second;
use crate::workload::{Rate, Workload};

const LINES_PER_HEADER: u32 = 20;

/// Remembers how many lines are below the last header.
#[derive(Clone, Debug)]
pub struct Live {
    rate: Rate,
    paint: Paint,
    lines: u32,
}

impl Live {
    #[must_use]
    pub fn new(workload: &Workload, paint: Paint) -> Live {
        Live { rate: workload.rate, paint, lines: 0 }
    }

    /// The line of this second, with a header above it where it is time for one.
    pub fn line(&mut self, second: &Second) -> String {
        let header = if self.lines.is_multiple_of(LINES_PER_HEADER) { self.header() } else { String::new() };
        self.lines += 1;
        let time = |nanoseconds: u64| match second.records {
            0 => "-".to_owned(),
            _ => figures::time(nanoseconds as f64),
        };
        let lag = second.lag_records.map_or_else(|| "-".to_owned(), figures::count);
        let errors = format!("{:>7}", figures::count(second.errors));
        let errors = if second.errors > 0 { self.paint.red(&errors) } else { errors };
        let notes = match (second.warm_up, second.connected) {
            (_, 0) => self.paint.red("  not connected"),
            (true, _) => self.paint.yellow("  warm-up"),
            (false, _) => String::new(),
        };
        format!(
            "{header}{:>6} {:>11} {:>11} {:>8} {:>9} {:>9} {:>9} {:>9} {errors} {:>8} {:>9}{notes}\n",
            format!("{} s", second.second),
            self.target(second),
            figures::count(second.records),
            figures::megabytes_per_second(second.bytes, 1.0),
            time(second.response_p50_ns),
            time(second.response_p99_ns),
            time(second.response_p999_ns),
            time(second.response_max_ns),
            figures::count(second.backlog_batches),
            lag,
        )
    }

    fn header(&self) -> String {
        let text = format!(
            "{:>6} {:>11} {:>11} {:>8} {:>9} {:>9} {:>9} {:>9} {:>7} {:>8} {:>9}",
            "time", "target/s", "records/s", "MB/s", "p50", "p99", "p99.9", "max", "errors", "backlog", "lag"
        );
        format!("{}\n", self.paint.bold(&text))
    }

    /// In records: a rate in bytes is divided by the bytes that records have in this second.
    fn target(&self, second: &Second) -> String {
        match self.rate {
            Rate::Max => "max".to_owned(),
            Rate::RecordsPerSecond(records) => figures::count(records.round() as u64),
            Rate::BytesPerSecond(_) if second.bytes == 0 => "-".to_owned(),
            Rate::BytesPerSecond(bytes) => {
                figures::count((bytes * second.records as f64 / second.bytes as f64).round() as u64)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::settings::default_workload;

    const PLAIN: Paint = Paint { colours: false };

    fn second() -> Second {
        Second {
            second: 3,
            records: 10_000,
            bytes: 10_400_000,
            response_p50_ns: 1_200_000,
            lag_records: Some(12),
            connected: 4,
            ..Second::default()
        }
    }

    #[test]
    fn the_header_comes_back_after_twenty_lines() {
        let mut live = Live::new(&default_workload(), PLAIN);
        let lines: Vec<String> = (0..41).map(|_| live.line(&second())).collect();
        let headed: Vec<usize> = (0..41).filter(|index| lines[*index].contains("p99.9")).collect();
        assert_eq!(headed, [0, 20, 40]);
        let widths: Vec<usize> = lines[0].lines().map(|line| line.chars().count()).collect();
        assert_eq!(widths[0], widths[1], "{}", lines[0]);
    }

    #[test]
    fn a_line_says_what_is_unusual() {
        let mut live = Live::new(&default_workload(), PLAIN);
        assert!(!live.line(&second()).contains("warm-up"));
        assert!(live.line(&Second { warm_up: true, ..second() }).contains("warm-up"));
        assert!(live.line(&Second { connected: 0, ..second() }).contains("not connected"));
        let silent = live.line(&Second { records: 0, ..second() });
        assert!(!silent.contains("1.20 ms"), "{silent}");
        let mut coloured = Live::new(&default_workload(), Paint { colours: true });
        assert!(coloured.line(&Second { errors: 5, ..second() }).contains("\x1b[1;31m"));
    }

    #[test]
    fn a_target_in_bytes_is_shown_in_records() {
        let mut workload = default_workload();
        workload.rate = Rate::BytesPerSecond(20_800_000.0);
        assert!(Live::new(&workload, PLAIN).line(&second()).contains("20,000"));
        workload.rate = Rate::Max;
        assert!(Live::new(&workload, PLAIN).line(&second()).contains("max"));
    }
}
