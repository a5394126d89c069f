//! ApiVersions (key 18), versions 0-5: which APIs and versions a broker speaks, and the cluster's features.

use crate::{Array, Message, Struct};

/// The request of ApiVersions (key 18).
///
/// - v3: adds `client_software_name`, `client_software_version`; flexible (KIP-482); flexible body, while
///   the answer's header stays version 0 (KIP-511).
/// - v4: features whose minimum level is 0 may be answered (KIP-1022).
/// - v5: adds `cluster_id`, `node_id`; the node the client believes to talk to (KIP-1242).
#[derive(Debug, Clone, PartialEq, Message)]
#[kafka(name = "ApiVersionsRequest", api = 18, versions = "0-5", flexible = "3+")]
pub struct ApiVersionsRequest<'a> {
    #[kafka(versions = "3+", ignorable)]
    pub client_software_name: &'a str,
    #[kafka(versions = "3+", ignorable)]
    pub client_software_version: &'a str,
    #[kafka(versions = "5+", nullable = "5+", default = null, ignorable)]
    pub cluster_id: Option<&'a str>,
    #[kafka(versions = "5+", default = -1, ignorable)]
    pub node_id: i32,
}

/// The response of ApiVersions (key 18).
///
/// - v1: adds `throttle_time_ms`.
/// - v3: adds `supported_features`, `finalized_features_epoch`, `finalized_features`,
///   `zk_migration_ready`; flexible (KIP-482) (KIP-511).
/// - v5: behaviour only (KIP-1242).
#[derive(Debug, Clone, PartialEq, Message)]
#[kafka(name = "ApiVersionsResponse", api = 18, versions = "0-5", flexible = "3+")]
pub struct ApiVersionsResponse<'a> {
    #[kafka(versions = "0+")]
    pub error_code: i16,
    #[kafka(versions = "0+")]
    pub api_keys: Array<'a, ApiVersion>,
    #[kafka(versions = "1+", ignorable)]
    pub throttle_time_ms: i32,
    #[kafka(versions = "3+", tag = 0, tagged = "3+", ignorable)]
    pub supported_features: Array<'a, SupportedFeatureKey<'a>>,
    #[kafka(versions = "3+", tag = 1, tagged = "3+", default = -1, ignorable)]
    pub finalized_features_epoch: i64,
    #[kafka(versions = "3+", tag = 2, tagged = "3+", ignorable)]
    pub finalized_features: Array<'a, FinalizedFeatureKey<'a>>,
    #[kafka(versions = "3+", tag = 3, tagged = "3+", ignorable)]
    pub zk_migration_ready: bool,
}

#[derive(Debug, Clone, PartialEq, Struct)]
pub struct ApiVersion {
    #[kafka(versions = "0+")]
    pub api_key: i16,
    #[kafka(versions = "0+")]
    pub min_version: i16,
    #[kafka(versions = "0+")]
    pub max_version: i16,
}

#[derive(Debug, Clone, PartialEq, Struct)]
pub struct SupportedFeatureKey<'a> {
    #[kafka(versions = "3+")]
    pub name: &'a str,
    #[kafka(versions = "3+")]
    pub min_version: i16,
    #[kafka(versions = "3+")]
    pub max_version: i16,
}

#[derive(Debug, Clone, PartialEq, Struct)]
pub struct FinalizedFeatureKey<'a> {
    #[kafka(versions = "3+")]
    pub name: &'a str,
    #[kafka(versions = "3+")]
    pub max_version_level: i16,
    #[kafka(versions = "3+")]
    pub min_version_level: i16,
}
