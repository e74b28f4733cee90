//! `spec.retention`.

use super::{SCHEDULE_RULE, tag_patterns_schema};
use crate::duration::AGE;
use crate::schedule::SCHEDULE;
use crate::sentences;
use kube::KubeSchema;
use serde::{Deserialize, Serialize};

/// Ages of whole days, hours, minutes and seconds. The component reads how long they are.
const AGE_RULE: &str = "self.matches('^([0-9]+d)?([0-9]+h)?([0-9]+m)?([0-9]+s)?$')";

/// What is kept in the registry. A tag is kept if keepTags or maxAge keeps it, or if it matches none of the patterns. The
/// registry lets clients delete then, as with delete.
#[derive(Serialize, Deserialize, KubeSchema, Clone, Debug, Default, PartialEq)]
#[x_kube(
    validation = Rule::new("has(self.keepTags) || has(self.maxAge) || has(self.unusedSince)").message(sentences::NOTHING_IS_KEPT)
)]
#[serde(rename_all = "camelCase")]
pub struct OrasCacheRetention {
    /// When old artifacts are deleted, as a CronJob says it. By default 0 3 * * *: every night at three. zot deletes once a
    /// day, and takes no schedule.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 100))]
    #[x_kube(validation = Rule::new(SCHEDULE_RULE).message(SCHEDULE))]
    pub schedule: Option<String>,

    /// How many of the newest tags of each repository are kept. Keys of reused steps are counted by themselves.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 1_000_000))]
    pub keep_tags: Option<i32>,

    /// Tags and keys that are younger than this are kept, for example 30d.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 32))]
    #[x_kube(validation = Rule::new(AGE_RULE).message(AGE))]
    pub max_age: Option<String>,

    /// Patterns of the tags that may be deleted, for example run-*. By default all. Keys always count.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "tag_patterns_schema")]
    pub patterns: Option<Vec<String>>,

    /// Whether the space of what was deleted is given back. The distribution registry takes no pushes meanwhile, for which
    /// workflow steps wait. By default it is, where one registry pod serves the cache.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub garbage_collection: Option<bool>,

    /// Tags that were pulled within this time are kept, for example 30d. Only zot records when an artifact was pulled.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 32))]
    #[x_kube(validation = Rule::new(AGE_RULE).message(AGE))]
    pub unused_since: Option<String>,
}

/// When old artifacts were deleted, and the numbers of the last run that ended.
#[derive(Serialize, Deserialize, schemars::JsonSchema, Clone, Debug, Default, PartialEq)]
#[serde(rename_all = "camelCase")]
pub struct OrasCacheRetentionStatus {
    /// When it was started last by its schedule.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_started: Option<String>,

    /// When it succeeded last.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_succeeded: Option<String>,

    /// When the run ended that the numbers are of, with success or without.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_finished: Option<String>,

    /// How many tags and keys were deleted in that run.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub deleted_tags: Option<i64>,

    /// How many manifests were deleted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub deleted_manifests: Option<i64>,

    /// How many tags and keys were left.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub kept_tags: Option<i64>,

    /// How many bytes the garbage collection at the end of that run gave back, where the registry stores files.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub freed_bytes: Option<i64>,
}
