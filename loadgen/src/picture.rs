//! A histogram drawn in text, so that a tail, a second hump or a cliff can be seen without another tool.
//!
//! Decides where its rows begin and end and how long its bars are. Bars grow with the logarithm of the count: one batch in a million
//! is what one looks for.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use hdrhistogram::Histogram;
use hdrhistogram::serialization::Deserializer;

use crate::error::LoadError;
use crate::figures;
use crate::report::Summary;

const ROWS_MAX: usize = 24;
const BAR_WIDTH: usize = 40;
const EIGHTHS: [&str; 8] = ["", "▏", "▎", "▍", "▌", "▋", "▊", "▉"];

/// None where nothing was recorded.
pub fn decode(summary: &Summary) -> Result<Option<Histogram<u64>>, LoadError> {
    if summary.histogram.is_empty() || summary.samples == 0 {
        return Ok(None);
    }
    let bytes = BASE64.decode(&summary.histogram).map_err(|error| unreadable(&error))?;
    let histogram = Deserializer::new().deserialize(&mut bytes.as_slice());
    histogram.map(Some).map_err(|error| unreadable(&error))
}

fn unreadable(error: &dyn std::fmt::Display) -> LoadError {
    LoadError::failed(format!("a histogram cannot be read: {error}"), "make the report again")
}

/// Shape:  |  from - to  |  bar  |  count  |  share of all up to here  |
#[must_use]
pub fn draw(histogram: &Histogram<u64>) -> String {
    let rows = rows(histogram);
    let most = rows.iter().map(|row| row.count).max().unwrap_or(0);
    let total = histogram.len().max(1);
    let mut seen = 0;
    let mut text = String::new();
    for row in rows {
        seen += row.count;
        text.push_str(&format!(
            "  {:>8} - {:>8} |{}| {:>11}  {:>9}\n",
            figures::time(row.from as f64),
            figures::time(row.to as f64),
            bar(row.count, most),
            figures::count(row.count),
            share(seen, total),
        ));
    }
    text
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Row {
    from: u64,
    to: u64,
    count: u64,
}

/// Rows end at 1, 2, 5, 10, ... or, where those are too many, at powers of ten. Empty rows at both ends are left out.
fn rows(histogram: &Histogram<u64>) -> Vec<Row> {
    let fine = rows_ending_at(histogram, &[1, 2, 5]);
    if fine.len() <= ROWS_MAX { fine } else { rows_ending_at(histogram, &[1]) }
}

fn rows_ending_at(histogram: &Histogram<u64>, steps: &[u64]) -> Vec<Row> {
    let mut rows: Vec<Row> = Vec::new();
    let mut from = 0;
    let mut edges = (0..19).flat_map(|power| steps.iter().map(move |step| step * 10u64.pow(power)));
    let mut to = edges.next().expect("there are nineteen powers of ten");
    for value in histogram.iter_recorded() {
        while value.value_iterated_to() >= to {
            let Some(next) = edges.next() else { break };
            (from, to) = (to, next);
            // The rows in the middle that nobody fell into are shown too.
            if !rows.is_empty() {
                rows.push(Row { from, to, count: 0 });
            }
        }
        if rows.is_empty() {
            rows.push(Row { from, to, count: 0 });
        }
        let last = rows.last_mut().expect("one was pushed");
        last.count += value.count_since_last_iteration();
    }
    rows
}

fn bar(count: u64, most: u64) -> String {
    // One sample is seen too.
    let length = |count: u64| if count == 0 { 0.0 } else { (count as f64).log10() + 0.5 };
    let eighths = if most == 0 { 0.0 } else { length(count) / length(most) * (BAR_WIDTH * 8) as f64 };
    let eighths = (eighths.round() as usize).min(BAR_WIDTH * 8);
    let part = EIGHTHS[eighths % 8];
    let blanks = BAR_WIDTH - eighths / 8 - usize::from(!part.is_empty());
    format!("{}{part}{}", "█".repeat(eighths / 8), " ".repeat(blanks))
}

/// All nines are shown, and 100 % only where it is all.
fn share(seen: u64, total: u64) -> String {
    if seen == total {
        return "100%".to_owned();
    }
    let percent = (seen as f64 * 100.0 / total as f64).min(99.9999);
    let text = format!("{percent:.4}");
    format!("{}%", if text == "100.0000" { "99.9999" } else { &text })
}

#[cfg(test)]
pub(crate) mod tests {
    use hdrhistogram::serialization::{Serializer, V2DeflateSerializer};

    use super::*;

    pub(crate) fn histogram(samples: &[(u64, u64)]) -> Histogram<u64> {
        let mut histogram = Histogram::new_with_bounds(1, 60_000_000_000, 3).unwrap();
        samples.iter().for_each(|(value, count)| histogram.record_n(*value, *count).unwrap());
        histogram
    }

    pub(crate) fn summary(samples: &[(u64, u64)]) -> Summary {
        let histogram = histogram(samples);
        let mut bytes = Vec::new();
        V2DeflateSerializer::new().serialize(&histogram, &mut bytes).unwrap();
        Summary {
            samples: histogram.len(),
            mean_ns: histogram.mean(),
            min_ns: histogram.min(),
            p50_ns: histogram.value_at_quantile(0.5),
            p90_ns: histogram.value_at_quantile(0.9),
            p99_ns: histogram.value_at_quantile(0.99),
            p999_ns: histogram.value_at_quantile(0.999),
            p9999_ns: histogram.value_at_quantile(0.9999),
            max_ns: histogram.max(),
            histogram: BASE64.encode(bytes),
        }
    }

    #[test]
    fn every_sample_is_in_one_row_between_its_ends() {
        let histogram = histogram(&[(1_500_000, 1000), (3_000_000, 50), (40_000_000, 1)]);
        let rows = rows(&histogram);
        let counts: Vec<u64> = rows.iter().map(|row| row.count).collect();
        assert_eq!(counts, [1000, 50, 0, 0, 1]);
        assert_eq!((rows[0].from, rows[0].to), (1_000_000, 2_000_000));
        assert_eq!((rows[4].from, rows[4].to), (20_000_000, 50_000_000));
        assert!(rows.windows(2).all(|pair| pair[0].to == pair[1].from));
        let picture = draw(&histogram);
        assert_eq!(picture.lines().count(), 5);
        assert!(
            picture.lines().next().is_some_and(|line| line.contains(&"█".repeat(BAR_WIDTH))),
            "{picture}"
        );
        assert!(picture.ends_with("100%\n"), "{picture}");
        assert!(picture.lines().nth(1).is_some_and(|line| line.contains("99.9049%")), "{picture}");
    }

    #[test]
    fn what_was_recorded_from_one_to_the_end_has_few_rows() {
        let histogram = histogram(&[(1, 1), (59_000_000_000, 1)]);
        assert!(rows(&histogram).len() <= ROWS_MAX);
        assert_eq!(rows(&histogram).iter().map(|row| row.count).sum::<u64>(), 2);
    }

    #[test]
    fn bars_have_one_width_and_grow_with_the_logarithm() {
        for count in [0, 1, 2, 999, 1_000_000] {
            assert_eq!(bar(count, 1_000_000).chars().count(), BAR_WIDTH, "{count}");
        }
        assert_eq!(bar(0, 0).trim(), "");
        assert_ne!(bar(1, 1_000_000).trim(), "");
        assert_eq!(share(999_999_999, 1_000_000_000), "99.9999%");
    }

    #[test]
    fn a_summary_gives_its_histogram_back() {
        let made = summary(&[(5_000, 7)]);
        assert_eq!(decode(&made).unwrap().unwrap().len(), 7);
        assert_eq!(decode(&Summary::default()).unwrap(), None);
        let broken = Summary { histogram: "!".to_owned(), ..made };
        assert!(decode(&broken).is_err());
    }
}
