//! AlterConfigs (key 33), versions 0-2.
//!
//! Behaviour: the settings of each resource become exactly what the request holds; what it leaves out goes back to its default. Old,
//! but the only way of some clients. v2 flexible.

use protocol::error_code::ErrorCode;
use protocol::messages::alter_configs::{
    AlterConfigsRequest, AlterConfigsResource, AlterConfigsResourceResponse, AlterConfigsResponse,
};
use protocol::{Message, Piece, Reader};

use super::config_changes::{ChangeRow, Changes};
use super::control_error::{refused, told};
use super::{ApiContext, Outcome, RequestInfo, answer};
use crate::model::control::{ConfigOperation, ConfigOperationKind, ControlError};

pub fn handle(context: &ApiContext<'_>, info: RequestInfo, reader: &mut Reader<'_>) -> Outcome {
    let Ok(request) = AlterConfigsRequest::decode(reader, info.version) else {
        return Outcome::Close("an AlterConfigs request that cannot be read");
    };
    let names = request.resources.iter().map(|resource| (resource.resource_type, resource.resource_name));
    let mut changes = Changes::new(names);
    for resource in &request.resources {
        let name = (resource.resource_type, resource.resource_name);
        changes.push(context, name, operations(&resource), true);
    }
    changes.finish(info, request.validate_only, respond)
}

fn operations(resource: &AlterConfigsResource<'_>) -> Result<Vec<ConfigOperation>, ControlError> {
    let operation = |(key, value): (&str, Option<&str>)| match value {
        Some(value) => {
            let value = Some(value.to_owned());
            Ok(ConfigOperation { key: key.to_owned(), kind: ConfigOperationKind::Set, value })
        }
        None => Err(refused(ErrorCode::INVALID_REQUEST, format!("{key}: a value is needed"))),
    };
    resource.configs.iter().map(|config| operation((config.name, config.value))).collect()
}

fn respond(info: RequestInfo, rows: &[ChangeRow]) -> Vec<Piece> {
    let responses = rows.iter().map(|row| AlterConfigsResourceResponse {
        error_code: row.result().error as i16,
        error_message: told(row.result()),
        resource_type: row.resource_type,
        resource_name: &row.resource_name,
    });
    answer(info, &AlterConfigsResponse { responses: responses.collect(), ..Default::default() })
}
