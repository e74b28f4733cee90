//! The typed OrasCache. The CRD is generated from here; doc comments become `kubectl explain`.

use k8s_openapi::api::core::v1::{
    Affinity, EnvVar, LocalObjectReference, ResourceRequirements, Toleration, TopologySpreadConstraint,
};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{Condition, Time};
use kube::{CustomResource, KubeSchema};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

use crate::names::{DEFAULT_IMAGE, DEFAULT_PROGRESS_DEADLINE_SECONDS};
use crate::sentences;
use crate::spec::{
    Flavor, OrasCacheAuth, OrasCacheExport, OrasCacheExportStatus, OrasCacheMetrics, OrasCacheProxy,
    OrasCacheRetention, OrasCacheRetentionStatus, OrasCacheSeed, OrasCacheSeedStatus, OrasCacheService,
    OrasCacheStorage, OrasCacheTls, default_true, namespaces_schema,
};

pub use claim_status::OrasCacheClaimStatus;

mod claim_status;

/// What the user asks for: an OCI registry in this namespace that serves as a cache for workflow artifacts.
#[derive(CustomResource, KubeSchema, Serialize, Deserialize, Clone, Debug, Default, PartialEq)]
#[kube(
    group = "cache.converged-computing.github.io",
    version = "v1alpha1",
    kind = "OrasCache",
    plural = "orascaches",
    singular = "orascache",
    shortname = "oc",
    category = "all",
    namespaced,
    status = "OrasCacheStatus",
    scale(
        spec_replicas_path = ".spec.replicas",
        status_replicas_path = ".status.replicas",
        label_selector_path = ".status.selector"
    ),
    doc = "An OrasCache is an OCI registry in a namespace that serves as a cache for workflow artifacts: annotated pods and jobs pull their inputs from it and push their outputs to it.",
    printcolumn = r#"{"name":"Ready","type":"string","description":"Whether the cache can be used.","jsonPath":".status.conditions[?(@.type==\"Ready\")].status"}"#,
    printcolumn = r#"{"name":"Storage","type":"string","description":"Persistent, or Ephemeral when artifacts are lost with the pod.","jsonPath":".status.storage"}"#,
    printcolumn = r#"{"name":"Reason","type":"string","description":"Why the cache is or is not ready.","jsonPath":".status.conditions[?(@.type==\"Ready\")].reason"}"#,
    printcolumn = r#"{"name":"Endpoint","type":"string","priority":1,"description":"Host and port of the registry.","jsonPath":".status.endpoint"}"#,
    printcolumn = r#"{"name":"Image","type":"string","priority":1,"description":"Image of the registry.","jsonPath":".spec.image"}"#,
    printcolumn = r#"{"name":"Replicas","type":"integer","priority":1,"description":"Ready registry pods.","jsonPath":".status.readyReplicas"}"#,
    printcolumn = r#"{"name":"Restricted","type":"string","priority":1,"description":"Whether a NetworkPolicy says who reaches the registry.","jsonPath":".status.conditions[?(@.type==\"NetworkRestricted\")].status"}"#,
    printcolumn = r#"{"name":"Age","type":"date","jsonPath":".metadata.creationTimestamp"}"#,
    validation = Rule::new("self.metadata.name.matches('^[a-z]([-a-z0-9]*[a-z0-9])?$')").message(sentences::NAME),
    validation = Rule::new("size(self.metadata.name) <= 52").message(sentences::NAME_LENGTH)
)]
#[x_kube(
    validation = Rule::new(SHARED_STORAGE_RULE).message(sentences::SHARED_STORAGE).field_path(".replicas"),
    validation = Rule::new("!(has(self.secret) && has(self.secrets) && has(self.secrets.registryHttp))").message(sentences::TWO_HTTP_SECRETS).field_path(".secrets.registryHttp"),
    validation = Rule::new("!has(self.proxy) || !self.delete").message(sentences::DELETE_FROM_PROXY).field_path(".delete"),
    validation = Rule::new("!has(self.proxy) || self.replicas <= 1").message(sentences::REPLICAS_OF_PROXY).field_path(".replicas"),
    validation = Rule::new("!has(self.seed) || !has(self.auth) || !has(self.auth.htpasswdSecret) || has(self.auth.credentialsSecret)").message(sentences::TASKS_WITHOUT_ACCOUNT).field_path(".seed"),
    validation = Rule::new("!has(self.export) || !has(self.auth) || !has(self.auth.htpasswdSecret) || has(self.auth.credentialsSecret)").message(sentences::TASKS_WITHOUT_ACCOUNT).field_path(".export"),
    validation = Rule::new("!has(self.retention) || !(has(self.proxy) || has(self.readOnly) && self.readOnly)").message(sentences::TASKS_OF_READ_ONLY).field_path(".retention"),
    validation = Rule::new("!has(self.seed) || !(has(self.proxy) || has(self.readOnly) && self.readOnly)").message(sentences::TASKS_OF_READ_ONLY).field_path(".seed"),
    validation = Rule::new("(has(self.storage) && has(self.storage.s3)) == (has(oldSelf.storage) && has(oldSelf.storage.s3)) && (has(self.storage) && has(self.storage.gcs)) == (has(oldSelf.storage) && has(oldSelf.storage.gcs)) && (has(self.storage) && has(self.storage.azure)) == (has(oldSelf.storage) && has(oldSelf.storage.azure))").message(sentences::BACKEND_IS_FIXED).field_path(".storage")
)]
#[serde(rename_all = "camelCase")]
pub struct OrasCacheSpec {
    /// Image of the registry: of the distribution registry, which REGISTRY_* variables configure, or of zot.
    #[serde(default = "default_image")]
    #[schemars(length(max = 512))]
    #[x_kube(validation = Rule::new(IMAGE_RULE).message(sentences::IMAGE))]
    pub image: String,

    /// Which program the image is: distribution, which REGISTRY_* variables configure, or zot (2.1.6 or later), which a
    /// file configures. By default zot where the image is called zot or zot-..., and distribution otherwise.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub flavor: Option<Flavor>,

    /// When the node pulls the image: Always, IfNotPresent or Never. By default IfNotPresent, or Always for the tag latest.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub image_pull_policy: Option<ImagePullPolicy>,

    /// Secrets of this namespace with credentials for pulling the image.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 32))]
    pub image_pull_secrets: Option<Vec<LocalObjectReference>>,

    /// Whether a registry is deployed. With false every workflow step names a registry of its own; storage is kept.
    #[serde(default = "default_true")]
    pub deploy: bool,

    /// Name of a Secret in this namespace whose key http-secret signs the state of uploads. All registry pods of a
    /// cache must use the same; one is generated where several replicas have none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 253))]
    pub secret: Option<String>,

    /// Secrets for workflow steps, and the older place of the HTTP secret.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub secrets: Option<OrasCacheSecrets>,

    /// How many registry pods serve the cache. More than one needs storage that several pods can write. With 0 nothing
    /// serves it until it is scaled up again.
    #[serde(default = "default_replicas")]
    #[schemars(range(max = 100))]
    #[x_kube(validation = Rule::new("self >= 0").message(sentences::REPLICAS))]
    pub replicas: i32,

    /// Where artifacts are kept. Without it they live and die with the pod.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub storage: Option<OrasCacheStorage>,

    /// Whether clients may delete manifests and blobs. By default they may not: everybody who reaches the registry could.
    #[serde(default)]
    pub delete: bool,

    /// How many seconds the registry pods may come no further before the condition Degraded says so. By default ten
    /// minutes.
    #[serde(default = "default_progress_deadline")]
    #[x_kube(validation = Rule::new("self >= 1 && self <= 604800").message(sentences::PROGRESS_DEADLINE))]
    pub progress_deadline_seconds: i64,

    /// Which artifacts are kept. Without it none is deleted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retention: Option<OrasCacheRetention>,

    /// Artifacts of other registries that are copied into this one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub seed: Option<OrasCacheSeed>,

    /// Artifacts that are mirrored in another registry.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub export: Option<OrasCacheExport>,

    /// Whether the registry takes no pushes and no deletions. Workflow steps with outputs are refused meanwhile.
    #[serde(default)]
    pub read_only: bool,

    /// Another registry, of which the cache is a pull-through cache: what is not in the cache is fetched from there. It
    /// takes no pushes, so that workflow steps with outputs are refused.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub proxy: Option<OrasCacheProxy>,

    /// Serves HTTPS instead of HTTP. Workflow steps then trust the authority of its certificate; other clients need it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tls: Option<OrasCacheTls>,

    /// Lets only those who have an account pull and push. By default everybody who reaches the registry may.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub auth: Option<OrasCacheAuth>,

    /// Who reaches the registry over the network. By default the pods of this namespace and of the operator's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub network_policy: Option<OrasCacheNetworkPolicy>,

    /// CPU and memory of a registry pod. By default 50m and 64Mi are requested, without limits.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub resources: Option<ResourceRequirements>,

    /// CPU and memory of the pods that work on the registry: for retention, seed and export. By default they are small,
    /// and limited where resources has limits.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub task_resources: Option<ResourceRequirements>,

    /// Labels of the nodes that registry pods may run on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub node_selector: Option<BTreeMap<String, String>>,

    /// Taints that registry pods tolerate.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 64))]
    pub tolerations: Option<Vec<Toleration>>,

    /// Which nodes registry pods prefer or avoid, and which pods they run beside.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub affinity: Option<Affinity>,

    /// How registry pods are spread. A constraint without labelSelector counts the pods of this cache. By default
    /// several replicas are spread over nodes where possible; an empty list turns that off.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 16))]
    pub topology_spread_constraints: Option<Vec<TopologySpreadConstraint>>,

    /// Name of the PriorityClass of registry pods.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 253))]
    pub priority_class_name: Option<String>,

    /// Further labels of registry pods.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pod_labels: Option<BTreeMap<String, String>>,

    /// Annotations of registry pods.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pod_annotations: Option<BTreeMap<String, String>>,

    /// ServiceAccount of registry pods, for example one that a cloud gives rights on storage. Its token is not mounted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 253))]
    pub service_account_name: Option<String>,

    /// Further variables of the registry container, for example REGISTRY_LOG_LEVEL. Those that follow from other fields
    /// are refused.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 128))]
    pub env: Option<Vec<EnvVar>>,

    /// The Service over which clients are spread. It exists with this field, and where there are several replicas.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub service: Option<OrasCacheService>,

    /// Metrics of the registry. By default there are none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub metrics: Option<OrasCacheMetrics>,

    /// Whether the operator leaves everything as it is: with true, nothing of this cache is made, changed or removed.
    #[serde(default)]
    pub suspend: bool,
}

/// Several replicas need storage that all of them can write. Each line is one kind of such storage.
const SHARED_STORAGE_RULE: &str = concat!(
    "self.replicas <= 1 || !self.deploy || (has(self.storage) && (",
    "has(self.storage.existingClaim)",
    " || has(self.storage.s3) || has(self.storage.gcs) || has(self.storage.azure)",
    " || (has(self.storage.accessModes) && 'ReadWriteMany' in self.storage.accessModes)",
    "))",
);

// The rules are CEL and no patterns: the API server shows a rule's sentence, and of a pattern only
// the regular expression. Every text that a rule reads has a `maxLength`, by which the API server
// estimates what the rule may cost.

/// Image references: an optional host, a repository, and a tag or digest or both (distribution's
/// grammar).
const IMAGE_RULE: &str = concat!(
    "self.matches('^(",
    r"(localhost|[A-Za-z0-9-]+([.][A-Za-z0-9-]+)+|[A-Za-z0-9.-]+:[0-9]+|\\[[0-9A-Fa-f:.]+\\](:[0-9]+)?)/)?",
    "[a-z0-9]+(([.]|_|__|-+)[a-z0-9]+)*(/[a-z0-9]+(([.]|_|__|-+)[a-z0-9]+)*)*",
    "(:[A-Za-z0-9_][A-Za-z0-9_.-]{0,127})?(@(sha256:[0-9a-f]{64}|sha512:[0-9a-f]{128}))?",
    "$')",
);

fn default_image() -> String {
    DEFAULT_IMAGE.to_owned()
}

fn default_replicas() -> i32 {
    1
}

fn default_progress_deadline() -> i64 {
    DEFAULT_PROGRESS_DEADLINE_SECONDS
}

/// When a node pulls an image.
#[derive(Serialize, Deserialize, schemars::JsonSchema, Clone, Copy, Debug, PartialEq, Eq)]
pub enum ImagePullPolicy {
    /// At every start of a pod.
    Always,
    /// When the node does not have it.
    IfNotPresent,
    /// Never: the node has it.
    Never,
}

/// Secrets of a cache.
#[derive(Serialize, Deserialize, schemars::JsonSchema, Clone, Debug, Default, PartialEq)]
#[serde(rename_all = "camelCase")]
pub struct OrasCacheSecrets {
    /// Name of a Secret in this namespace with ORAS_USER, ORAS_PULL_PASS and ORAS_PUSH_PASS, for workflow steps that
    /// use the registry in orasEnvRegistry. It never reaches the registry of this cache.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 253))]
    pub oras_env: Option<String>,

    /// The registry that the credentials in orasEnv are for: a host with an optional port, with http:// in front where
    /// it has no TLS. Steps that use another registry name a Secret themselves.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 270))]
    pub oras_env_registry: Option<String>,

    /// Deprecated: the HTTP secret as a literal. It is moved into a Secret; name a Secret in spec.secret instead.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 4096))]
    pub registry_http: Option<String>,
}

/// The NetworkPolicy of a cache. It holds where the network plugin of the cluster enforces policies.
#[derive(Serialize, Deserialize, KubeSchema, Clone, Debug, PartialEq)]
#[x_kube(
    validation = Rule::new("self.enabled || !has(self.allowedNamespaces) || size(self.allowedNamespaces) == 0").message(sentences::POLICY_IS_OFF)
)]
#[serde(rename_all = "camelCase")]
pub struct OrasCacheNetworkPolicy {
    /// Whether a NetworkPolicy is made. With false every pod of the cluster reaches the registry, unless other policies
    /// forbid it.
    #[serde(default = "default_true")]
    pub enabled: bool,

    /// Names of further namespaces whose pods reach the registry. They can read and overwrite its artifacts.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "namespaces_schema")]
    pub allowed_namespaces: Option<Vec<String>>,
}

/// What was observed.
#[derive(Serialize, Deserialize, schemars::JsonSchema, Clone, Debug, Default, PartialEq)]
#[serde(rename_all = "camelCase")]
pub struct OrasCacheStatus {
    /// Ready (the cache can be used), Progressing (something is being brought about), Degraded (something needs attention),
    /// NetworkRestricted (a NetworkPolicy says who reaches the registry) and ForeignFields (others set fields of the
    /// StatefulSet).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "conditions_schema")]
    pub conditions: Option<Vec<Condition>>,

    /// Generation of the spec that this status describes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub observed_generation: Option<i64>,

    /// Host and port of the registry within the cluster. Absent when none is deployed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub endpoint: Option<String>,

    /// Image that the registry pods are to run.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub image: Option<String>,

    /// Registry pods that exist.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub replicas: Option<i32>,

    /// Labels of the registry pods, as a selector. Autoscalers find the pods by it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub selector: Option<String>,

    /// Registry pods that are ready.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ready_replicas: Option<i32>,

    /// Persistent, or Ephemeral when artifacts are lost with the pod.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub storage: Option<String>,

    /// The same as endpoint, as a URL with its scheme.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub url: Option<String>,

    /// Digest of the image that the first ready registry pod runs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub image_digest: Option<String>,

    /// Registry pods that are as the spec asks.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub updated_replicas: Option<i32>,

    /// When the registry pods last came further. Absent while they are as the spec asks.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_progress_time: Option<Time>,

    /// The volume claim that the registry pods mount.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub claim: Option<OrasCacheClaimStatus>,

    /// UID of the pod that has the artifacts of a cache without storage.
    #[serde(default, rename = "registryPodUID", skip_serializing_if = "Option::is_none")]
    pub registry_pod_uid: Option<String>,

    /// When a cache without storage last lost its artifacts, because its pod was replaced.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub artifacts_lost_at: Option<Time>,

    /// When old artifacts were deleted, and how many.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retention: Option<OrasCacheRetentionStatus>,

    /// Bytes of all manifests and blobs that the tags of the registry refer to, each counted once, after the last run of
    /// retention that could look at all of them. The registry may store more: what nothing refers to any more.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bytes_referenced: Option<i64>,

    /// How far the seeds are.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub seed: Option<OrasCacheSeedStatus>,

    /// When artifacts were mirrored, and how many.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub export: Option<OrasCacheExportStatus>,
}

/// Conditions are a list-map by type, as server-side apply and `kubectl wait` expect (KEP-1623).
fn conditions_schema(generator: &mut schemars::SchemaGenerator) -> schemars::Schema {
    let mut schema = generator.subschema_for::<Option<Vec<Condition>>>();
    schema.insert("x-kubernetes-list-type".to_owned(), "map".into());
    schema.insert("x-kubernetes-list-map-keys".to_owned(), serde_json::json!(["type"]));
    schema
}
