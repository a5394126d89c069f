//! The known name that a mistyped one most likely means.

/// The nearest of `known` by edit distance, if it is near enough to be meant.
pub(super) fn nearest(name: &str, known: impl Iterator<Item = &'static str>) -> Option<&'static str> {
    let far = name.len() / 3 + 1;
    known
        .map(|candidate| (distance(name, candidate), candidate))
        .filter(|(distance, _)| *distance <= far)
        .min()
        .map(|(_, candidate)| candidate)
}

/// Insertions, deletions and replacements that make `left` into `right`.
fn distance(left: &str, right: &str) -> usize {
    let mut above: Vec<usize> = (0..=right.len()).collect();
    for (row, left_byte) in left.bytes().enumerate() {
        let mut diagonal = row;
        let mut previous = row + 1;
        above[0] = previous;
        for (index, right_byte) in right.bytes().enumerate() {
            let replaced = diagonal + usize::from(left_byte != right_byte);
            diagonal = above[index + 1];
            previous = replaced.min(diagonal + 1).min(previous + 1);
            above[index + 1] = previous;
        }
    }
    above[right.len()]
}

#[cfg(test)]
mod tests {
    use super::{distance, nearest};

    #[test]
    fn distance_counts_edits() {
        for (left, right, expect) in [
            ("", "", 0),
            ("a", "a", 0),
            ("a", "b", 1),
            ("ab", "b", 1),
            ("kitten", "sitting", 3),
            ("", "abc", 3),
        ] {
            assert_eq!(distance(left, right), expect, "{left} {right}");
            assert_eq!(distance(right, left), expect, "{right} {left}");
        }
    }

    #[test]
    fn nothing_is_near_a_name_of_its_own() {
        let known = || ["retention.ms", "retention.bytes"].into_iter();
        assert_eq!(nearest("retenton.ms", known()), Some("retention.ms"));
        assert_eq!(nearest("retention.byte", known()), Some("retention.bytes"));
        assert_eq!(nearest("confluent.value.schema.validation", known()), None);
    }
}
