//! The house style, as tests: import order, who may touch the world, sizes, names, headers.
//!
//! Decides nothing about meaning: a text scan over comment-free, string-free source, so that a rule costs milliseconds
//! and cannot be silenced by an attribute. Types, formatting and lints stay with the compiler, rustfmt and clippy.
#![allow(clippy::disallowed_types, clippy::disallowed_methods)]

use std::fmt;
use std::fs;
use std::path::{Path, PathBuf};

const FILE_LINES_MAX: usize = 1_000;
const FUNCTION_LINES_MAX: usize = 70;
/// Folders (of the workspace root) that the style covers. A folder that does not exist yet is skipped.
const COVERED: [&str; 8] = ["src", "protocol", "sim", "benches", "cli", "loadgen", "tuning", "tests"];
const NAMES_BANNED: [&str; 8] = ["util", "utils", "common", "helpers", "misc", "manager", "impls", "types"];
/// What tests may name nevertheless: golden files, and the switch that writes them anew.
const WORLD_OF_TESTS: [&str; 2] = ["std::fs", "std::env"];
/// The standard library's own word for a borrow by key.
const FUNCTION_NAMES_ALLOWED: [&str; 1] = ["get_mut"];
const FUNCTION_PREFIXES_BANNED: [&str; 3] = ["get_", "do_", "process_"];
/// Paths that only `src/runtime` and `src/main.rs` may name. `core::time::Duration`, `core::net` and `Arc` carry no world.
const WORLD: [&str; 8] = [
    "glommio",
    "std::fs",
    "std::net",
    "std::time",
    "std::thread",
    "std::env",
    "std::sync::Mutex",
    "std::sync::RwLock",
];

// ---------------------------------------------------------------------------------------------------------------
// The rules over the real tree.

#[test]
fn imports_run_only_downward_in_the_order_of_lib_rs() {
    let order = module_order(&Source::load(&root().join("src/lib.rs")));
    assert_clean(&covered(), |source| upward_imports(source, &order));
}

#[test]
fn only_runtime_and_main_touch_the_world() {
    assert_clean(&covered(), world_outside_runtime);
}

#[test]
fn only_runtime_and_main_are_async() {
    assert_clean(&covered(), async_outside_runtime);
}

#[test]
fn unwrap_is_for_tests() {
    assert_clean(&covered(), unwraps);
}

#[test]
fn files_are_at_most_1000_lines() {
    assert_clean(&covered(), long_file);
}

#[test]
fn functions_are_at_most_70_lines() {
    assert_clean(&covered(), long_functions);
}

#[test]
fn modules_are_named_for_what_they_decide() {
    assert_clean(&covered(), banned_module_name);
}

#[test]
fn functions_are_not_called_get_do_or_process() {
    assert_clean(&covered(), banned_function_names);
}

#[test]
fn every_file_opens_with_what_it_decides() {
    assert_clean(&covered(), missing_header);
}

// ---------------------------------------------------------------------------------------------------------------
// The rules.

struct Finding {
    path: String,
    line: usize,
    message: String,
}

impl fmt::Display for Finding {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{}:{}: {}", self.path, self.line, self.message)
    }
}

/// The names of the `mod` lines of lib.rs, first to last.
fn module_order(lib: &Source) -> Vec<String> {
    let mut order = Vec::new();
    for pair in lib.tokens.windows(3) {
        if pair[0].text == "mod" && pair[2].text == ";" {
            order.push(pair[1].text.clone());
        }
    }
    order
}

fn upward_imports(source: &Source, order: &[String]) -> Vec<Finding> {
    let Some(own) = source.root_module() else { return Vec::new() };
    let Some(own_index) = order.iter().position(|name| *name == own) else {
        return vec![source.finding(1, format!("module `{own}` is not declared in src/lib.rs"))];
    };
    let mut found = Vec::new();
    for (line, path) in &source.paths {
        let Some(target) = source.module_named_from_the_root(path) else { continue };
        let Some(target_index) = order.iter().position(|name| name == target) else { continue };
        if target_index > own_index {
            found.push(source.finding(
                *line,
                format!(
                    "`{own}` imports `{target}`, which src/lib.rs declares below it: imports run downward only; \
                     move the item up the list, or pass it in"
                ),
            ));
        }
    }
    found
}

fn world_outside_runtime(source: &Source) -> Vec<Finding> {
    if !source.is_core() {
        return Vec::new();
    }
    let mut found = Vec::new();
    for (line, path) in &source.paths {
        for world in WORLD {
            if WORLD_OF_TESTS.contains(&world) && source.is_test_line(*line) {
                continue;
            }
            if path == world || path.starts_with(&format!("{world}::")) {
                found.push(source.finding(
                    *line,
                    format!(
                        "`{path}`: only src/runtime and src/main.rs touch the world; take an input or ask for an effect \
                         (core::time::Duration and core::net types are fine)"
                    ),
                ));
            }
        }
    }
    found
}

fn async_outside_runtime(source: &Source) -> Vec<Finding> {
    if !source.is_core() {
        return Vec::new();
    }
    let mut found = Vec::new();
    for (index, token) in source.tokens.iter().enumerate() {
        let awaits = token.text == "await" && index > 0 && source.tokens[index - 1].text == ".";
        if token.text == "async" || awaits {
            found.push(source.finding(
                token.line,
                format!(
                    "`{}`: the core decides in one step and never waits; only src/runtime awaits",
                    token.text
                ),
            ));
        }
    }
    found
}

fn unwraps(source: &Source) -> Vec<Finding> {
    let mut found = Vec::new();
    for window in source.tokens.windows(4) {
        let is_unwrap = window[0].text == "."
            && window[1].text == "unwrap"
            && window[2].text == "("
            && window[3].text == ")";
        if is_unwrap && !source.is_test_line(window[1].line) {
            found.push(source.finding(
                window[1].line,
                "`.unwrap()`: say why it cannot happen with `expect`, or return it".into(),
            ));
        }
    }
    found
}

fn long_file(source: &Source) -> Vec<Finding> {
    if source.line_count <= FILE_LINES_MAX {
        return Vec::new();
    }
    vec![source.finding(
        FILE_LINES_MAX,
        format!(
            "{} lines, at most {FILE_LINES_MAX}: split it by decision, aim at 250-400",
            source.line_count
        ),
    )]
}

fn long_functions(source: &Source) -> Vec<Finding> {
    let mut found = Vec::new();
    for function in source.functions() {
        let line_count = function.last_line - function.first_line + 1;
        if line_count > FUNCTION_LINES_MAX {
            found.push(source.finding(
                function.first_line,
                format!("fn `{}` has {line_count} lines, at most {FUNCTION_LINES_MAX}", function.name),
            ));
        }
    }
    found
}

fn banned_module_name(source: &Source) -> Vec<Finding> {
    let mut found = Vec::new();
    for part in source.path.trim_end_matches(".rs").split('/') {
        if NAMES_BANNED.contains(&part) {
            found.push(
                source.finding(1, format!("`{part}` names no decision: name the file for what it decides")),
            );
        }
    }
    for pair in source.tokens.windows(2) {
        if pair[0].text == "mod" && NAMES_BANNED.contains(&pair[1].text.as_str()) {
            found.push(source.finding(pair[1].line, format!("mod `{}` names no decision", pair[1].text)));
        }
    }
    found
}

fn banned_function_names(source: &Source) -> Vec<Finding> {
    let mut found = Vec::new();
    for pair in source.tokens.windows(2) {
        let name = &pair[1].text;
        if FUNCTION_NAMES_ALLOWED.contains(&name.as_str()) {
            continue;
        }
        if pair[0].text == "fn" && FUNCTION_PREFIXES_BANNED.iter().any(|prefix| name.starts_with(prefix)) {
            found.push(source.finding(
                pair[1].line,
                format!(
                    "fn `{name}`: say the noun (`{}`), or the verb that happens",
                    name.split_once('_').map_or("", |n| n.1)
                ),
            ));
        }
    }
    found
}

/// A crate that is only `fn main() {}` decides nothing yet, and so has nothing to say.
fn missing_header(source: &Source) -> Vec<Finding> {
    let is_placeholder = source.text.trim() == "fn main() {}";
    if is_placeholder || source.text.trim_start().starts_with("//!") {
        return Vec::new();
    }
    vec![source.finding(
        1,
        "the file must open with `//!`: what it decides, and what it deliberately does not".into(),
    )]
}

// ---------------------------------------------------------------------------------------------------------------
// The scanner.

#[derive(Debug, PartialEq)]
struct Token {
    line: usize,
    text: String,
}

struct Function {
    name: String,
    first_line: usize,
    last_line: usize,
}

/// One file: its text, its tokens without comments and literals, and every `a::b::c` in it, groups expanded.
struct Source {
    path: String,
    text: String,
    line_count: usize,
    tokens: Vec<Token>,
    paths: Vec<(usize, String)>,
    /// Half-open line ranges of items below `#[cfg(test)]`.
    test_lines: Vec<(usize, usize)>,
}

impl Source {
    fn load(path: &Path) -> Source {
        let text = fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        let relative = path.strip_prefix(root()).expect("files are collected below the root");
        Source::parse(&relative.to_string_lossy(), &text)
    }

    fn parse(path: &str, text: &str) -> Source {
        let tokens = tokens(text);
        let paths = paths(&tokens);
        let test_lines = test_lines(&tokens);
        let line_count = text.lines().count();
        Source { path: path.into(), text: text.into(), line_count, tokens, paths, test_lines }
    }

    fn finding(&self, line: usize, message: String) -> Finding {
        Finding { path: self.path.clone(), line, message }
    }

    /// `log` for src/log/append.rs and src/log.rs; nothing for lib.rs, main.rs and other crates.
    fn root_module(&self) -> Option<&str> {
        let below = self.path.strip_prefix("src/")?;
        let module = below.split('/').next()?.trim_end_matches(".rs");
        (module != "lib" && module != "main" && module != "bin").then_some(module)
    }

    /// The deterministic core: everything in src but the runtime, the binary and the list of modules.
    fn is_core(&self) -> bool {
        self.root_module().is_some_and(|module| module != "runtime")
    }

    /// Which module of the crate root a path names: `crate::log::x` and, from src/log/mod.rs, `super::log::x`.
    fn module_named_from_the_root<'a>(&self, path: &'a str) -> Option<&'a str> {
        let parts: Vec<&str> = path.split("::").collect();
        if parts[0] == "crate" {
            return parts.get(1).copied();
        }
        let below = self.path.trim_start_matches("src/").trim_end_matches("/mod.rs");
        let depth = below.split('/').count();
        let ups = parts.iter().take_while(|part| **part == "super").count();
        (ups >= depth).then(|| parts.get(ups).copied()).flatten()
    }

    fn is_test_line(&self, line: usize) -> bool {
        let stem = self.path.trim_end_matches(".rs");
        let in_test_file = stem.split('/').any(|part| part == "tests" || part.starts_with("tests_"));
        in_test_file || self.test_lines.iter().any(|(first, end)| (*first..*end).contains(&line))
    }

    fn functions(&self) -> Vec<Function> {
        let mut functions = Vec::new();
        for (index, pair) in self.tokens.windows(2).enumerate() {
            let is_named =
                pair[0].text == "fn" && pair[1].text.starts_with(|c: char| c.is_alphabetic() || c == '_');
            if !is_named {
                continue;
            }
            if let Some(last_line) = end_of_item(&self.tokens, index) {
                functions.push(Function { name: pair[1].text.clone(), first_line: pair[0].line, last_line });
            }
        }
        functions
    }
}

/// The line of the `}` that closes the item starting at `start`, or of its `;` when it has no body.
fn end_of_item(tokens: &[Token], start: usize) -> Option<usize> {
    let mut braces = 0usize;
    let mut brackets = 0usize;
    for token in &tokens[start..] {
        match token.text.as_str() {
            "(" | "[" => brackets += 1,
            ")" | "]" => brackets = brackets.saturating_sub(1),
            "{" => braces += 1,
            "}" => {
                braces = braces.saturating_sub(1);
                if braces == 0 {
                    return Some(token.line);
                }
            }
            ";" if braces == 0 && brackets == 0 => return Some(token.line),
            _ => {}
        }
    }
    None
}

fn test_lines(tokens: &[Token]) -> Vec<(usize, usize)> {
    let mut ranges = Vec::new();
    for (index, window) in tokens.windows(6).enumerate() {
        let text: Vec<&str> = window.iter().map(|token| token.text.as_str()).collect();
        let is_cfg_test = text == ["#", "[", "cfg", "(", "test", ")"];
        let is_test = text[..4] == ["#", "[", "test", "]"];
        if is_cfg_test || is_test {
            let item = index + if is_test { 4 } else { 7 };
            if let Some(last) = tokens.get(item).and_then(|_| end_of_item(tokens, item)) {
                ranges.push((window[0].line, last + 1));
            }
        }
    }
    ranges
}

/// Every path of two or more parts, and every single name that is imported; `a::{b, c::d}` gives `a::b` and `a::c::d`.
fn paths(tokens: &[Token]) -> Vec<(usize, String)> {
    let mut found = Vec::new();
    let mut at = 0;
    while at < tokens.len() {
        let begins = is_word(&tokens[at].text) && (at == 0 || tokens[at - 1].text != "::");
        if begins {
            at = path_at(tokens, at, "", &mut found);
        } else {
            at += 1;
        }
    }
    found
}

/// Reads one path at `at` below `prefix`; returns the index after it.
fn path_at(tokens: &[Token], mut at: usize, prefix: &str, found: &mut Vec<(usize, String)>) -> usize {
    let line = tokens[at].line;
    let mut path = prefix.to_string();
    while let Some(token) = tokens.get(at) {
        if token.text == "{" && !path.is_empty() {
            return group_at(tokens, at + 1, &path, found);
        }
        if !is_word(&token.text) && token.text != "*" {
            break;
        }
        if !path.is_empty() {
            path.push_str("::");
        }
        path.push_str(&token.text);
        at += 1;
        if tokens.get(at).is_none_or(|next| next.text != "::") {
            break;
        }
        at += 1;
    }
    found.push((line, path));
    at
}

fn group_at(tokens: &[Token], mut at: usize, prefix: &str, found: &mut Vec<(usize, String)>) -> usize {
    while let Some(token) = tokens.get(at) {
        if token.text == "}" {
            return at + 1;
        }
        let begins = is_word(&token.text) || token.text == "*";
        at = if begins { path_at(tokens, at, prefix, found) } else { at + 1 };
    }
    at
}

fn is_word(text: &str) -> bool {
    text.starts_with(|c: char| c.is_alphanumeric() || c == '_')
}

/// Words, `::` and single punctuation; comments, strings and character literals are gone.
fn tokens(text: &str) -> Vec<Token> {
    let bytes = text.as_bytes();
    let mut found = Vec::new();
    let (mut at, mut line) = (0, 1);
    while at < bytes.len() {
        let skipped = skip_blank(bytes, at);
        if skipped > at {
            line += bytes[at..skipped].iter().filter(|byte| **byte == b'\n').count();
            at = skipped;
            continue;
        }
        let end = if is_word_byte(bytes[at]) {
            at + bytes[at..].iter().take_while(|byte| is_word_byte(**byte)).count()
        } else if bytes[at..].starts_with(b"::") {
            at + 2
        } else {
            at + 1
        };
        found.push(Token { line, text: String::from_utf8_lossy(&bytes[at..end]).into_owned() });
        at = end;
    }
    found
}

/// The index after the white space, comment or literal that begins at `at`; `at` itself when none does.
fn skip_blank(bytes: &[u8], at: usize) -> usize {
    let rest = &bytes[at..];
    match rest[0] {
        byte if byte.is_ascii_whitespace() => at + 1,
        b'/' if rest.starts_with(b"//") => at + rest.iter().take_while(|byte| **byte != b'\n').count(),
        b'/' if rest.starts_with(b"/*") => at + block_comment(rest),
        b'"' => at + string(rest),
        b'\'' => at + character(rest),
        b'r' | b'b' | b'c' if at == 0 || !is_word_byte(bytes[at - 1]) => at + prefixed_string(rest),
        _ => at,
    }
}

fn block_comment(rest: &[u8]) -> usize {
    let (mut depth, mut at) = (0, 0);
    while at < rest.len() {
        if rest[at..].starts_with(b"/*") {
            depth += 1;
            at += 2;
        } else if rest[at..].starts_with(b"*/") {
            depth -= 1;
            at += 2;
            if depth == 0 {
                return at;
            }
        } else {
            at += 1;
        }
    }
    rest.len()
}

fn string(rest: &[u8]) -> usize {
    let mut at = 1;
    while at < rest.len() {
        match rest[at] {
            b'\\' => at += 2,
            b'"' => return at + 1,
            _ => at += 1,
        }
    }
    rest.len()
}

/// `'a'` and `'\n'` are literals, `'a` is a lifetime: its quote stays a token.
fn character(rest: &[u8]) -> usize {
    if rest.len() > 1 && rest[1] == b'\\' {
        let close = rest.iter().skip(3).position(|byte| *byte == b'\'').map_or(rest.len(), |found| found + 4);
        return close;
    }
    let width = std::str::from_utf8(&rest[1..rest.len().min(5)])
        .or_else(|error| std::str::from_utf8(&rest[1..1 + error.valid_up_to()]))
        .ok()
        .and_then(|text| text.chars().next())
        .map_or(1, char::len_utf8);
    if rest.get(1 + width) == Some(&b'\'') { width + 2 } else { 0 }
}

/// `r"..."`, `r#"..."#`, `b"..."`, `br#"..."#`, `c"..."`, `b'x'`; 0 when it is a plain word.
fn prefixed_string(rest: &[u8]) -> usize {
    let letters = rest.iter().take(2).take_while(|byte| matches!(byte, b'r' | b'b' | b'c')).count();
    let hashes = rest[letters..].iter().take_while(|byte| **byte == b'#').count();
    let is_raw = rest[..letters].contains(&b'r');
    match rest.get(letters + hashes) {
        Some(b'"') if is_raw => {
            let close = [b"\"".as_slice(), &b"#".repeat(hashes)].concat();
            let body = letters + hashes + 1;
            let length = rest[body..].windows(close.len()).position(|window| window == close);
            length.map_or(rest.len(), |length| body + length + close.len())
        }
        Some(b'"') if hashes == 0 => letters + string(&rest[letters..]),
        Some(b'\'') if hashes == 0 && rest[0] == b'b' => letters + character(&rest[letters..]),
        _ => 0,
    }
}

fn is_word_byte(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'_' || byte >= 0x80
}

// ---------------------------------------------------------------------------------------------------------------
// The tree.

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

fn covered() -> Vec<Source> {
    let mut files = Vec::new();
    for folder in COVERED {
        collect(&root().join(folder), &mut files);
    }
    assert!(files.len() >= 3, "the scan found almost nothing: it looks in the wrong place");
    files.iter().map(|path| Source::load(path)).collect()
}

fn collect(folder: &Path, files: &mut Vec<PathBuf>) {
    let Ok(entries) = fs::read_dir(folder) else { return };
    for entry in entries {
        let path = entry.expect("a listed entry is readable").path();
        if path.is_dir() && path.file_name().is_some_and(|name| name != "target") {
            collect(&path, files);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            files.push(path);
        }
    }
}

fn assert_clean(sources: &[Source], rule: impl Fn(&Source) -> Vec<Finding>) {
    let findings: Vec<String> = sources.iter().flat_map(rule).map(|found| found.to_string()).collect();
    assert!(findings.is_empty(), "\n{}\n", findings.join("\n"));
}

// ---------------------------------------------------------------------------------------------------------------
// The scanner and the rules themselves: each rule must be able to fail.

#[cfg(test)]
mod scanner {
    use super::*;

    fn lines(findings: Vec<Finding>) -> Vec<usize> {
        findings.into_iter().map(|found| found.line).collect()
    }

    fn order() -> Vec<String> {
        module_order(&Source::parse(
            "src/lib.rs",
            "pub mod stdx;\nmod model;\n// mod ghost;\npub(crate) mod log;\npub mod runtime;",
        ))
    }

    #[test]
    fn module_order_is_read_from_mod_lines_only() {
        assert_eq!(order(), ["stdx", "model", "log", "runtime"]);
    }

    #[test]
    fn upward_imports_are_found_plain_grouped_inline_and_by_super() {
        let check = |path: &str, text: &str| lines(upward_imports(&Source::parse(path, text), &order()));
        assert_eq!(check("src/model/mod.rs", "use crate::log::Append;"), [1]);
        assert_eq!(check("src/model/mod.rs", "use crate::{stdx::Slab,\n log::{Append, Read}};"), [2, 2]);
        assert_eq!(check("src/model.rs", "fn f() {\n let x = crate::log::append();\n}"), [2]);
        assert_eq!(check("src/model/mod.rs", "use super::log::Append;"), [1]);
        assert_eq!(check("src/model/ids.rs", "use super::super::log::Append;"), [1]);
        assert_eq!(check("src/model/ids.rs", "use super::log::Append;"), []);
        assert_eq!(check("src/log/mod.rs", "use crate::{model::Offset, stdx};"), []);
        assert_eq!(
            check("src/model/mod.rs", "// crate::log\n/* crate::log */ const X: &str = \"crate::log\";"),
            []
        );
        assert_eq!(check("src/stray/mod.rs", "//! Not in lib.rs."), [1]);
        assert_eq!(check("src/main.rs", "use crate::runtime::run;"), []);
    }

    #[test]
    fn world_is_found_outside_runtime_even_in_groups() {
        let check = |path: &str, text: &str| lines(world_outside_runtime(&Source::parse(path, text)));
        assert_eq!(check("src/log/mod.rs", "use std::fs;"), [1]);
        assert_eq!(
            check("src/log/mod.rs", "use std::{\n fmt,\n time::Instant,\n sync::{Arc, Mutex},\n};"),
            [3, 4]
        );
        assert_eq!(check("src/log/mod.rs", "use glommio::Task;"), [1]);
        assert_eq!(check("src/log/mod.rs", "fn f() { std::thread::yield_now() }"), [1]);
        assert_eq!(
            check("src/log/mod.rs", "use core::{net::IpAddr, time::Duration}; use std::sync::Arc;"),
            []
        );
        assert_eq!(check("src/runtime/clock.rs", "use std::time::Instant;"), []);
        assert_eq!(check("src/main.rs", "use std::env;"), []);
        assert_eq!(check("src/log/tests.rs", "use std::env;\nuse std::time::Instant;"), [2]);
        assert_eq!(check("sim/src/main.rs", "use std::env;"), []);
    }

    #[test]
    fn async_is_found_outside_runtime() {
        let check = |path: &str, text: &str| lines(async_outside_runtime(&Source::parse(path, text)));
        assert_eq!(check("src/log/mod.rs", "async fn f() {\n g()\n .await }"), [1, 3]);
        assert_eq!(check("src/log/mod.rs", "/// async fn, .await\nfn awaits() {}"), []);
        assert_eq!(check("src/runtime/mod.rs", "async fn f() {}"), []);
    }

    #[test]
    fn unwrap_is_found_outside_tests() {
        let check = |path: &str, text: &str| lines(unwraps(&Source::parse(path, text)));
        assert_eq!(check("src/log/mod.rs", "fn f() {\n x.unwrap();\n x\n .unwrap() }"), [2, 4]);
        assert_eq!(check("src/log/mod.rs", "fn f() { x.unwrap_or(1); }"), []);
        assert_eq!(
            check(
                "src/log/mod.rs",
                "#[cfg(test)]\nmod tests {\n fn f() { x.unwrap(); }\n}\nfn g() { x.unwrap(); }"
            ),
            [5]
        );
        assert_eq!(check("src/log/mod.rs", "#[test]\nfn f() { x.unwrap(); }\nfn g() { x.unwrap(); }"), [3]);
        assert_eq!(check("src/log/tests.rs", "fn f() { x.unwrap(); }"), []);
        assert_eq!(check("src/log/tests_model.rs", "fn f() { x.unwrap(); }"), []);
    }

    #[test]
    fn long_files_and_long_functions_are_found() {
        let text = |count: usize| "x;\n".repeat(count);
        assert_eq!(lines(long_file(&Source::parse("src/a.rs", &text(FILE_LINES_MAX)))), []);
        assert_eq!(lines(long_file(&Source::parse("src/a.rs", &text(FILE_LINES_MAX + 1)))), [FILE_LINES_MAX]);
        let function = |body: usize| format!("\nfn f(a: [u8; 2]) {{\n{}}}\nfn g();\n", text(body));
        assert_eq!(lines(long_functions(&Source::parse("src/a.rs", &function(FUNCTION_LINES_MAX - 2)))), []);
        assert_eq!(lines(long_functions(&Source::parse("src/a.rs", &function(FUNCTION_LINES_MAX - 1)))), [2]);
    }

    #[test]
    fn banned_names_are_found() {
        let module = |path: &str, text: &str| lines(banned_module_name(&Source::parse(path, text)));
        assert_eq!(module("src/log/utils.rs", ""), [1]);
        assert_eq!(module("src/common/log.rs", ""), [1]);
        assert_eq!(module("src/log/mod.rs", "fn f() {}\nmod helpers { }"), [2]);
        assert_eq!(module("src/log/append.rs", "mod segment;"), []);
        let function = |text: &str| lines(banned_function_names(&Source::parse("src/a.rs", text)));
        assert_eq!(function("fn get_offset() {}\nfn do_it() {}\nfn process_batch() {}"), [1, 2, 3]);
        assert_eq!(
            function("fn offset() { get_x() }\nfn getter() {}\nfn document() {}\nfn get_mut() {}"),
            []
        );
    }

    #[test]
    fn missing_headers_are_found() {
        let check = |text: &str| lines(missing_header(&Source::parse("src/a.rs", text)));
        assert_eq!(check("use x;\n//! late"), [1]);
        assert_eq!(check("//! What it decides.\nuse x;"), []);
        assert_eq!(check("fn main() {}\n"), []);
    }

    #[test]
    fn literals_and_comments_hide_nothing_after_them() {
        let words =
            |text: &str| tokens(text).into_iter().map(|token| token.text).collect::<Vec<_>>().join(" ");
        assert_eq!(words("a \"b \\\" c\" d"), "a d");
        assert_eq!(words("a r#\"b \" c\"# d"), "a d");
        assert_eq!(words("a br\"b\\\" d"), "a d");
        assert_eq!(words("a '\"' b '\\'' c '{' d 'é' e"), "a b c d e");
        assert_eq!(words("f<'a>(x: &'a str)"), "f < ' a > ( x : & ' a str )");
        assert_eq!(words("a /* b /* c */ d */ e // f\ng"), "a e g");
        assert_eq!(words("raw r#type b c"), "raw r # type b c");
        assert_eq!(tokens("a\n\"x\ny\"\nb").last().map(|token| token.line), Some(4));
    }
}
