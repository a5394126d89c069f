//! IncrementalAlterConfigs (key 44), versions 0-1.
//!
//! Behaviour: sets, deletes, extends or shortens the named settings and leaves all others (KIP-339). A resource changes as a whole or
//! not at all; one resource's error does not touch the others. v1 flexible.

use protocol::error_code::ErrorCode;
use protocol::messages::incremental_alter_configs::{
    AlterConfigsResource, AlterConfigsResourceResponse, AlterableConfig, IncrementalAlterConfigsRequest,
    IncrementalAlterConfigsResponse,
};
use protocol::{Message, Piece, Reader};

use super::config_changes::{ChangeRow, Changes};
use super::control_error::{refused, told};
use super::{ApiContext, Outcome, RequestInfo, answer};
use crate::model::control::{ConfigOperation, ConfigOperationKind, ControlError};

pub fn handle(context: &ApiContext<'_>, info: RequestInfo, reader: &mut Reader<'_>) -> Outcome {
    let Ok(request) = IncrementalAlterConfigsRequest::decode(reader, info.version) else {
        return Outcome::Close("an IncrementalAlterConfigs request that cannot be read");
    };
    let names = request.resources.iter().map(|resource| (resource.resource_type, resource.resource_name));
    let mut changes = Changes::new(names);
    for resource in &request.resources {
        let name = (resource.resource_type, resource.resource_name);
        changes.push(context, name, operations(&resource), false);
    }
    changes.finish(info, request.validate_only, respond)
}

fn operations(resource: &AlterConfigsResource<'_>) -> Result<Vec<ConfigOperation>, ControlError> {
    resource.configs.iter().map(operation).collect()
}

fn operation(config: AlterableConfig<'_>) -> Result<ConfigOperation, ControlError> {
    let kind = match config.config_operation {
        0 => ConfigOperationKind::Set,
        1 => ConfigOperationKind::Delete,
        2 => ConfigOperationKind::Append,
        3 => ConfigOperationKind::Subtract,
        other => {
            let problem = format!("{}: {other} is no operation", config.name);
            return Err(refused(ErrorCode::INVALID_REQUEST, problem));
        }
    };
    if config.value.is_none() && kind != ConfigOperationKind::Delete {
        return Err(refused(ErrorCode::INVALID_REQUEST, format!("{}: a value is needed", config.name)));
    }
    Ok(ConfigOperation { key: config.name.to_owned(), kind, value: config.value.map(str::to_owned) })
}

fn respond(info: RequestInfo, rows: &[ChangeRow]) -> Vec<Piece> {
    let responses = rows.iter().map(|row| AlterConfigsResourceResponse {
        error_code: row.result().error as i16,
        error_message: told(row.result()),
        resource_type: row.resource_type,
        resource_name: &row.resource_name,
    });
    answer(info, &IncrementalAlterConfigsResponse { responses: responses.collect(), ..Default::default() })
}
