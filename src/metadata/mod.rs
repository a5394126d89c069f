//! (stub)
use crate::model::Now;
use crate::model::control::{ControlAnswer, ControlRequest};
use crate::model::metadata_image::MetadataImage;
use bytes::Bytes;
use std::sync::Arc;
#[derive(Debug)]
pub struct Controller;
pub struct Decision {
    pub answer: ControlAnswer,
    pub batch: Option<Bytes>,
}
#[allow(unused_variables)]
impl Controller {
    pub fn handle(&mut self, now: Now, ask: ControlRequest) -> Decision {
        unreachable!()
    }
    pub fn image(&self) -> Arc<MetadataImage> {
        unreachable!()
    }
}
