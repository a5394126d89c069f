//! What AlterConfigs and IncrementalAlterConfigs share: resources by type and name, one result for each, in the request's order.
//!
//! Decides which resources can have settings. Which settings they can have is decided by the control plane.

use std::collections::BTreeMap;

use protocol::Piece;
use protocol::error_code::ErrorCode;

use super::control_error::{failure, refused};
use super::{ApiContext, Outcome, RequestInfo};
use crate::model::BrokerId;
use crate::model::control::{
    ConfigChange, ConfigOperation, ConfigResource, ControlAnswer, ControlError, ControlRequest,
};

/// Types of resources, by Kafka's numbers.
pub(super) const TOPIC: i8 = 2;
pub(super) const BROKER: i8 = 4;
pub(super) const BROKER_LOGGER: i8 = 8;
pub(super) const CLIENT_METRICS: i8 = 16;
pub(super) const GROUP: i8 = 32;

/// One resource's place in the answer.
pub(super) struct ChangeRow {
    pub resource_type: i8,
    pub resource_name: String,
    /// None: the control plane decides.
    result: Option<ControlError>,
}

/// Turns the rows into the client's answer.
type Responder = fn(RequestInfo, &[ChangeRow]) -> Vec<Piece>;

/// A request's changes, as far as they make sense at all.
pub(super) struct Changes {
    /// How often each resource is named.
    times: BTreeMap<(i8, String), u32>,
    rows: Vec<ChangeRow>,
    changes: Vec<ConfigChange>,
}

impl ChangeRow {
    /// Invariants: the control plane has answered.
    pub(super) fn result(&self) -> &ControlError {
        self.result.as_ref().expect("every resource has a result when the answer is made")
    }
}

impl Changes {
    /// `resources`: type and name of every resource of the request.
    pub(super) fn new<'a>(resources: impl Iterator<Item = (i8, &'a str)>) -> Changes {
        let mut times: BTreeMap<(i8, String), u32> = BTreeMap::new();
        for (resource_type, name) in resources {
            *times.entry((resource_type, name.to_owned())).or_default() += 1;
        }
        Changes { times, rows: Vec::new(), changes: Vec::new() }
    }

    pub(super) fn push(
        &mut self,
        context: &ApiContext<'_>,
        (resource_type, name): (i8, &str),
        operations: Result<Vec<ConfigOperation>, ControlError>,
        replace_all: bool,
    ) {
        let resource_name = name.to_owned();
        let is_repeated =
            self.times.get(&(resource_type, resource_name.clone())).is_some_and(|times| *times > 1);
        let change = if is_repeated {
            Err(refused(ErrorCode::INVALID_REQUEST, "the request names this resource more than once"))
        } else {
            resource(context, resource_type, name)
                .and_then(|resource| Ok(ConfigChange { resource, operations: operations?, replace_all }))
        };
        let result = match change {
            Ok(change) => {
                self.changes.push(change);
                None
            }
            Err(refused) => Some(refused),
        };
        self.rows.push(ChangeRow { resource_type, resource_name, result });
    }

    pub(super) fn finish(self, info: RequestInfo, validate_only: bool, respond: Responder) -> Outcome {
        let Changes { changes, mut rows, .. } = self;
        if changes.is_empty() {
            return Outcome::Answer(respond(info, &rows));
        }
        Outcome::Control {
            ask: ControlRequest::AlterConfigs { resources: changes, validate_only },
            respond: Box::new(move |_, answer| {
                fill(&mut rows, answer);
                respond(info, &rows)
            }),
        }
    }
}

fn fill(rows: &mut [ChangeRow], answer: ControlAnswer) {
    let open = rows.iter_mut().map(|row| &mut row.result).filter(|result| result.is_none());
    match answer {
        ControlAnswer::AlterConfigs(results) => {
            for (row, result) in open.zip(results) {
                *row = Some(result);
            }
        }
        other => {
            let error = failure(other);
            for row in open {
                *row = Some(error.clone());
            }
        }
    }
}

fn resource(context: &ApiContext<'_>, resource_type: i8, name: &str) -> Result<ConfigResource, ControlError> {
    let invalid = |problem: &str| Err(refused(ErrorCode::INVALID_REQUEST, problem));
    match resource_type {
        TOPIC if name.is_empty() => invalid("topics have no common default: name a topic"),
        TOPIC => Ok(ConfigResource::Topic(name.to_owned())),
        BROKER => Ok(ConfigResource::Broker(broker_named(context, name)?)),
        BROKER_LOGGER => invalid("the levels of loggers cannot be changed through the protocol"),
        CLIENT_METRICS => invalid("there are no subscriptions to client metrics"),
        GROUP if name.is_empty() => invalid("groups have no common default: name a group"),
        GROUP => Ok(ConfigResource::Group(name.to_owned())),
        other => Err(refused(ErrorCode::INVALID_REQUEST, format!("{other} is no type of resource"))),
    }
}

/// The broker that a resource's name means; None: all of them.
///
/// Errors: INVALID_REQUEST: only this broker answers for itself, and only numbers are brokers.
pub(super) fn broker_named(context: &ApiContext<'_>, name: &str) -> Result<Option<BrokerId>, ControlError> {
    let own = context.image.broker_id;
    match name.parse() {
        _ if name.is_empty() => Ok(None),
        Ok(id) if BrokerId(id) == own => Ok(Some(own)),
        Ok(id) => Err(refused(ErrorCode::INVALID_REQUEST, format!("this is broker {own}, not {id}"))),
        Err(_) => {
            Err(refused(ErrorCode::INVALID_REQUEST, "a broker's name is its id, or empty for all brokers"))
        }
    }
}
