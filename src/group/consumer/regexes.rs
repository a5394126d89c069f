//! Looking up which topics a group's regular expressions stand for.
//!
//! Decides what a pattern matches: a topic's whole name, as with Kafka's RE2. Patterns are looked up after the heartbeat that brought them,
//! in slices of bounded work, so that neither many topics nor a slow pattern hold up a shard; the answer becomes records.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Bound;
use std::sync::Arc;

use regex::{Regex, RegexBuilder};

use crate::limits::{GROUP_REGEX_BYTES_MAX, GROUP_REGEX_SLICE};
use crate::model::metadata_image::MetadataImage;

/// To compile a pattern costs about as much as matching it against so many names.
const COMPILE_COST: usize = 256;

/// Compiles a pattern that shall match whole names. The error is a sentence for people.
pub(super) fn compile(pattern: &str) -> Result<Regex, String> {
    let build = |pattern: &str| RegexBuilder::new(pattern).size_limit(GROUP_REGEX_BYTES_MAX).build();
    // By itself first: what only makes sense between our brackets is none.
    build(pattern)
        .and_then(|_| build(&format!(r"\A(?:{pattern})\z")))
        .map_err(|error| error.to_string().lines().last().unwrap_or("not understood").trim().to_owned())
}

/// A lookup that is under way.
#[derive(Debug)]
pub(super) struct Lookup {
    /// Of the image that it began with. Topics that come and go meanwhile make another lookup necessary.
    pub image_version: u64,
    waiting: BTreeSet<Arc<str>>,
    current: Option<CurrentPattern>,
    pub found: BTreeMap<Arc<str>, BTreeSet<Arc<str>>>,
}

#[derive(Debug)]
struct CurrentPattern {
    pattern: Arc<str>,
    regex: Regex,
    /// The last name that was matched.
    after: Option<Arc<str>>,
    topics: BTreeSet<Arc<str>>,
}

impl Lookup {
    pub(super) fn new(patterns: BTreeSet<Arc<str>>, image_version: u64) -> Lookup {
        Lookup { image_version, waiting: patterns, current: None, found: BTreeMap::new() }
    }

    /// Does a slice of the work; whether that was the last.
    pub(super) fn advance(&mut self, image: &MetadataImage) -> bool {
        let mut budget = GROUP_REGEX_SLICE;
        while budget > 0 {
            if let Some(current) = &mut self.current {
                if current.advance(image, &mut budget) {
                    let CurrentPattern { pattern, topics, .. } =
                        self.current.take().expect("it was just worked on");
                    self.found.insert(pattern, topics);
                }
                continue;
            }
            let Some(pattern) = self.waiting.pop_first() else { return true };
            budget = budget.saturating_sub(COMPILE_COST);
            match compile(&pattern) {
                Ok(regex) => {
                    self.current =
                        Some(CurrentPattern { pattern, regex, after: None, topics: BTreeSet::new() });
                }
                // Of a log that another broker wrote, with other ideas of what a pattern is.
                Err(_) => drop(self.found.insert(pattern, BTreeSet::new())),
            }
        }
        self.current.is_none() && self.waiting.is_empty()
    }
}

impl CurrentPattern {
    /// Whether all names were matched.
    fn advance(&mut self, image: &MetadataImage, budget: &mut usize) -> bool {
        let from = match &self.after {
            Some(name) => Bound::Excluded(name.clone()),
            None => Bound::Unbounded,
        };
        for name in image.names.range((from, Bound::Unbounded)).map(|(name, _)| name) {
            if *budget == 0 {
                return false;
            }
            *budget -= 1;
            if self.regex.is_match(name) {
                self.topics.insert(name.clone());
            }
            self.after = Some(name.clone());
        }
        true
    }
}
