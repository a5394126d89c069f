//! Requests that ask coordinators: what is asked, and how the replies become the answer. Which shard has which group is not known here.

use protocol::Piece;
use protocol::error_code::ErrorCode;

use super::{ApiContext, Outcome, RequestInfo};
use crate::model::group::{GroupAnswer, GroupAsk, GroupReply};
use crate::shard_message::{CoordinatedItem, CoordinatorAnswer, CoordinatorAsk};

/// Turns the replies, in the order of the asks, into the client's answer.
type Responder = Box<dyn FnOnce(&ApiContext<'_>, RequestInfo, Vec<GroupReply>) -> Vec<Piece>>;

/// What remains of a request while coordinators are asked.
pub struct GroupPlan {
    info: RequestInfo,
    replies: Vec<(u32, GroupReply)>,
    respond: Responder,
}

impl GroupPlan {
    pub fn fill(&mut self, answers: Vec<CoordinatedItem>) {
        let replies = answers.into_iter().map(|CoordinatedItem { index, answer }| {
            (index, answer.map(|CoordinatorAnswer::Group(answer)| answer))
        });
        self.replies.extend(replies);
    }

    #[must_use]
    pub fn respond(mut self, context: &ApiContext<'_>) -> Vec<Piece> {
        self.replies.sort_by_key(|(index, _)| *index);
        let replies = self.replies.into_iter().map(|(_, reply)| reply).collect();
        (self.respond)(context, self.info, replies)
    }
}

/// One ask for each group that the request is about; each has one reply.
pub(super) fn ask_all(
    info: RequestInfo,
    asks: Vec<GroupAsk>,
    respond: impl FnOnce(&ApiContext<'_>, RequestInfo, Vec<GroupReply>) -> Vec<Piece> + 'static,
) -> Outcome {
    let plan = GroupPlan { info, replies: Vec::new(), respond: Box::new(respond) };
    Outcome::Coordinate { plan, asks: asks.into_iter().map(CoordinatorAsk::Group).collect() }
}

/// As `ask_all`, about one group.
pub(super) fn ask(
    info: RequestInfo,
    ask: GroupAsk,
    respond: impl FnOnce(&ApiContext<'_>, RequestInfo, GroupReply) -> Vec<Piece> + 'static,
) -> Outcome {
    ask_all(info, vec![ask], move |context, info, mut replies| {
        let reply = replies.pop().expect("one ask has one reply");
        respond(context, info, reply)
    })
}

/// Invariants: a coordinator answers what it was asked.
pub(super) fn mismatch(answer: &GroupAnswer) -> ! {
    panic!("a coordinator answered another question: {answer:?}")
}

/// Groups of members have names.
///
/// Errors: INVALID_GROUP_ID.
pub(super) fn check_group_id(group_id: &str) -> Result<(), ErrorCode> {
    if group_id.is_empty() { Err(ErrorCode::INVALID_GROUP_ID) } else { Ok(()) }
}
