//! Which requests the API server sends to us at all.
//!
//! The conditions (CEL) see objects as plain JSON, where an absent field has no default: `has()`
//! asks for every field that may be absent. The API server treats a condition that it cannot
//! evaluate as a failure of the webhook, and that must not refuse a pod.

use crate::kinds::ORAS_CACHE;
use crate::misspelt::PARTS;
use orascache_api::names::{GROUP, PLURAL, VERSION};
use orascache_api::steps::{ANNOTATION_PREFIX, CREDENTIALS_VOLUME, INJECTED_ANNOTATION, annotation};
use orascache_contract::{AdmissionRule, FailurePolicy, MatchCondition, Operation};

/// Whether a Job has a template with metadata.
const HAS_TEMPLATE: &str =
    "has(object.spec) && has(object.spec.template) && has(object.spec.template.metadata)";

/// Whether a cache that is deleted has a volume claim that goes with it.
const HAS_CLAIM: &str = "has(oldObject.spec) && has(oldObject.spec.storage) && has(oldObject.spec.storage.size) && !(has(oldObject.spec.storage.whenDeleted) && oldObject.spec.storage.whenDeleted == 'Retain')";

/// The requests that [`super::review`] decides about.
///
/// Two kinds of requests are refused when no answer comes. One is the creation of an object that
/// asks for a step: a step that ran without its artifacts would be worse than one that was not
/// admitted. The other is an ephemeral container for a pod with credentials. No controller adds
/// one, so that nothing else waits for it. Updates never wait for a webhook that is down.
pub(crate) fn rules() -> Vec<AdmissionRule> {
    let pods = |name: &str, operation, on_failure, conditions| AdmissionRule {
        name: name.to_owned(),
        mutating: true,
        group: String::new(),
        versions: vec!["v1".to_owned()],
        resources: vec!["pods".to_owned()],
        operations: vec![operation],
        conditions,
        on_failure,
        // When a later webhook changed the pod, a second review finds nothing to do, or says what
        // was undone.
        reinvoke: true,
    };
    let jobs = |name: &str, operation, on_failure, conditions| AdmissionRule {
        group: "batch".to_owned(),
        resources: vec!["jobs".to_owned()],
        ..pods(name, operation, on_failure, conditions)
    };
    let warned = |rule: AdmissionRule| AdmissionRule {
        mutating: false,
        // Nothing is refused and nothing is changed.
        on_failure: FailurePolicy::Ignore,
        reinvoke: false,
        ..rule
    };
    vec![
        pods("create.pods", Operation::Create, FailurePolicy::Fail, pod_created()),
        pods("update.pods", Operation::Update, FailurePolicy::Ignore, pod_updated()),
        AdmissionRule {
            mutating: false,
            resources: vec!["pods/ephemeralcontainers".to_owned()],
            reinvoke: false,
            ..pods("ephemeralcontainers.pods", Operation::Update, FailurePolicy::Fail, with_credentials())
        },
        jobs("create.jobs", Operation::Create, FailurePolicy::Fail, job_created().into()),
        jobs("update.jobs", Operation::Update, FailurePolicy::Ignore, job_updated()),
        warned(pods("misspelt.pods", Operation::Create, FailurePolicy::Ignore, pod_misspelt())),
        warned(jobs("misspelt.jobs", Operation::Create, FailurePolicy::Ignore, job_misspelt())),
        AdmissionRule {
            name: PLURAL.to_owned(),
            mutating: false,
            group: ORAS_CACHE.group().to_owned(),
            versions: vec![VERSION.to_owned()],
            resources: vec![PLURAL.to_owned()],
            operations: vec![Operation::Create, Operation::Update],
            conditions: cache_written(),
            // The CRD's own rules hold while the webhook is down.
            on_failure: FailurePolicy::Ignore,
            reinvoke: false,
        },
        AdmissionRule {
            operations: vec![Operation::Delete],
            conditions: vec![condition("has-claim", HAS_CLAIM.to_owned())],
            // Nothing is refused.
            ..AdmissionRule::validating(&format!("deleted.{PLURAL}"), &ORAS_CACHE)
        },
    ]
}

/// Pods that ask for a step.
fn pod_created() -> Vec<MatchCondition> {
    vec![condition("asks-for-a-step", asks_for_a_step("object.metadata"))]
}

/// Pods that were injected: the injected parts are carried over to a manifest that is applied
/// again. Requests that remove finalizers, and all requests about a pod that is being deleted, must
/// never depend on a webhook.
fn pod_updated() -> Vec<MatchCondition> {
    let injected = format!(
        "has(oldObject.metadata.annotations) && '{INJECTED_ANNOTATION}' in oldObject.metadata.annotations"
    );
    vec![condition("was-injected", injected), not_being_deleted(), changed()]
}

/// Pods whose step has credentials. The old pod is asked: it has its volumes, whatever the request
/// says. Copies count too, with or without the marker.
fn with_credentials() -> Vec<MatchCondition> {
    let volumes = "oldObject.spec.volumes";
    let expression = format!(
        "has(oldObject.spec) && has({volumes}) && {volumes}.exists(volume, volume.name == '{CREDENTIALS_VOLUME}')"
    );
    vec![condition("has-credentials", expression)]
}

/// Jobs that ask for steps, on the Job or on its pod template.
fn job_created() -> [MatchCondition; 1] {
    let job = asks_for_a_step("object.metadata");
    let template = asks_for_a_step("object.spec.template.metadata");
    [condition("asks-for-a-step", format!("({job}) || ({HAS_TEMPLATE} && {template})"))]
}

/// Pods that ask for no step, but have a key that may be meant for one. [`super::near_misses`]
/// looks closer.
fn pod_misspelt() -> Vec<MatchCondition> {
    vec![
        condition("asks-for-no-step", format!("!({})", asks_for_a_step("object.metadata"))),
        condition("misspelt", misspelt("object.metadata")),
    ]
}

/// The same for Jobs and their templates.
fn job_misspelt() -> Vec<MatchCondition> {
    let template = misspelt("object.spec.template.metadata");
    let [asks] = job_created();
    vec![
        condition("asks-for-no-step", format!("!({})", asks.expression)),
        condition(
            "misspelt",
            format!("({}) || ({HAS_TEMPLATE} && ({template}))", misspelt("object.metadata")),
        ),
    ]
}

/// Whether an annotation or a label may be meant for us.
fn misspelt(metadata: &str) -> String {
    let parts = PARTS.map(|part| format!("key.contains('{part}')")).join(" || ");
    let names =
        [annotation::INPUT_URI, annotation::OUTPUT_URI].map(|name| format!("key.startsWith('{name}')"));
    let key = format!("{parts} || {}", names.join(" || "));
    let map = |map: &str| format!("(has({metadata}.{map}) && {metadata}.{map}.exists(key, {key}))");
    format!("{} || {}", map("annotations"), map("labels"))
}

/// Jobs that ask or asked for steps. When a manifest is applied again, the Job's annotations are
/// copied into its template again. Annotations that leave the Job leave the template of a Job that
/// has not started.
fn job_updated() -> Vec<MatchCondition> {
    let (asks, asked) = (asks_for_a_step("object.metadata"), asks_for_a_step("oldObject.metadata"));
    let asks = condition("asks-for-a-step", format!("({asks}) || ({asked})"));
    vec![asks, not_being_deleted(), changed()]
}

/// Caches whose spec is new or changed. A spec that stays as it is was accepted before.
fn cache_written() -> Vec<MatchCondition> {
    vec![condition("spec-changed", format!("request.operation != 'UPDATE' || {}", differs("spec")))]
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

/// Whether a field is not what it was. Absent and empty are the same.
fn differs(field: &str) -> String {
    let content = |object: &str| format!("(has({object}.{field}) ? {object}.{field} : {{}})");
    format!("{} != {}", content("object"), content("oldObject"))
}
