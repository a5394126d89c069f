//! The control plane: what the cluster is, as Kafka metadata records, and who may change it.
//!
//! Decides topics, configs, leader epochs and producer-id blocks, and which records say so. Knows no file and no shard: the
//! records' bytes are written by the runtime, the image is handed round by shard 0.
//!
//! Shape:  request -> `Controller::handle` -> records -> one batch -> (appended and synced elsewhere) -> next image
//!         the same bytes, replayed, give the same image
//!
//! Invariants: state changes only by applying record batches, so what was replayed and what was decided cannot differ.

mod alter_configs;
mod batch;
mod controller;
mod create_topics;
mod names;
mod placement;
mod state;
mod topic_ids;
mod topics;

#[cfg(test)]
mod tests;

use std::fmt;
use std::sync::Arc;

use bytes::Bytes;

pub use controller::{Controller, Incarnation, Mark};
pub use names::{is_made_by_brokers, topic_name_problem};

use crate::model::Now;
use crate::model::control::{ControlAnswer, ControlRequest};
use crate::model::metadata_image::MetadataImage;

/// What a shard needs of whoever decides on metadata: this process here, Apache Kafka's controllers in a cluster.
pub trait ControlPlane {
    fn handle(&mut self, now: Now, request: ControlRequest) -> Decision;
    fn image(&self) -> Arc<MetadataImage>;
}

/// What a request comes to.
///
/// Invariants: `answer` may be given only once `batch` is appended and synced, and every shard has `image()`.
#[derive(Debug)]
pub struct Decision {
    pub answer: ControlAnswer,
    /// None: nothing changed.
    pub batch: Option<Bytes>,
}

/// Why a metadata log cannot be used. `position` counts bytes from its start.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MetadataError {
    pub position: u64,
    /// Of the record, where it got that far.
    pub offset: Option<i64>,
    pub problem: String,
}

impl fmt::Display for MetadataError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "metadata log, byte {}", self.position)?;
        if let Some(offset) = self.offset {
            write!(f, ", offset {offset}")?;
        }
        write!(f, ": {}", self.problem)
    }
}

impl std::error::Error for MetadataError {}
