//! What the guest for OrasCaches manages and reviews.
//!
//! Until the guest's own description is passed in, this module repeats it: delete the module then,
//! and pass `describe()` to [`objects`](crate::objects()) and [`files`](crate::files()).

use orascache_api::names::{API_VERSION, FIELD_MANAGER, GROUP, KIND, PLURAL, VERSION};
use orascache_api::steps::{ANNOTATION_PREFIX, INJECTED_ANNOTATION};
use orascache_contract::{
    AdmissionRule, Description, FailurePolicy, Kind, MatchCondition, Operation, WatchedKind,
};

const ORAS_CACHE: Kind = Kind::namespaced(API_VERSION, KIND, PLURAL);
const SECRET: Kind = Kind::namespaced("v1", "Secret", "secrets");
const VOLUME_CLAIM: Kind = Kind::namespaced("v1", "PersistentVolumeClaim", "persistentvolumeclaims");
const SERVICE: Kind = Kind::namespaced("v1", "Service", "services");
const STATEFUL_SET: Kind = Kind::namespaced("apps/v1", "StatefulSet", "statefulsets");

/// What the guest for OrasCaches manages.
pub fn orascache_description() -> Description {
    Description {
        primary: ORAS_CACHE,
        owned: [SECRET, VOLUME_CLAIM, SERVICE, STATEFUL_SET].map(WatchedKind::whole).to_vec(),
        related: vec![
            WatchedKind::reduced(SECRET, &[]),
            WatchedKind::reduced(VOLUME_CLAIM, &["/spec/accessModes"]),
        ],
        field_manager: FIELD_MANAGER.to_owned(),
        admission: orascache_rules(),
        sensitive: vec!["/spec/secrets/registryHttp".to_owned()],
    }
}

/// The requests that the guest for OrasCaches reviews.
///
/// When no answer comes, only the creation of an object that asks for a step is refused: a step
/// without its artifacts would be worse than a step that is not admitted. Updates never wait for a
/// webhook that is down.
///
/// The conditions (CEL) see objects as plain JSON, where an absent field has no default: `has()`
/// asks for every field that may be absent. The API server treats a condition that it cannot
/// evaluate as a failure of the webhook, and that must not refuse a pod.
pub fn orascache_rules() -> Vec<AdmissionRule> {
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
    vec![
        pods("create.pods", Operation::Create, FailurePolicy::Fail, pod_created()),
        pods("update.pods", Operation::Update, FailurePolicy::Ignore, pod_updated()),
        jobs("create.jobs", Operation::Create, FailurePolicy::Fail, job_created()),
        jobs("update.jobs", Operation::Update, FailurePolicy::Ignore, job_updated()),
        AdmissionRule {
            name: PLURAL.to_owned(),
            mutating: false,
            group: GROUP.to_owned(),
            versions: vec![VERSION.to_owned()],
            resources: vec![PLURAL.to_owned()],
            operations: vec![Operation::Create, Operation::Update],
            conditions: cache_written(),
            // The CRD's own rules hold while the webhook is down.
            on_failure: FailurePolicy::Ignore,
            reinvoke: false,
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

/// Jobs that ask for steps, on the Job or on its pod template.
fn job_created() -> Vec<MatchCondition> {
    let job = asks_for_a_step("object.metadata");
    let template = asks_for_a_step("object.spec.template.metadata");
    let has_template = "has(object.spec) && has(object.spec.template) && has(object.spec.template.metadata)";
    vec![condition("asks-for-a-step", format!("({job}) || ({has_template} && {template})"))]
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

/// Whether a field differs between the new and the old object. Absent and empty are the same.
fn differs(field: &str) -> String {
    let content = |object: &str| format!("(has({object}.{field}) ? {object}.{field} : {{}})");
    format!("{} != {}", content("object"), content("oldObject"))
}
