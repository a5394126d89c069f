//! Ids for new topics, from random bytes that the process was given at its start.

use crate::model::TopicId;
use crate::stdx::RandomIds;

/// A stream of random-looking ids: as good as its seed.
#[derive(Debug, Clone)]
pub(super) struct TopicIds(RandomIds);

impl TopicIds {
    /// `start` differs between runs: even a random source that repeats itself does not give an id twice.
    pub(super) fn new(random: [u8; 16], start: u64) -> TopicIds {
        TopicIds(RandomIds::new(random, start))
    }

    /// The next id: of UUID version 4, and none that Kafka reserves.
    pub(super) fn next(&mut self) -> TopicId {
        loop {
            let id = self.0.next_uuid();
            // Kafka's ids never start with the digit `-`, because command lines would take them for options.
            if id[0] >> 2 != 62 {
                return TopicId(id);
            }
        }
    }
}
