//! DescribeConfigs (key 32), versions 1-4.
//!
//! Behaviour: for each resource all settings, or the named ones that exist (an empty list is all), in the order of the table of keys;
//! with values, where they come from, and on request what stands behind them. Secrets are never shown. The broker named "" is the
//! dynamic default of all brokers. v3 types and documentation of keys; v4 flexible.
//!
//! A group need not exist: its settings may have been made before it.
//!
//! Not here: loggers and client metrics have no settings: their lists are empty. Of groups, what concerns share groups and Kafka Streams.

use std::collections::BTreeSet;

use protocol::error_code::ErrorCode;
use protocol::messages::describe_configs::{
    DescribeConfigsRequest, DescribeConfigsResource, DescribeConfigsResourceResult, DescribeConfigsResponse,
    DescribeConfigsResult, DescribeConfigsSynonym,
};
use protocol::{Message, Piece, Reader};

use super::config_changes::{BROKER, BROKER_LOGGER, CLIENT_METRICS, GROUP, TOPIC, broker_named};
use super::config_rows::ConfigRow;
use super::control_error::{refused, told};
use super::{ApiContext, Outcome, RequestInfo, answer};
use crate::config::{Key, Source, broker_keys, group_keys, topic_keys};
use crate::metadata::topic_name_problem;
use crate::model::control::ControlError;

/// Past this, resources are refused: a short request can ask for the same long list very often.
const RESPONSE_BYTES_MAX: usize = 128 << 20;

pub fn handle(context: &ApiContext<'_>, info: RequestInfo, reader: &mut Reader<'_>) -> Outcome {
    let Ok(request) = DescribeConfigsRequest::decode(reader, info.version) else {
        return Outcome::Close("a DescribeConfigs request that cannot be read");
    };
    Outcome::Answer(respond(context, info, &request, RESPONSE_BYTES_MAX))
}

/// Resources are described until the answer may have `bytes_max`, and refused from there on.
pub(super) fn respond(
    context: &ApiContext<'_>,
    info: RequestInfo,
    request: &DescribeConfigsRequest<'_>,
    bytes_max: usize,
) -> Vec<Piece> {
    let mut bytes_left = bytes_max;
    let described = request.resources.iter().map(|resource| {
        let rows = if bytes_left == 0 {
            Err(refused(ErrorCode::INVALID_REQUEST, "the answer is too long: ask for fewer resources"))
        } else {
            describe(context, &resource, request.include_synonyms)
        };
        let bytes: usize = rows.iter().flatten().map(ConfigRow::bytes_max).sum();
        bytes_left = bytes_left.saturating_sub(bytes);
        Described { resource, rows }
    });
    let described: Vec<Described<'_>> = described.collect();
    let results = described.iter().map(|described| described.result(request.include_documentation));
    answer(info, &DescribeConfigsResponse { results: results.collect(), ..Default::default() })
}

struct Described<'a> {
    resource: DescribeConfigsResource<'a>,
    rows: Result<Vec<ConfigRow>, ControlError>,
}

fn describe(
    context: &ApiContext<'_>,
    resource: &DescribeConfigsResource<'_>,
    with_history: bool,
) -> Result<Vec<ConfigRow>, ControlError> {
    let name = resource.resource_name;
    let config = context.config;
    match resource.resource_type {
        TOPIC => {
            if let Some(problem) = topic_name_problem(name) {
                return Err(refused(ErrorCode::INVALID_TOPIC_EXCEPTION, problem));
            }
            let topic = context.image.topic_by_name(name);
            let topic = topic.ok_or_else(|| refused(ErrorCode::UNKNOWN_TOPIC_OR_PARTITION, ""))?;
            let row = |key| ConfigRow::of_topic(config, &topic.overrides, key, with_history);
            Ok(asked(resource, topic_keys()).map(row).collect())
        }
        BROKER if broker_named(context, name)?.is_some() => {
            let row = |key| ConfigRow::of_broker(config, key, with_history);
            Ok(asked(resource, broker_keys()).map(row).collect())
        }
        BROKER => {
            let Some(defaults) = context.image.broker_overrides.get(&None) else { return Ok(Vec::new()) };
            let row = |key: &'static Key| {
                let value = defaults.get(key.name)?;
                Some(ConfigRow::of_all_brokers(key, value, with_history))
            };
            Ok(asked(resource, broker_keys()).filter_map(row).collect())
        }
        BROKER_LOGGER | CLIENT_METRICS | GROUP if name.is_empty() => {
            Err(refused(ErrorCode::INVALID_REQUEST, "the resource needs a name"))
        }
        BROKER_LOGGER => broker_named(context, name).map(|_| Vec::new()),
        CLIENT_METRICS => Ok(Vec::new()),
        GROUP => {
            let overrides = context.image.group_overrides.get(name);
            let row = |key| ConfigRow::of_group(config, overrides, key, with_history);
            Ok(asked(resource, group_keys()).map(row).collect())
        }
        other => Err(refused(ErrorCode::INVALID_REQUEST, format!("{other} is no type of resource"))),
    }
}

/// The keys that the client asks for.
fn asked(
    resource: &DescribeConfigsResource<'_>,
    keys: impl Iterator<Item = &'static Key>,
) -> impl Iterator<Item = &'static Key> {
    let names = resource.configuration_keys.as_ref().filter(|names| !names.is_empty());
    let names: Option<BTreeSet<&str>> = names.map(|names| names.iter().collect());
    keys.filter(move |key| names.as_ref().is_none_or(|names| names.contains(key.name)))
}

impl Described<'_> {
    fn result(&self, with_documentation: bool) -> DescribeConfigsResult<'_> {
        let (error, message) = match &self.rows {
            Ok(_) => (ErrorCode::NONE, None),
            Err(refused) => (refused.error, told(refused)),
        };
        DescribeConfigsResult {
            error_code: error as i16,
            error_message: Some(message.unwrap_or_default()),
            resource_type: self.resource.resource_type,
            resource_name: self.resource.resource_name,
            configs: self.rows.iter().flatten().map(|row| result_row(row, with_documentation)).collect(),
        }
    }
}

fn result_row(row: &ConfigRow, with_documentation: bool) -> DescribeConfigsResourceResult<'_> {
    let synonym =
        |(name, value, source): (_, _, Source)| DescribeConfigsSynonym { name, value, source: source.code() };
    DescribeConfigsResourceResult {
        name: row.key.name,
        value: row.value(),
        read_only: row.read_only,
        config_source: row.source.code(),
        is_sensitive: row.key.is_sensitive(),
        synonyms: row.history().map(synonym).collect(),
        config_type: row.key.value_type.code(),
        documentation: with_documentation.then_some(row.key.about),
    }
}
