//! UpdateFeatures (key 57), versions 0-2: changes finalized feature levels.

use crate::{Array, Message, Struct};

/// The request of UpdateFeatures (key 57).
///
/// - v1: adds `upgrade_type`, `validate_only`; drops `allow_downgrade`.
#[derive(Debug, Clone, PartialEq, Message)]
#[kafka(name = "UpdateFeaturesRequest", api = 57, versions = "0-2", flexible = "0+")]
pub struct UpdateFeaturesRequest<'a> {
    #[kafka(versions = "0+", default = 60000)]
    pub timeout_ms: i32,
    #[kafka(versions = "0+")]
    pub feature_updates: Array<'a, FeatureUpdateKey<'a>>,
    #[kafka(versions = "1+")]
    pub validate_only: bool,
}

#[derive(Debug, Clone, PartialEq, Struct)]
pub struct FeatureUpdateKey<'a> {
    #[kafka(versions = "0+")]
    pub feature: &'a str,
    #[kafka(versions = "0+")]
    pub max_version_level: i16,
    #[kafka(versions = "0")]
    pub allow_downgrade: bool,
    #[kafka(versions = "1+", default = 1)]
    pub upgrade_type: i8,
}

/// The response of UpdateFeatures (key 57).
///
/// - v2: drops `results`, `feature`, `error_code`, `error_message`.
#[derive(Debug, Clone, PartialEq, Message)]
#[kafka(name = "UpdateFeaturesResponse", api = 57, versions = "0-2", flexible = "0+")]
pub struct UpdateFeaturesResponse<'a> {
    #[kafka(versions = "0+")]
    pub throttle_time_ms: i32,
    #[kafka(versions = "0+")]
    pub error_code: i16,
    #[kafka(versions = "0+", nullable = "0+")]
    pub error_message: Option<&'a str>,
    #[kafka(versions = "0-1", ignorable)]
    pub results: Array<'a, UpdatableFeatureResult<'a>>,
}

#[derive(Debug, Clone, PartialEq, Struct)]
pub struct UpdatableFeatureResult<'a> {
    #[kafka(versions = "0+")]
    pub feature: &'a str,
    #[kafka(versions = "0+")]
    pub error_code: i16,
    #[kafka(versions = "0+", nullable = "0+")]
    pub error_message: Option<&'a str>,
}
