//! (stub)
use super::{ApiContext, Outcome, RequestInfo};
use protocol::Reader;
pub fn handle(_: &ApiContext<'_>, _: RequestInfo, _: &mut Reader<'_>) -> Outcome {
    Outcome::Close("stub")
}
