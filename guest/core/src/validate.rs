//! Rules for the spec of a cache beyond the types of its fields. The CRD has most of them too
//! (CEL). They are repeated here for clusters whose CRD is older, and for hosts that read caches
//! from files.

mod buckets;
mod env;
mod flavor;
mod pods;
mod report;
mod service;
mod serving;
mod tasks;

use crate::fields;
use crate::json::Json;
use crate::names;
use crate::primary::{NetworkPolicy, Primary, Spec, Storage};
use crate::quantity;
use orascache_api::names::{MAX_NAME_LENGTH, MAX_PROGRESS_DEADLINE_SECONDS};
use orascache_api::{reference, sentences};
use orascache_contract::Error;
use report::Report;
use std::collections::{BTreeMap, BTreeSet};

/// What is wrong with one field, and what to write instead.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// Path of the field, for example `spec.storage.size`.
    pub field: &'static str,
    /// A sentence without its final stop.
    pub message: String,
}

/// Texts that are there more than once, each as often as it is repeated.
fn repeated<'a>(texts: &[&'a str]) -> Vec<&'a str> {
    let mut seen = BTreeSet::new();
    texts.iter().copied().filter(|text| !seen.insert(*text)).collect()
}

/// Problems of an OrasCache, JSON text. A cache without problems can work.
///
/// # Errors
/// When the text is not an OrasCache of this version.
pub fn orascache(text: &str) -> Result<Vec<Problem>, Error> {
    let tree = fields::parse(text, "the primary")?;
    Primary::read(&tree).map(|primary| problems(&primary))
}

/// Reports all problems at once, so that a user corrects them once.
pub(crate) fn problems(primary: &Primary<'_>) -> Vec<Problem> {
    let mut report = Report::default();
    let spec = &primary.spec;

    let name = &primary.metadata.name;
    if name.len() > MAX_NAME_LENGTH {
        report.say("metadata.name", sentences::NAME_LENGTH);
    }
    if !is_service_name(name) {
        report.say("metadata.name", sentences::NAME);
    }
    if !reference::is_image(spec.image()) {
        report.quoted("spec.image", spec.image(), sentences::IMAGE);
    }
    if let Some(policy) = &spec.image_pull_policy
        && !matches!(*policy, "Always" | "IfNotPresent" | "Never")
    {
        report.quoted("spec.imagePullPolicy", policy, "is none of Always, IfNotPresent and Never");
    }
    if spec.replicas() < 0 {
        report.add("spec.replicas", format!("{} {}", spec.replicas(), sentences::REPLICAS));
    }
    let deadline = spec.progress_deadline_seconds();
    if !(1..=MAX_PROGRESS_DEADLINE_SECONDS).contains(&deadline) {
        report.add("spec.progressDeadlineSeconds", format!("{deadline} {}", sentences::PROGRESS_DEADLINE));
    }
    if spec.deploy() && spec.replicas() > 1 && !may_be_shared(spec.storage.as_ref()) {
        report.say("spec.replicas", sentences::SHARED_STORAGE);
    }
    if spec.secret.is_some() && spec.registry_http.is_some() {
        report.say("spec.secrets.registryHttp", sentences::TWO_HTTP_SECRETS);
    }
    if let Some(storage) = &spec.storage {
        storage_problems(storage, &mut report);
    }
    serving::problems(spec, &mut report);
    flavor::problems(spec, &mut report);
    network_policy_problems(&spec.network_policy, &mut report);
    tasks::problems(spec, &mut report);
    for (field, value, wanted) in [
        ("spec.imagePullSecrets", &spec.image_pull_secrets, "a list"),
        ("spec.resources", &spec.resources, "an object"),
        ("spec.taskResources", &spec.task_resources, "an object"),
        ("spec.nodeSelector", &spec.node_selector, "an object"),
        ("spec.tolerations", &spec.tolerations, "a list"),
        ("spec.affinity", &spec.pods.affinity, "an object"),
        ("spec.topologySpreadConstraints", &spec.pods.topology_spread_constraints, "a list"),
        ("spec.podLabels", &spec.pods.labels, "an object"),
        ("spec.podAnnotations", &spec.pods.annotations, "an object"),
        ("spec.env", &spec.pods.env, "a list"),
    ] {
        if let Some(value) = value
            && value.type_name() != wanted
        {
            report.add(field, format!("this must be {wanted}, not {}", value.type_name()));
        }
    }
    for (field, resources) in
        [("spec.resources", spec.resources), ("spec.taskResources", spec.task_resources)]
    {
        if let Some(resources @ Json::Object(_)) = resources {
            resource_problems(field, resources, &mut report);
        }
    }
    pods::problems(&spec.pods, &mut report);
    if let Some(service) = &spec.service {
        service::service_problems(service, spec.network_policy.is_enabled(), &mut report);
    }
    if let Some(metrics) = &spec.metrics {
        service::metrics_problems(metrics, &mut report);
    }
    report.into_problems()
}

/// Problems of the resources of a pod, which the API server would find when the pod is made.
fn resource_problems(field: &'static str, resources: &Json<'_>, report: &mut Report) {
    if resources.member("claims").is_some_and(|claims| claims.as_array() != Some(&[])) {
        report.say(
            field,
            "claims name devices that a pod has claimed, and the pods of a cache claim none: remove claims",
        );
    }
    let mut quantities = [BTreeMap::new(), BTreeMap::new()];
    for (kind, read) in ["requests", "limits"].into_iter().zip(&mut quantities) {
        let members: &[_] = match resources.member(kind) {
            None => &[],
            Some(Json::Object(members)) => members,
            Some(other) => {
                report.add(field, format!("{kind} must be an object, not {}", other.type_name()));
                continue;
            }
        };
        for (name, value) in members {
            if !names::is_container_resource(name) {
                report.add(
                    field,
                    format!(
                        "{kind}: \"{name}\" is no resource of a container: write cpu, memory or ephemeral-storage, or a resource with its domain, like example.org/device"
                    ),
                );
            }
            match quantity::of(value).filter(|amount| *amount >= quantity::ZERO) {
                Some(amount) => {
                    read.insert(name.as_ref(), amount);
                }
                None => report.add(
                    field,
                    format!(
                        "{kind}.{name} is {}, which is not a quantity: write one like {}",
                        value.to_text(),
                        if name == "cpu" { "50m" } else { "64Mi" }
                    ),
                ),
            }
        }
    }
    let [requests, limits] = quantities;
    for (name, request) in requests {
        if limits.get(name).is_some_and(|limit| request > *limit) {
            report.add(
                field,
                format!("requests.{name} is more than limits.{name}: raise the limit, or lower the request"),
            );
        }
    }
}

/// Names in a spec that no object of the cluster can have. A cache that was stored with one is not
/// stopped for it: it says that the object is missing.
pub(crate) fn names(spec: &Spec<'_>) -> Vec<Problem> {
    let storage = spec.storage.as_ref();
    let pull_secrets = spec.image_pull_secrets.and_then(Json::as_array).unwrap_or_default();
    let pull_secrets = pull_secrets.iter().map(|item| ("spec.imagePullSecrets", item.name()));
    let named = [
        ("spec.priorityClassName", spec.pods.priority_class_name),
        ("spec.serviceAccountName", spec.pods.service_account_name),
        ("spec.storage.existingClaim", storage.and_then(|storage| storage.existing_claim)),
        ("spec.storage.storageClassName", storage.and_then(|storage| storage.storage_class_name)),
    ];
    let mut found = Vec::new();
    let secrets = spec.named_secrets().into_iter().map(|named| (named.field, Some(named.name)));
    for (field, name) in secrets.chain(named).chain(pull_secrets) {
        if name.is_some_and(|name| !names::is_subdomain(name)) {
            let message = "this cannot be the name of an object: use lower case letters, digits, '-' and '.'";
            found.push(Problem { field, message: message.to_owned() });
        }
    }
    let nodes: &[_] = match spec.node_selector {
        Some(Json::Object(members)) => members,
        _ => &[],
    };
    for (key, value) in nodes {
        if !names::is_key(key) || !value.as_str().is_some_and(names::is_label_value) {
            let message = format!(
                "\"{key}\" and its value cannot be the label of a node: use letters, digits, '-', '_' and '.'"
            );
            found.push(Problem { field: "spec.nodeSelector", message });
        }
    }
    if spec.registry_http.is_some_and(|secret| secret.chars().any(char::is_control)) {
        let message = "this holds a control character, such as a line break or NUL: write it without";
        found.push(Problem { field: "spec.secrets.registryHttp", message: message.to_owned() });
    }
    found
}

fn network_policy_problems(policy: &NetworkPolicy<'_>, report: &mut Report) {
    if !policy.is_enabled() && !policy.allowed_namespaces.is_empty() {
        report.say("spec.networkPolicy", sentences::POLICY_IS_OFF);
    }
    for namespace in policy.allowed_namespaces.iter().filter(|namespace| !names::is_label(namespace)) {
        report.quoted("spec.networkPolicy.allowedNamespaces", namespace, sentences::NAMESPACE);
    }
}

fn storage_problems(storage: &Storage<'_>, report: &mut Report) {
    // Each is one place for artifacts.
    let places = [storage.size.is_some(), storage.existing_claim.is_some(), storage.empty_dir.is_some()];
    if places.into_iter().filter(|is_given| *is_given).count() + storage.buckets.len() != 1 {
        report.say("spec.storage", sentences::ONE_STORAGE);
    }
    storage.buckets.iter().for_each(|bucket| buckets::problems(bucket, report));
    let limit = storage.empty_dir.as_ref().and_then(|disk| disk.size_limit);
    for (field, size) in [("spec.storage.size", storage.size), ("spec.storage.emptyDir.sizeLimit", limit)] {
        if let Some(size) = size.filter(|size| !quantity::is_positive(size)) {
            report.quoted(field, size, sentences::SIZE);
        }
    }
    if let Some(fate) = storage.when_deleted.filter(|fate| !matches!(*fate, "Retain" | "Delete")) {
        report.quoted("spec.storage.whenDeleted", fate, "is none of Retain and Delete");
    }
    if storage.size.is_none()
        && (storage.storage_class_name.is_some()
            || storage.access_modes.is_some()
            || storage.when_deleted.is_some())
    {
        report.say("spec.storage", sentences::FIELDS_OF_OWN_CLAIM);
    }
    for mode in storage.access_modes() {
        if !matches!(*mode, "ReadWriteOnce" | "ReadOnlyMany" | "ReadWriteMany" | "ReadWriteOncePod") {
            let rest = "is none of ReadWriteOnce, ReadOnlyMany, ReadWriteMany and ReadWriteOncePod";
            report.quoted("spec.storage.accessModes", mode, rest);
        }
    }
}

/// Problems of a change: some fields are immutable once the claim of the cache exists. The CRD has
/// the same rules (CEL).
pub(crate) fn changes(old: &Spec<'_>, new: &Spec<'_>) -> Vec<Problem> {
    let mut found: Vec<Problem> = buckets::change(old.bucket(), new.bucket()).into_iter().collect();
    found.extend(flavor::change(old, new));
    let (Some(before), Some(after)) = (&old.storage, &new.storage) else { return found };
    let (Some(old_size), Some(size)) = (before.size, after.size) else { return found };
    let mut report = |field, sentence: &str, old: &str| {
        found.push(Problem { field, message: format!("{sentence}, {old}") });
    };
    if quantity::parse(size) < quantity::parse(old_size) {
        report("spec.storage.size", sentences::SHRINKS, old_size);
    }
    if before.storage_class_name != after.storage_class_name {
        let class = before.storage_class_name.unwrap_or("nothing");
        report("spec.storage.storageClassName", sentences::STORAGE_CLASS_IS_FIXED, class);
    }
    if before.access_modes() != after.access_modes() {
        let modes = format!("[{}]", before.access_modes().join(", "));
        report("spec.storage.accessModes", sentences::ACCESS_MODES_ARE_FIXED, &modes);
    }
    found
}

/// Whether several pods may be able to write the storage. The access modes of an existing claim are
/// not known before it is observed.
fn may_be_shared(storage: Option<&Storage<'_>>) -> bool {
    storage.is_some_and(|storage| {
        storage.existing_claim.is_some()
            || !storage.buckets.is_empty()
            || storage.access_modes().contains(&"ReadWriteMany")
    })
}

/// Whether the access modes of an observed claim let several pods write it.
pub(crate) fn lists_shared_mode(modes: Option<&Json<'_>>) -> bool {
    modes
        .and_then(Json::as_array)
        .is_some_and(|modes| modes.iter().any(|mode| mode.as_str() == Some("ReadWriteMany")))
}

/// RFC 1035 label, as Services require.
fn is_service_name(name: &str) -> bool {
    let allowed = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
    name.starts_with(|first: char| first.is_ascii_lowercase())
        && !name.ends_with('-')
        && name.bytes().all(allowed)
}
