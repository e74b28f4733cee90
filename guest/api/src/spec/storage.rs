//! Where a cache keeps its artifacts.

use super::{OrasCacheAzure, OrasCacheGcs, OrasCacheS3};
use crate::sentences;
use kube::KubeSchema;
use serde::{Deserialize, Serialize};

/// Whether a text is a quantity that is not negative. Zero is for the component to refuse: the CRD
/// has always accepted it, and a status of such a cache can only be written while it still does.
const SIZE_RULE: &str = "isQuantity(self) && !self.startsWith('-')";

/// Where a cache keeps its artifacts: a claim that the operator makes, one that exists, the disk of the node, or a bucket.
#[derive(Serialize, Deserialize, KubeSchema, Clone, Debug, Default, PartialEq)]
#[x_kube(
    validation = Rule::new("[has(self.size), has(self.existingClaim), has(self.emptyDir), has(self.s3), has(self.gcs), has(self.azure)].exists_one(place, place)").message(sentences::ONE_STORAGE),
    validation = Rule::new("has(self.size) || !(has(self.storageClassName) || has(self.accessModes) || has(self.whenDeleted))").message(sentences::FIELDS_OF_OWN_CLAIM),
    validation = Rule::new("!has(self.size) || !has(oldSelf.size) || !isQuantity(self.size) || !isQuantity(oldSelf.size) || quantity(self.size).compareTo(quantity(oldSelf.size)) >= 0").message(sentences::SHRINKS).field_path(".size"),
    validation = Rule::new("!has(self.size) || !has(oldSelf.size) || (has(self.storageClassName) ? self.storageClassName : '') == (has(oldSelf.storageClassName) ? oldSelf.storageClassName : '')").message(sentences::STORAGE_CLASS_IS_FIXED).field_path(".storageClassName"),
    validation = Rule::new("!has(self.size) || !has(oldSelf.size) || (has(self.accessModes) ? self.accessModes : ['ReadWriteOnce']) == (has(oldSelf.accessModes) ? oldSelf.accessModes : ['ReadWriteOnce'])").message(sentences::ACCESS_MODES_ARE_FIXED).field_path(".accessModes")
)]
#[serde(rename_all = "camelCase")]
pub struct OrasCacheStorage {
    /// Size of the claim that is made for the cache, for example 20Gi. It can grow later, not shrink.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 32))]
    #[x_kube(validation = Rule::new(SIZE_RULE).message(sentences::SIZE))]
    pub size: Option<String>,

    /// Storage class of that claim. By default the cluster's default class.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 253))]
    pub storage_class_name: Option<String>,

    /// Access modes of that claim. By default ReadWriteOnce; several replicas need ReadWriteMany.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 4))]
    pub access_modes: Option<Vec<AccessMode>>,

    /// What becomes of that claim when the cache is deleted: Delete (the default) or Retain. A new cache of the same
    /// name with Retain goes on with a claim that was retained.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub when_deleted: Option<WhenDeleted>,

    /// Name of a PersistentVolumeClaim in this namespace to use instead. It is never changed or deleted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 253))]
    pub existing_claim: Option<String>,

    /// The disk of the node, as without storage: artifacts live and die with the pod.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub empty_dir: Option<OrasCacheEmptyDir>,

    /// A bucket of Amazon S3, or of a service that speaks its protocol. Artifacts do not move to or from it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub s3: Option<OrasCacheS3>,

    /// A bucket of Google Cloud Storage. Artifacts do not move to or from it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub gcs: Option<OrasCacheGcs>,

    /// A container of Azure Blob Storage. Artifacts do not move to or from it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub azure: Option<OrasCacheAzure>,
}

/// What becomes of the claim of a cache that is deleted.
#[derive(Serialize, Deserialize, schemars::JsonSchema, Clone, Copy, Debug, PartialEq, Eq)]
pub enum WhenDeleted {
    /// It stays, with its artifacts.
    Retain,
    /// It is deleted, and its artifacts with it.
    Delete,
}

/// The disk of a node as storage.
#[derive(Serialize, Deserialize, KubeSchema, Clone, Debug, Default, PartialEq)]
#[serde(rename_all = "camelCase")]
pub struct OrasCacheEmptyDir {
    /// How much the artifacts may take, for example 20Gi. The node evicts a pod that takes more, and its artifacts are
    /// lost. By default there is no limit.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 32))]
    #[x_kube(validation = Rule::new(SIZE_RULE).message(sentences::SIZE))]
    pub size_limit: Option<String>,
}

/// How a volume can be mounted.
#[derive(Serialize, Deserialize, schemars::JsonSchema, Clone, Copy, Debug, PartialEq, Eq)]
pub enum AccessMode {
    /// Read and write by the pods of one node.
    ReadWriteOnce,
    /// Read only, by many nodes.
    ReadOnlyMany,
    /// Read and write by many nodes.
    ReadWriteMany,
    /// Read and write by one pod.
    ReadWriteOncePod,
}
