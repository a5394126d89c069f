//! The verdict of a run: the sum of what its partitions say, and one sentence for people.
//!
//! Decides the words and how many examples are shown. What each partition found is decided in `ledger`.

use crate::report::Verification;

/// Examples in words that a run shows.
pub const EXAMPLES_MAX: usize = 10;

/// Adds one partition's verdict to the run's.
pub fn add(total: &mut Verification, part: Verification) {
    total.off |= part.off;
    total.restarted |= part.restarted;
    total.acknowledged += part.acknowledged;
    total.verified += part.verified;
    total.lost += part.lost;
    total.duplicated += part.duplicated;
    total.reordered += part.reordered;
    total.corrupted += part.corrupted;
    total.refused_but_present += part.refused_but_present;
    total.gaps += part.gaps;
    total.indeterminate_present += part.indeterminate_present;
    total.indeterminate_absent += part.indeterminate_absent;
    total.foreign += part.foreign;
    let room = EXAMPLES_MAX.saturating_sub(total.examples.len());
    total.examples.extend(part.examples.into_iter().take(room));
}

/// The verdict in one sentence, without a full stop.
#[must_use]
pub fn sentence(verification: &Verification) -> String {
    if verification.off {
        return "not verified: verification was switched off".into();
    }
    let acknowledged = batches(verification.acknowledged, "acknowledged ");
    let where_from = if verification.restarted { " after a restart of the broker" } else { "" };
    let errors = [
        (verification.lost, "lost"),
        (verification.duplicated, "duplicated"),
        (verification.reordered, "reordered"),
        (verification.corrupted, "corrupted"),
        (verification.refused_but_present, "refused and yet there"),
        (verification.gaps, if verification.gaps == 1 { "gap of offsets" } else { "gaps of offsets" }),
    ];
    let named: Vec<String> = errors
        .iter()
        .filter(|(count, _)| *count > 0)
        .map(|(count, name)| format!("{} {name}", grouped(*count)))
        .collect();
    let verdict = if named.is_empty() {
        format!("verified: {acknowledged} read back{where_from}, each once, in order, unchanged")
    } else {
        format!("VERIFICATION FAILED: {acknowledged} read back{where_from}: {}", named.join(", "))
    };
    format!("{verdict}{}", remarks(verification))
}

fn remarks(verification: &Verification) -> String {
    let unknown = verification.indeterminate_present + verification.indeterminate_absent;
    let mut words = String::new();
    if unknown > 0 {
        words = format!(
            "; of {} without an answer {} there, {} not",
            grouped(unknown),
            grouped(verification.indeterminate_present),
            grouped(verification.indeterminate_absent)
        );
    }
    if verification.foreign > 0 {
        words += &format!("; {} of somebody else", batches(verification.foreign, ""));
    }
    words
}

fn batches(count: u64, adjective: &str) -> String {
    let noun = if count == 1 { "batch" } else { "batches" };
    format!("{} {adjective}{noun}", grouped(count))
}

/// 1234567 as 1,234,567.
fn grouped(count: u64) -> String {
    let digits = count.to_string();
    let mut words = String::with_capacity(digits.len() * 4 / 3);
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            words.push(',');
        }
        words.push(digit);
    }
    words
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sentence_for_each_kind_of_verdict() {
        let clean = Verification { acknowledged: 1_234_567, verified: 1_234_567, ..Verification::default() };
        let check = |verification: &Verification, expect: &str| assert_eq!(sentence(verification), expect);
        check(&clean, "verified: 1,234,567 acknowledged batches read back, each once, in order, unchanged");
        check(
            &Verification {
                restarted: true,
                indeterminate_present: 2,
                indeterminate_absent: 1,
                foreign: 1,
                ..clean.clone()
            },
            "verified: 1,234,567 acknowledged batches read back after a restart of the broker, each once, in order, \
             unchanged; of 3 without an answer 2 there, 1 not; 1 batch of somebody else",
        );
        check(
            &Verification { acknowledged: 1, lost: 1, gaps: 2, ..Verification::default() },
            "VERIFICATION FAILED: 1 acknowledged batch read back: 1 lost, 2 gaps of offsets",
        );
        check(&Verification { off: true, ..clean }, "not verified: verification was switched off");
    }

    #[test]
    fn the_sum_has_all_counts_and_the_first_examples() {
        let part = Verification {
            off: false,
            restarted: true,
            acknowledged: 1,
            verified: 2,
            lost: 3,
            duplicated: 4,
            reordered: 5,
            corrupted: 6,
            refused_but_present: 7,
            gaps: 8,
            indeterminate_present: 9,
            indeterminate_absent: 10,
            foreign: 11,
            examples: (0..7).map(|n| n.to_string()).collect(),
        };
        let mut total = Verification::default();
        add(&mut total, part.clone());
        assert_eq!(total, part);
        add(&mut total, part.clone());
        assert_eq!((total.acknowledged, total.foreign, total.gaps), (2, 22, 16));
        assert_eq!(total.examples.join(" "), "0 1 2 3 4 5 6 0 1 2");
    }
}
