//! `spec.seed` and `spec.export`.

use super::{SCHEDULE_RULE, repository_patterns_schema, tag_patterns_schema};
use crate::schedule::SCHEDULE;
use crate::sentences;
use kube::KubeSchema;
use serde::{Deserialize, Serialize};

/// A host that nobody takes for a part of a repository, and an artifact behind it. The component reads
/// whether both are what they seem.
const SOURCE_RULE: &str = "self.matches('^(https?://[^/ ]+|localhost|[^/ ]*[.:][^/ ]*)/+[a-z0-9][a-z0-9._/-]*([:@][A-Za-z0-9_.:@-]+)?$')";
/// A repository with a tag.
const TARGET_RULE: &str = "self.matches('^[a-z0-9][a-z0-9._/-]*(:[A-Za-z0-9_][A-Za-z0-9_.-]*)?$')";
/// Such a host, with a path or without.
const DESTINATION_RULE: &str =
    "self.matches('^(https?://[^/ ]+|localhost|[^/ ]*[.:][^/ ]*)(/+[a-z0-9._/-]*)?$')";

/// Artifacts that are copied into the registry, once for each edit of this list.
#[derive(Serialize, Deserialize, schemars::JsonSchema, Clone, Debug, Default, PartialEq)]
#[serde(rename_all = "camelCase")]
pub struct OrasCacheSeed {
    /// The artifacts.
    #[schemars(length(min = 1, max = 100))]
    pub artifacts: Vec<OrasCacheSeedArtifact>,

    /// Name of a Secret in this namespace with the key .dockerconfigjson, as for pulling images. Its credentials go to the
    /// registries that it names, and to no others.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 253))]
    pub secret: Option<String>,
}

/// One artifact.
#[derive(Serialize, Deserialize, KubeSchema, Clone, Debug, Default, PartialEq)]
#[serde(rename_all = "camelCase")]
pub struct OrasCacheSeedArtifact {
    /// The artifact in another registry, for example docker.io/library/busybox:1.
    #[schemars(length(min = 1, max = 512))]
    #[x_kube(validation = Rule::new(SOURCE_RULE).message(sentences::SEED_SOURCE))]
    pub source: String,

    /// What it is called in this registry, for example mirror/busybox:1. By default as its source, without the host.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 512))]
    #[x_kube(validation = Rule::new(TARGET_RULE).message(sentences::SEED_TARGET))]
    pub target: Option<String>,
}

/// Artifacts that are copied from the registry to another one, again and again.
#[derive(Serialize, Deserialize, KubeSchema, Clone, Debug, Default, PartialEq)]
#[serde(rename_all = "camelCase")]
pub struct OrasCacheExport {
    /// Host and path below which the repositories go, for example registry.example.org/lab.
    #[schemars(length(min = 1, max = 512))]
    #[x_kube(validation = Rule::new(DESTINATION_RULE).message(sentences::EXPORT_DESTINATION))]
    pub destination: String,

    /// Names or patterns of repositories, for example flow/*. By default all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "repository_patterns_schema")]
    pub repositories: Option<Vec<String>>,

    /// Patterns of tags, for example release-*. By default all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "tag_patterns_schema")]
    pub tags: Option<Vec<String>>,

    /// When artifacts are copied, as a CronJob says it. By default 0 * * * *: every hour.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 100))]
    #[x_kube(validation = Rule::new(SCHEDULE_RULE).message(SCHEDULE))]
    pub schedule: Option<String>,

    /// Name of a Secret in this namespace with the key .dockerconfigjson, as for pulling images. Its credentials go to the
    /// registries that it names, and to no others.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 253))]
    pub secret: Option<String>,
}

/// When artifacts were mirrored, and the numbers of the last run that ended.
#[derive(Serialize, Deserialize, schemars::JsonSchema, Clone, Debug, Default, PartialEq)]
#[serde(rename_all = "camelCase")]
pub struct OrasCacheExportStatus {
    /// When it was started last by its schedule.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_started: Option<String>,

    /// When it succeeded last.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_succeeded: Option<String>,

    /// When the run ended that the numbers are of, with success or without.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_finished: Option<String>,

    /// How many artifacts were copied in that run, or had their tag moved.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub copied: Option<i64>,

    /// How many artifacts the other registry had already.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub skipped: Option<i64>,

    /// How many artifacts could not be copied.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub failed: Option<i64>,
}

/// How far the seeds are.
#[derive(Serialize, Deserialize, schemars::JsonSchema, Clone, Debug, Default, PartialEq)]
#[serde(rename_all = "camelCase")]
pub struct OrasCacheSeedStatus {
    /// How many artifacts the spec names.
    pub artifacts: i32,

    /// How many of them were copied.
    pub copied: i32,

    /// How many of them the registry had already.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub skipped: Option<i32>,

    /// Which of them failed: their places in the list, counted from 0, such as 1,3-5.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub failed: Option<String>,

    /// Name of the Job that copies them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub job: Option<String>,
}
