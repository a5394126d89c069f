//! Java's properties syntax: comments, continued lines, escapes, three separators.
//!
//! Decides what key and value a line means. Knows no keys.

use std::fmt;

/// One entry, with the number (from 1) of its first line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    pub line: u32,
    pub key: String,
    pub value: String,
}

/// `\u` that is not followed by four hex digits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BadEscape {
    pub line: u32,
}

impl fmt::Display for BadEscape {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "line {}: \\u needs four hex digits", self.line)
    }
}

impl std::error::Error for BadEscape {}

/// The entries in order; a key may occur more than once.
pub fn parse(text: &str) -> Result<Vec<Entry>, BadEscape> {
    logical_lines(text).map(|(number, line)| entry(number, &line)).collect()
}

/// Lines with their continuations joined, without blank lines and comments.
fn logical_lines(text: &str) -> impl Iterator<Item = (u32, String)> {
    let mut lines = text.split(['\n', '\r']).zip(line_numbers(text));
    std::iter::from_fn(move || {
        loop {
            let (first, number) = lines.next()?;
            let first = first.trim_start_matches(is_blank);
            if first.is_empty() || first.starts_with(['#', '!']) {
                continue;
            }
            let mut joined = first.to_owned();
            while continues(&joined) {
                joined.pop();
                let Some((next, _)) = lines.next() else { break };
                joined.push_str(next.trim_start_matches(is_blank));
            }
            return Some((number, joined));
        }
    })
}

/// The line number of each part of `split(['\n', '\r'])`; `\r\n` counts once.
fn line_numbers(text: &str) -> impl Iterator<Item = u32> {
    let mut number = 1;
    let mut previous = '\n';
    let ends = text.chars().filter_map(move |c| {
        let pair = previous == '\r' && c == '\n';
        previous = c;
        if c != '\n' && c != '\r' {
            return None;
        }
        number += u32::from(!pair);
        Some(number)
    });
    std::iter::once(1).chain(ends)
}

fn is_blank(c: char) -> bool {
    matches!(c, ' ' | '\t' | '\x0c')
}

/// Does the line end with an odd number of backslashes?
fn continues(line: &str) -> bool {
    line.bytes().rev().take_while(|&byte| byte == b'\\').count() % 2 == 1
}

fn entry(line: u32, text: &str) -> Result<Entry, BadEscape> {
    let mut escaped = false;
    let end = text.find(|c: char| {
        let ends = !escaped && (is_blank(c) || c == '=' || c == ':');
        escaped = !escaped && c == '\\';
        ends
    });
    let (key, rest) = text.split_at(end.unwrap_or(text.len()));
    let rest = rest.trim_start_matches(is_blank);
    let value = rest.strip_prefix(['=', ':']).unwrap_or(rest).trim_start_matches(is_blank);
    Ok(Entry { line, key: unescape(line, key)?, value: unescape(line, value)? })
}

fn unescape(line: u32, text: &str) -> Result<String, BadEscape> {
    let mut out = String::with_capacity(text.len());
    let mut units: Vec<u16> = Vec::new();
    let mut chars = text.chars();
    while let Some(c) = chars.next() {
        let plain = match (c, if c == '\\' { chars.next() } else { None }) {
            ('\\', Some('u')) => {
                let digits: String = chars.by_ref().take(4).collect();
                let all_hex = digits.len() == 4 && digits.bytes().all(|byte| byte.is_ascii_hexdigit());
                let unit =
                    u16::from_str_radix(&digits, 16).ok().filter(|_| all_hex).ok_or(BadEscape { line })?;
                // Two of them may be one character, so they are kept until something else follows.
                units.push(unit);
                continue;
            }
            ('\\', None) => continue,
            ('\\', Some('t')) => '\t',
            ('\\', Some('n')) => '\n',
            ('\\', Some('r')) => '\r',
            ('\\', Some('f')) => '\x0c',
            ('\\', Some(other)) => other,
            (other, _) => other,
        };
        out.push_str(&String::from_utf16_lossy(&units));
        units.clear();
        out.push(plain);
    }
    out.push_str(&String::from_utf16_lossy(&units));
    Ok(out)
}

#[cfg(test)]
mod tests {
    use super::{BadEscape, parse};

    #[test]
    fn lines_mean_what_java_reads() {
        for (text, expect) in [
            ("a=b", vec![(1, "a", "b")]),
            ("a : b", vec![(1, "a", "b")]),
            ("a b", vec![(1, "a", "b")]),
            ("  a\t=\tb  ", vec![(1, "a", "b  ")]),
            ("a==b", vec![(1, "a", "=b")]),
            ("a", vec![(1, "a", "")]),
            ("a=", vec![(1, "a", "")]),
            ("# a=b\n! c=d\n\n  # e\nf=g", vec![(5, "f", "g")]),
            ("a=b\r\nc=d\re=f", vec![(1, "a", "b"), (2, "c", "d"), (3, "e", "f")]),
            ("a=b,\\\n   c\nd=e", vec![(1, "a", "b,c"), (3, "d", "e")]),
            ("a=b\\\\\nc=d", vec![(1, "a", "b\\"), (2, "c", "d")]),
            ("a=b\\\n# not a comment", vec![(1, "a", "b# not a comment")]),
            ("a\\=b=c", vec![(1, "a=b", "c")]),
            ("a\\ b=c", vec![(1, "a b", "c")]),
            ("a=\\u00e4\\n\\tx\\z", vec![(1, "a", "ä\n\txz")]),
            ("a=\\ud83d\\ude00!", vec![(1, "a", "😀!")]),
            ("a=b\\", vec![(1, "a", "b")]),
            ("=b", vec![(1, "", "b")]),
            ("", vec![]),
        ] {
            let entries = parse(text).unwrap();
            let got: Vec<_> =
                entries.iter().map(|entry| (entry.line, entry.key.as_str(), entry.value.as_str())).collect();
            assert_eq!(got, expect, "{text:?}");
        }
    }

    #[test]
    fn a_broken_escape_names_its_line() {
        for text in ["a=b\nc=\\u12", "a=b\nc=\\u12g4", "\na=\\u+123"] {
            assert_eq!(parse(text), Err(BadEscape { line: 2 }), "{text:?}");
        }
    }
}
