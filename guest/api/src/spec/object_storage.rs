//! `spec.storage.s3`, `gcs` and `azure`: artifacts in a bucket.
//!
//! Data does not move between backends, so that what says where it is cannot change.

#![allow(rustdoc::bare_urls, reason = "`kubectl explain` shows these comments as they are")]

use super::URL_RULE;
use crate::sentences;
use kube::KubeSchema;
use serde::{Deserialize, Serialize};

/// A bucket of Amazon S3, or of a service that speaks its protocol.
#[derive(Serialize, Deserialize, KubeSchema, Clone, Debug, PartialEq)]
#[x_kube(
    validation = Rule::new("self.bucket == oldSelf.bucket && (has(self.prefix) ? self.prefix : '') == (has(oldSelf.prefix) ? oldSelf.prefix : '') && (has(self.endpoint) ? self.endpoint : '') == (has(oldSelf.endpoint) ? oldSelf.endpoint : '')").message(sentences::BUCKET_IS_FIXED)
)]
#[serde(rename_all = "camelCase")]
pub struct OrasCacheS3 {
    /// Name of the bucket, which must exist.
    #[schemars(length(min = 1, max = 255))]
    pub bucket: String,

    /// Region of the bucket, for example eu-central-1. Services without regions take any word.
    #[schemars(length(min = 1, max = 64))]
    pub region: String,

    /// URL of the service, where it is not Amazon's, for example https://minio.example.org:9000.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 512))]
    #[x_kube(validation = Rule::new(URL_RULE).message(sentences::URL))]
    pub endpoint: Option<String>,

    /// Whether the bucket is named in the path of URLs, as most services other than Amazon's need it. By default true
    /// where endpoint is set.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub path_style: Option<bool>,

    /// Directory in the bucket. By default NAMESPACE/NAME of the cache.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 512))]
    pub prefix: Option<String>,

    /// Name of a Secret in this namespace with access-key and secret-key. Without it the pod's own identity counts, as
    /// its ServiceAccount gives it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 253))]
    pub credentials_secret: Option<String>,
}

/// A bucket of Google Cloud Storage.
#[derive(Serialize, Deserialize, KubeSchema, Clone, Debug, PartialEq)]
#[x_kube(
    validation = Rule::new("self.bucket == oldSelf.bucket && (has(self.prefix) ? self.prefix : '') == (has(oldSelf.prefix) ? oldSelf.prefix : '')").message(sentences::BUCKET_IS_FIXED)
)]
#[serde(rename_all = "camelCase")]
pub struct OrasCacheGcs {
    /// Name of the bucket, which must exist.
    #[schemars(length(min = 1, max = 255))]
    pub bucket: String,

    /// Directory in the bucket. By default NAMESPACE/NAME of the cache.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 512))]
    pub prefix: Option<String>,

    /// Name of a Secret in this namespace with key.json, the key of a service account. Without it the pod's own identity
    /// counts, as its ServiceAccount gives it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 253))]
    pub credentials_secret: Option<String>,
}

/// A container of Azure Blob Storage.
#[derive(Serialize, Deserialize, KubeSchema, Clone, Debug, PartialEq)]
#[x_kube(
    validation = Rule::new("self.accountName == oldSelf.accountName && self.container == oldSelf.container && (has(self.prefix) ? self.prefix : '') == (has(oldSelf.prefix) ? oldSelf.prefix : '')").message(sentences::BUCKET_IS_FIXED)
)]
#[serde(rename_all = "camelCase")]
pub struct OrasCacheAzure {
    /// Name of the storage account.
    #[schemars(length(min = 1, max = 64))]
    pub account_name: String,

    /// Name of the container, which must exist.
    #[schemars(length(min = 1, max = 255))]
    pub container: String,

    /// Domain of the service, where it is another cloud than the public one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 253))]
    pub realm: Option<String>,

    /// Directory in the container. By default NAMESPACE/NAME of the cache. Registries before distribution 3 know none, so
    /// that each cache needs a container of its own there.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 512))]
    pub prefix: Option<String>,

    /// Name of a Secret in this namespace with account-key. Without it the pod's own identity counts, as its
    /// ServiceAccount gives it, which needs distribution 3.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 253))]
    pub credentials_secret: Option<String>,
}
