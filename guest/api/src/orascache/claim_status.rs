//! What the status says about the volume claim of a cache.

use serde::{Deserialize, Serialize};

/// The volume claim of a cache, as Kubernetes sees it.
#[derive(Serialize, Deserialize, schemars::JsonSchema, Clone, Debug, Default, PartialEq)]
#[serde(rename_all = "camelCase")]
pub struct OrasCacheClaimStatus {
    /// Name of the PersistentVolumeClaim.
    pub name: String,

    /// Pending (it has no volume), Bound, or Lost.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub phase: Option<String>,

    /// Size of its volume.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub capacity: Option<String>,

    /// Its storage class.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub storage_class_name: Option<String>,
}
