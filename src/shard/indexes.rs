//! The end of an index load: who waits for it reads again, whether it came or not.

use bytes::Bytes;

use super::Shard;
use crate::effect::{Effects, FileId, IndexFault};
use crate::model::Now;
use crate::storage::{IndexFailure, IndexLoad};

impl Shard {
    pub(super) fn on_index_loaded(
        &mut self,
        now: Now,
        file: FileId,
        result: &Result<Bytes, IndexFault>,
        effects: &mut Effects,
    ) {
        let Some(IndexLoad { log, failure }) = self.storage.on_index_loaded(now.instant, file, result) else {
            return;
        };
        if let Some(IndexFailure { topic_partition, segment, fault }) = failure {
            let file = format!("{topic_partition}/{:020}.log", segment.0);
            match fault {
                IndexFault::Disk(error) => {
                    tracing::error!(file, ?error, "cannot load the index of a segment");
                }
                IndexFault::NotABatch { position } => {
                    tracing::error!(file, position, "the segment is damaged: no batch that belongs there");
                }
            }
        }
        self.seats_go_on(log);
        if self.storage.wakes_index_readers() {
            self.tell_watchers(now, log, effects);
            self.repeat_questions(log, effects);
        }
    }
}
