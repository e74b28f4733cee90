//! Which requests reach the webhook at all: match conditions (CEL) of the webhook configurations.
//!
//! They see objects as plain JSON, where an absent field has no default: every field that may be absent is asked for
//! with `has()` first. A condition that cannot be evaluated counts as a failure of the webhook, and pods must not be
//! refused for that.

use crate::names::SETTINGS;
use k8s_openapi::api::admissionregistration::v1::MatchCondition;
use orascache_api::names::GROUP;
use orascache_api::steps::{ANNOTATION_PREFIX, INJECTED_ANNOTATION};

/// Pods on CREATE: users ask for a step.
pub fn pod_created() -> Vec<MatchCondition> {
    vec![condition("asks-for-a-step", asks_for_a_step("object.metadata"))]
}

/// Pods on UPDATE: what was injected is to be carried over to a manifest that is applied again. Taking finalizers
/// away, and everything about a pod that is being deleted, must never depend on a webhook.
pub fn pod_updated() -> Vec<MatchCondition> {
    let injected = format!(
        "has(oldObject.metadata.annotations) && '{INJECTED_ANNOTATION}' in oldObject.metadata.annotations"
    );
    vec![condition("was-injected", injected), not_being_deleted(), changed()]
}

/// Jobs on CREATE: users ask for steps, on the Job or on its pod template.
pub fn job_created() -> Vec<MatchCondition> {
    let job = asks_for_a_step("object.metadata");
    let template = asks_for_a_step("object.spec.template.metadata");
    let has_template = "has(object.spec) && has(object.spec.template) && has(object.spec.template.metadata)";
    vec![condition("asks-for-a-step", format!("({job}) || ({has_template} && {template})"))]
}

/// Jobs on UPDATE: annotations of the Job are copied into its template again when a manifest is applied again, and leave
/// the template of one that has not started when they leave the Job.
pub fn job_updated() -> Vec<MatchCondition> {
    let (asks, asked) = (asks_for_a_step("object.metadata"), asks_for_a_step("oldObject.metadata"));
    let asks = condition("asks-for-a-step", format!("({asks}) || ({asked})"));
    vec![asks, not_being_deleted(), changed()]
}

/// Caches on CREATE and UPDATE: only a spec can be wrong, and one that stays as it is was accepted before.
pub fn cache_written() -> Vec<MatchCondition> {
    vec![condition("spec-changed", format!("request.operation != 'UPDATE' || {}", differs("spec")))]
}

/// ConfigMaps on CREATE and UPDATE: of all in the namespace, the one with the settings.
pub fn settings_written() -> Vec<MatchCondition> {
    vec![condition(
        "is-settings",
        format!("has(object.metadata.name) && object.metadata.name == '{SETTINGS}'"),
    )]
}

fn condition(name: &str, expression: String) -> MatchCondition {
    MatchCondition { name: format!("{name}.{GROUP}"), expression }
}

fn asks_for_a_step(metadata: &str) -> String {
    format!(
        "has({metadata}.annotations) && {metadata}.annotations.exists(key, key.startsWith('{ANNOTATION_PREFIX}'))"
    )
}

fn not_being_deleted() -> MatchCondition {
    condition("not-being-deleted", "!has(object.metadata.deletionTimestamp)".to_owned())
}

fn changed() -> MatchCondition {
    condition("changed", format!("({}) || ({})", differs("spec"), differs("metadata.annotations")))
}

/// Whether a field is not what it was; absent and empty are the same.
fn differs(field: &str) -> String {
    let content = |object: &str| format!("(has({object}.{field}) ? {object}.{field} : {{}})");
    format!("{} != {}", content("object"), content("oldObject"))
}
