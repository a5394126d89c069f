//! DeleteTopics (key 20), versions 1-6.
//!
//! Behaviour: once answered without an error, no shard knows the topic. Each topic gets a result of its own; one that the request
//! holds more than once, be it by name and by id, gets INVALID_REQUEST, once. The timeout is not looked at.
//!
//! v3 TOPIC_DELETION_DISABLED (before: INVALID_REQUEST); v4 flexible; v5 error messages (KIP-599); v6 by id (KIP-516).

use std::collections::BTreeMap;

use protocol::error_code::ErrorCode;
use protocol::messages::delete_topics::{DeletableTopicResult, DeleteTopicsRequest, DeleteTopicsResponse};
use protocol::{Message, Piece, Reader, Uuid};

use super::control_error::{failure, refused, told};
use super::{ApiContext, Outcome, RequestInfo, answer};
use crate::model::TopicId;
use crate::model::control::{ControlAnswer, ControlError, ControlRequest, TopicDone, TopicRef};

const IDS_SINCE: i16 = 6;
const DISABLED_SINCE: i16 = 3;

pub fn handle(context: &ApiContext<'_>, info: RequestInfo, reader: &mut Reader<'_>) -> Outcome {
    let Ok(request) = DeleteTopicsRequest::decode(reader, info.version) else {
        return Outcome::Close("a DeleteTopics request that cannot be read");
    };
    let mut plan = Plan::default();
    if info.version >= IDS_SINCE {
        for topic in &request.topics {
            plan.push(topic.name, TopicId(topic.topic_id.0));
        }
    } else {
        for name in &request.topic_names {
            plan.push(Some(name), TopicId::ZERO);
        }
    }
    let refused = plan.refuse_repeated(context);
    if plan.asked.is_empty() {
        return Outcome::Answer(respond(info, &refused));
    }
    let asked = plan.asked;
    Outcome::Control {
        ask: ControlRequest::DeleteTopics { topics: asked.clone() },
        respond: Box::new(move |_, answer| {
            let mut results = match answer {
                ControlAnswer::DeleteTopics(done) => done,
                other => {
                    let error = failure(other);
                    asked.into_iter().map(|topic| done(topic, error.clone())).collect()
                }
            };
            results.extend(refused);
            respond(info, &results)
        }),
    }
}

#[derive(Default)]
struct Plan {
    asked: Vec<TopicRef>,
    refused: Vec<TopicDone>,
}

impl Plan {
    fn push(&mut self, name: Option<&str>, topic_id: TopicId) {
        let problem = match (name, topic_id != TopicId::ZERO) {
            (Some(name), false) => return self.asked.push(TopicRef::Name(name.to_owned())),
            (None, true) => return self.asked.push(TopicRef::Id(topic_id)),
            (Some(_), true) => "a topic is named by its name or by its id, not by both",
            (None, false) => "a topic is named by its name or by its id",
        };
        let result = refused(ErrorCode::INVALID_REQUEST, problem);
        self.refused.push(TopicDone { name: name.map(str::to_owned), topic_id, result });
    }

    /// Takes out what is asked more than once; gives the results of everything that is refused.
    fn refuse_repeated(&mut self, context: &ApiContext<'_>) -> Vec<TopicDone> {
        let mut times: BTreeMap<Topic, u32> = BTreeMap::new();
        for topic in &self.asked {
            *times.entry(Topic::of(context, topic)).or_default() += 1;
        }
        let mut results = std::mem::take(&mut self.refused);
        let asked = std::mem::take(&mut self.asked);
        for topic in asked {
            match times.get_mut(&Topic::of(context, &topic)) {
                // Its result is there already.
                Some(0) => {}
                Some(1) | None => self.asked.push(topic),
                Some(times) => {
                    *times = 0;
                    let twice = "the request names this topic more than once";
                    results.push(done(topic, refused(ErrorCode::INVALID_REQUEST, twice)));
                }
            }
        }
        results
    }
}

/// What is meant, however it is named.
#[derive(PartialEq, Eq, PartialOrd, Ord)]
enum Topic {
    Known(TopicId),
    Unknown(String),
}

impl Topic {
    fn of(context: &ApiContext<'_>, topic: &TopicRef) -> Topic {
        match topic {
            TopicRef::Id(topic_id) => Topic::Known(*topic_id),
            TopicRef::Name(name) => {
                let known = context.image.names.get(name.as_str());
                known.map_or_else(|| Topic::Unknown(name.clone()), |topic_id| Topic::Known(*topic_id))
            }
        }
    }
}

fn done(topic: TopicRef, result: ControlError) -> TopicDone {
    match topic {
        TopicRef::Name(name) => TopicDone { name: Some(name), topic_id: TopicId::ZERO, result },
        TopicRef::Id(topic_id) => TopicDone { name: None, topic_id, result },
    }
}

fn respond(info: RequestInfo, results: &[TopicDone]) -> Vec<Piece> {
    let rows = results.iter().map(|topic| DeletableTopicResult {
        // Only ids have no names, and only versions with ids can say so.
        name: if info.version < IDS_SINCE {
            Some(topic.name.as_deref().unwrap_or_default())
        } else {
            topic.name.as_deref()
        },
        topic_id: Uuid(topic.topic_id.0),
        error_code: match topic.result.error {
            ErrorCode::TOPIC_DELETION_DISABLED if info.version < DISABLED_SINCE => ErrorCode::INVALID_REQUEST,
            error => error,
        } as i16,
        error_message: told(&topic.result),
    });
    answer(info, &DeleteTopicsResponse { responses: rows.collect(), ..Default::default() })
}
