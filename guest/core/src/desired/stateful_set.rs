//! The registry pods.

use super::additions::Additions;
use super::pod_parts::{container_security, default_resources, literal, pod_security, variable_from_secret};
use super::{
    Child, Extras, TemplateRevision, claim_name, collection, http_secret_source, not_empty, pods,
    selector_labels, zot,
};
use crate::json::Json;
use crate::kinds::STATEFUL_SET;
use crate::primary::{Flavor, Primary, Spec};
use orascache_api::names::{
    APPLIED_GENERATION_ANNOTATION, COLLECTION_PORT, DATA_PATH, HTTP_SECRET_KEY, METRICS_NAME, METRICS_PORT,
    REGISTRY_NAME, REGISTRY_PORT, TEMPLATE_REVISION_ANNOTATION,
};

/// Name of the volume with the blobs.
const DATA_VOLUME: &str = "data";

/// The StatefulSet of a cache, with the defaults of one revision. It satisfies Pod Security
/// `restricted`.
pub(crate) fn stateful_set<'a>(
    primary: &'a Primary<'a>,
    revision: TemplateRevision,
    agent_image: &str,
) -> Child<'a> {
    let name = primary.metadata.name;
    let template = Json::object([
        ("metadata", Some(pods::metadata(primary, revision))),
        ("spec", Some(pod_spec(primary, revision, agent_image))),
    ]);
    let spec = Json::object([
        // All pods serve the same storage, so that their order does not matter. A StatefulSet that
        // waits for ordered readiness does not recover by itself from an image that never becomes
        // ready.
        ("podManagementPolicy", Some("Parallel".into())),
        ("replicas", Some(primary.spec.replicas().into())),
        ("selector", Some(Json::object([("matchLabels", Some(selector_labels(primary)))]))),
        ("serviceName", Some(name.into())),
        ("template", Some(template)),
    ]);
    let stamps = vec![
        (APPLIED_GENERATION_ANNOTATION.into(), primary.metadata.generation.to_string().into()),
        (TEMPLATE_REVISION_ANNOTATION.into(), revision.number().into()),
    ];
    let extras = Extras { stamps, ..Extras::default() };
    Child::with(primary, &STATEFUL_SET, name.into(), extras, [("spec", spec)])
}

/// Whether the agent supervises the registry, to collect its garbage.
fn is_supervised(primary: &Primary<'_>, revision: TemplateRevision) -> bool {
    revision == TemplateRevision::Collection && primary.spec.collects_garbage()
}

fn pod_spec<'a>(primary: &'a Primary<'a>, revision: TemplateRevision, agent_image: &str) -> Json<'a> {
    let spec = &primary.spec;
    let volume = match claim_name(primary) {
        Some(claim) => Json::object([
            ("name", Some(DATA_VOLUME.into())),
            ("persistentVolumeClaim", Some(Json::object([("claimName", Some(claim.into()))]))),
        ]),
        None => {
            let disk = spec.storage.as_ref().and_then(|storage| storage.empty_dir.as_ref());
            let limit = disk.and_then(|disk| disk.size_limit).map(Json::from);
            Json::object([
                ("name", Some(DATA_VOLUME.into())),
                ("emptyDir", Some(Json::object([("sizeLimit", limit)]))),
            ])
        }
    };
    let mut additions = Additions::of(primary);
    let is_supervised = is_supervised(primary, revision);
    if is_supervised {
        let (more, mounts): (Vec<_>, Vec<_>) = collection::volumes_and_mounts(primary).into_iter().unzip();
        additions.volumes.extend(more);
        additions.mounts.extend(mounts);
    }
    let mut volumes = vec![volume];
    volumes.extend(additions.volumes);
    let install = || Json::Array(vec![collection::install_container(primary, agent_image)]);
    let container = container(primary, revision, (additions.variables, additions.mounts));
    Json::object([
        ("affinity", not_empty(spec.pods.affinity)),
        ("automountServiceAccountToken", Some(false.into())),
        ("containers", Some(Json::Array(vec![container]))),
        ("enableServiceLinks", Some(false.into())),
        ("imagePullSecrets", not_empty(spec.image_pull_secrets)),
        ("initContainers", is_supervised.then(install)),
        ("nodeSelector", not_empty(spec.node_selector)),
        ("priorityClassName", spec.pods.priority_class_name.map(Json::from)),
        ("securityContext", Some(pod_security(true))),
        // The older name of the next field. The API server keeps both, and would bring back a removed
        // account from the one that nobody applied.
        ("serviceAccount", spec.pods.service_account_name.map(Json::from)),
        ("serviceAccountName", spec.pods.service_account_name.map(Json::from)),
        ("tolerations", not_empty(spec.tolerations)),
        ("topologySpreadConstraints", pods::spread(primary)),
        ("volumes", Some(Json::Array(volumes))),
    ])
}

/// `added` are variables and mounts.
fn container<'a>(
    primary: &'a Primary<'a>,
    revision: TemplateRevision,
    added: (Vec<Json<'a>>, Vec<Json<'a>>),
) -> Json<'a> {
    let spec = &primary.spec;
    let mut ports = vec![port(REGISTRY_NAME, REGISTRY_PORT)];
    if spec.metrics.is_some() {
        ports.push(port(METRICS_NAME, METRICS_PORT));
    }
    let is_supervised = is_supervised(primary, revision);
    if is_supervised {
        ports.push(port(collection::NAME, COLLECTION_PORT));
    }
    let mount = Json::object([("mountPath", Some(DATA_PATH.into())), ("name", Some(DATA_VOLUME.into()))]);
    let (mut variables, mut mounts) = (environment(primary, revision), vec![mount]);
    variables.extend(added.0);
    variables.extend(spec.pods.env.and_then(Json::as_array).unwrap_or_default().iter().cloned());
    mounts.extend(added.1);
    let probe = |period_seconds, failure_threshold| probe(spec, period_seconds, failure_threshold);
    let arguments = (spec.flavor() == Flavor::Zot).then(zot::arguments);
    Json::object([
        ("args", arguments),
        ("command", is_supervised.then(collection::command)),
        ("env", (!variables.is_empty()).then_some(Json::Array(variables))),
        ("image", Some(spec.image().into())),
        ("imagePullPolicy", spec.image_pull_policy.map(Json::from)),
        ("livenessProbe", Some(probe(10, 6))),
        ("name", Some(REGISTRY_NAME.into())),
        ("ports", Some(Json::Array(ports))),
        ("readinessProbe", Some(probe(5, 3))),
        ("resources", Some(not_empty(spec.resources).unwrap_or_else(default_resources))),
        ("securityContext", Some(container_security())),
        // Two minutes, for slow volumes.
        ("startupProbe", Some(probe(2, 60))),
        ("terminationMessagePolicy", Some("FallbackToLogsOnError".into())),
        ("volumeMounts", Some(Json::Array(mounts))),
    ])
}

fn port<'a>(name: &'static str, number: i64) -> Json<'a> {
    Json::object([
        ("containerPort", Some(number.into())),
        ("name", Some(name.into())),
        ("protocol", Some("TCP".into())),
    ])
}

/// Configuration of the distribution registry
/// (distribution.github.io/distribution/about/configuration).
fn environment<'a>(primary: &'a Primary<'a>, revision: TemplateRevision) -> Vec<Json<'a>> {
    if primary.spec.flavor() == Flavor::Zot {
        return Vec::new();
    }
    // "false" is written out, since images bring configuration files that allow deletion.
    let deletes = primary.spec.delete() || revision == TemplateRevision::DeletionOn;
    let mut variables = vec![
        literal("REGISTRY_HTTP_ADDR", format!(":{REGISTRY_PORT}")),
        literal("REGISTRY_STORAGE_DELETE_ENABLED", if deletes { "true" } else { "false" }),
    ];
    // A second storage beside a bucket would end the registry.
    if primary.spec.bucket().is_none() {
        variables.push(literal("REGISTRY_STORAGE_FILESYSTEM_ROOTDIRECTORY", DATA_PATH));
    }
    if primary.spec.metrics.is_some() {
        variables.push(literal("REGISTRY_HTTP_DEBUG_ADDR", format!(":{METRICS_PORT}")));
        variables.push(literal("REGISTRY_HTTP_DEBUG_PROMETHEUS_ENABLED", "true"));
    }
    if let Some(secret) = http_secret_source(primary) {
        variables.push(variable_from_secret("REGISTRY_HTTP_SECRET", secret, HTTP_SECRET_KEY));
    }
    variables
}

/// A probe that is answered with 200 without credentials. The kubelet does not verify certificates.
fn probe<'a>(spec: &Spec<'_>, period_seconds: i64, failure_threshold: i64) -> Json<'a> {
    let path = match spec.flavor() {
        Flavor::Distribution => "/",
        Flavor::Zot => "/livez",
    };
    let get = Json::object([
        ("path", Some(path.into())),
        ("port", Some(REGISTRY_NAME.into())),
        ("scheme", spec.tls.map(|_| "HTTPS".into())),
    ]);
    Json::object([
        ("failureThreshold", Some(failure_threshold.into())),
        ("httpGet", Some(get)),
        ("periodSeconds", Some(period_seconds.into())),
        ("timeoutSeconds", Some(5.into())),
    ])
}
