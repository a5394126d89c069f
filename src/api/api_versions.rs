//! ApiVersions (key 18), versions 0-5.
//!
//! Behaviour: the one request that is answered in any version: an unknown one gets error 35 in the form of version 0, with the
//! row of this key, so that the client can come back (KIP-511). The answer's header is always version 0.
//!
//! v3 client software names, checked; flexible; features (KIP-584); v4 features whose minimum is 0 may be shown; v5 the client says
//! which cluster and node it means (KIP-1242): REBOOTSTRAP_REQUIRED if it is another.

use protocol::api_key::{self, ApiKey};
use protocol::error_code::ErrorCode;
use protocol::messages::api_versions::{
    ApiVersion, ApiVersionsRequest, ApiVersionsResponse, FinalizedFeatureKey, SupportedFeatureKey,
};
use protocol::{Message, Piece, Reader};

use super::{ApiContext, Outcome, RequestInfo, answer};

/// Feature, lowest and highest level. Transactions and shares join with their APIs.
const SUPPORTED_FEATURES: &[(&str, i16, i16)] =
    &[("metadata.version", 25, 30), ("eligible.leader.replicas.version", 0, 1), ("group.version", 0, 1)];

pub fn handle(context: &ApiContext<'_>, info: RequestInfo, reader: &mut Reader<'_>) -> Outcome {
    let Ok(request) = ApiVersionsRequest::decode(reader, info.version) else {
        return Outcome::Close("an ApiVersions request that cannot be read");
    };
    let names_are_valid =
        is_software_name(request.client_software_name) && is_software_name(request.client_software_version);
    if info.version >= 3 && !names_are_valid {
        return Outcome::Answer(refuse(info, ErrorCode::INVALID_REQUEST));
    }
    let other_cluster = request.cluster_id.is_some_and(|cluster_id| cluster_id != &*context.image.cluster_id);
    let other_node = request.node_id >= 0 && request.node_id != context.image.broker_id.0;
    if other_cluster || other_node {
        return Outcome::Answer(refuse(info, ErrorCode::REBOOTSTRAP_REQUIRED));
    }
    // Below version 4 a client takes a minimum of 0 for an error, so such features are not shown to it.
    let shown = SUPPORTED_FEATURES.iter().filter(|(_, min_version, _)| info.version >= 4 || *min_version > 0);
    let supported =
        shown.map(|&(name, min_version, max_version)| SupportedFeatureKey { name, min_version, max_version });
    let finalized = context.image.features.iter().map(|(name, &level)| FinalizedFeatureKey {
        name,
        max_version_level: level,
        min_version_level: level,
    });
    let response = ApiVersionsResponse {
        api_keys: api_key::SUPPORTED.iter().map(row).collect(),
        supported_features: supported.collect(),
        finalized_features_epoch: i64::try_from(context.image.version).unwrap_or(i64::MAX),
        finalized_features: finalized.collect(),
        ..Default::default()
    };
    Outcome::Answer(answer(info, &response))
}

/// The answer to a version that is not known: in version 0, with the versions that are.
#[must_use]
pub fn unsupported_version(info: RequestInfo) -> Outcome {
    let own = api_key::SUPPORTED.iter().filter(|range| range.key == ApiKey::ApiVersions);
    let response = ApiVersionsResponse {
        error_code: ErrorCode::UNSUPPORTED_VERSION as i16,
        api_keys: own.map(row).collect(),
        ..Default::default()
    };
    Outcome::Answer(answer(RequestInfo { version: 0, ..info }, &response))
}

fn row(range: &api_key::ApiVersionRange) -> ApiVersion {
    ApiVersion { api_key: range.key.into(), min_version: range.advertised_min, max_version: range.max }
}

fn refuse(info: RequestInfo, error: ErrorCode) -> Vec<Piece> {
    answer(info, &ApiVersionsResponse { error_code: error as i16, ..Default::default() })
}

/// Letters, digits, dots and dashes, with a letter or digit at both ends.
fn is_software_name(name: &str) -> bool {
    let is_inner = |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-');
    let ends = (name.as_bytes().first(), name.as_bytes().last());
    let (Some(first), Some(last)) = ends else { return false };
    first.is_ascii_alphanumeric() && last.is_ascii_alphanumeric() && name.as_bytes().iter().all(is_inner)
}
