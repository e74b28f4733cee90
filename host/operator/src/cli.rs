//! The command line: what can be typed, and what it means.

use crate::output::Format;
use crate::record::{self, Bounds};
use crate::settings::Source;
use clap::{Args, Parser, Subcommand};
use std::net::SocketAddr;
use std::path::PathBuf;

/// OCI registries as caches for workflow artifacts on Kubernetes.
///
/// Exit codes: 0 done, 1 refused or failed, 2 unusable input or arguments.
#[derive(Debug, Parser)]
#[command(name = "orascache", version, arg_required_else_help = true)]
pub struct Cli {
    /// What to do.
    #[command(subcommand)]
    pub command: Command,

    /// What to log, as in `info,controller=debug` (tracing's EnvFilter).
    #[arg(long, global = true, env = "ORASCACHE_LOG", default_value = "info", hide_default_value = true)]
    pub log: String,
}

/// What can be done.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Run the operator against a cluster: in-cluster credentials or the current kubeconfig.
    Run(Box<RunArgs>),
    /// Start a Kubernetes API on loopback with the operator in it. Needs no cluster and no containers.
    Dev(DevArgs),
    /// Print the objects that a cache would get.
    Render(RenderArgs),
    /// Say what admission decides about an AdmissionReview, or about Pods, Jobs and OrasCaches that were created.
    Review(ReviewArgs),
    /// Print the CustomResourceDefinition of OrasCache.
    Crd(CrdArgs),
    /// Print what an installation consists of, for `kubectl apply -f -`, or write it as kustomize folders.
    Manifests(ManifestsArgs),
    /// Repeat recorded decisions, with this component or another one, and show what it decides otherwise.
    Replay(ReplayArgs),
    /// Show what a component imports and exports, its size and its digest.
    Inspect(InspectArgs),
    /// Push a component to a registry, or pull one.
    #[command(subcommand)]
    Module(ModuleCommand),
}

/// `orascache module`
#[derive(Debug, Subcommand)]
pub enum ModuleCommand {
    /// Push a component as an OCI artifact, and print the reference by which it is pinned.
    Push(ModulePushArgs),
    /// Pull a component into a file.
    Pull(ModulePullArgs),
}

/// `orascache module push`
#[derive(Args, Debug)]
pub struct ModulePushArgs {
    /// Where to, as host[:port]/repository[:tag].
    pub reference: String,

    /// The component; the embedded one by default.
    pub file: Option<PathBuf>,

    /// How registries are spoken to.
    #[command(flatten)]
    pub registry: RegistryArgs,
}

/// `orascache module pull`
#[derive(Args, Debug)]
pub struct ModulePullArgs {
    /// Which, as host[:port]/repository@sha256:digest.
    pub reference: String,

    /// Where it is written.
    #[arg(short, long, value_name = "FILE", default_value = "component.wasm")]
    pub output: PathBuf,

    /// How registries are spoken to, and what is trusted.
    #[command(flatten)]
    pub registry: RegistryArgs,
}

/// How registries with components are spoken to, and what is trusted. Credentials are those of `docker login`, or ORAS_USER
/// with ORAS_PULL_PASS and ORAS_PUSH_PASS.
#[derive(Args, Clone, Debug)]
pub struct RegistryArgs {
    /// Take a component that is named by a tag, which may mean another one tomorrow.
    #[arg(long, env = "ORASCACHE_ALLOW_UNPINNED")]
    pub allow_unpinned: bool,

    /// Take only a component that this key signed: PEM, ECDSA P-256, as `cosign generate-key-pair` writes it.
    #[arg(long, value_name = "FILE", env = "ORASCACHE_COMPONENT_KEY")]
    pub component_key: Option<PathBuf>,

    /// Speak plain HTTP to the registry, as is done anyway on loopback.
    #[arg(long, env = "ORASCACHE_COMPONENT_PLAIN_HTTP")]
    pub component_plain_http: bool,
}

/// Which component decides.
#[derive(Args, Clone, Debug)]
pub struct ComponentArgs {
    /// A component to use instead of the embedded one: a file, or oci://host[:port]/repository@sha256:digest. `run` and `dev`
    /// follow a file: another version that passes their checks takes over without a restart.
    #[arg(long, value_name = "FILE", env = "ORASCACHE_RUN_COMPONENT")]
    pub component: Option<PathBuf>,

    /// Registries that it may come from.
    #[command(flatten)]
    pub registry: RegistryArgs,

    /// Memory that an instance of the component may use, in MiB.
    #[arg(long, value_name = "MIB", env = "ORASCACHE_COMPONENT_MEMORY", default_value_t = 128, value_parser = clap::value_parser!(u16).range(1..=4096))]
    pub component_memory: u16,

    /// How long a call of the component may take, in milliseconds. It is stopped at the next tenth of a second.
    #[arg(long, value_name = "MS", env = "ORASCACHE_COMPONENT_DEADLINE", default_value_t = 2_000, value_parser = clap::value_parser!(u32).range(1..=600_000))]
    pub component_deadline: u32,

    /// Calls after which an instance of the component is replaced. With 1 every call has a fresh one.
    #[arg(long, value_name = "CALLS", env = "ORASCACHE_COMPONENT_CALLS", default_value_t = 10_000, value_parser = clap::value_parser!(u32).range(1..))]
    pub component_calls: u32,
}

/// What is recorded, and where.
#[derive(Args, Clone, Debug)]
pub struct RecordArgs {
    /// Keep what the component is asked and what it says in this folder, for `orascache replay`. The newest records replace
    /// the oldest.
    #[arg(long, value_name = "DIR", env = "ORASCACHE_RECORD")]
    pub record: Option<PathBuf>,

    /// Leave the text under annotations, labels, environment variables and fields of this name out of the records, beside
    /// what always is left out. May be repeated.
    #[arg(long, value_name = "KEY", requires = "record")]
    pub redact: Vec<String>,

    /// How large the records may become, in MiB.
    #[arg(long, value_name = "MIB", default_value_t = 64, value_parser = clap::value_parser!(u64).range(1..=1_048_576))]
    pub record_mib: u64,

    /// How many records are kept.
    #[arg(long, value_name = "COUNT", default_value_t = 10_000, value_parser = clap::value_parser!(u64).range(8..))]
    pub record_count: u64,
}

impl RecordArgs {
    /// As options of the operator.
    pub fn options(&self) -> Option<record::Options> {
        let bounds = Bounds { bytes: self.record_mib << 20, records: self.record_count };
        let directory = self.record.clone()?;
        Some(record::Options { directory, bounds, redact: self.redact.clone() })
    }
}

/// `orascache run`
#[derive(Args, Debug)]
pub struct RunArgs {
    /// The component that decides.
    #[command(flatten)]
    pub component: ComponentArgs,

    /// What is recorded.
    #[command(flatten)]
    pub record: RecordArgs,

    /// Look after this namespace only; all of them by default.
    #[arg(long, env = "ORASCACHE_NAMESPACE")]
    pub namespace: Option<String>,

    /// Kubeconfig to use instead of $KUBECONFIG, ~/.kube/config or the in-cluster credentials.
    #[arg(long, value_name = "FILE")]
    pub kubeconfig: Option<PathBuf>,

    /// Context of the kubeconfig.
    #[arg(long)]
    pub context: Option<String>,

    /// How many primaries (OrasCaches, with the embedded component) are reconciled at the same time.
    #[arg(long, default_value_t = 4, value_parser = clap::value_parser!(u16).range(1..=64))]
    pub workers: u16,

    /// Where /metrics, /healthz and /readyz are served.
    #[arg(long, default_value = "0.0.0.0:8080")]
    pub listen: SocketAddr,

    /// Where admission webhooks are served over TLS, for example 0.0.0.0:9443. Without it there are none.
    #[arg(long, value_name = "ADDRESS", env = "ORASCACHE_WEBHOOK_LISTEN")]
    pub webhook_listen: Option<SocketAddr>,

    /// Namespace of the webhook's Service and of the Secret with the certificate that the operator makes for it.
    #[arg(long, value_name = "NAMESPACE", env = "POD_NAMESPACE", default_value = "orascache-system")]
    pub webhook_namespace: String,

    /// Further DNS name or IP address of that certificate, where reviews do not come through the Service. May be repeated.
    #[arg(long, value_name = "NAME")]
    pub webhook_name: Vec<String>,

    /// Folder with tls.crt and tls.key, for example a Secret that cert-manager looks after, instead of a certificate
    /// of the operator's own. Changed files are served without a restart.
    #[arg(long, value_name = "DIR", env = "ORASCACHE_WEBHOOK_CERT_DIR")]
    pub webhook_cert_dir: Option<PathBuf>,

    /// Image that carries the agent, where a pod names none.
    #[arg(long, value_name = "IMAGE", env = "ORASCACHE_AGENT_IMAGE")]
    pub agent_image: Option<String>,

    /// ConfigMap with the administrator's settings for admission, under settings.yaml, as NAMESPACE/NAME. Changes count
    /// without a restart.
    #[arg(long, value_name = "CONFIGMAP", env = "ORASCACHE_SETTINGS_FROM")]
    pub settings_from: Option<Source>,

    /// Namespace of the Lease by which replicas elect a leader. Without it every process works.
    #[arg(long, value_name = "NAMESPACE", env = "ORASCACHE_LEASE_NAMESPACE")]
    pub lease_namespace: Option<String>,
}

/// `orascache dev`
#[derive(Args, Debug)]
pub struct DevArgs {
    /// The component that decides.
    #[command(flatten)]
    pub component: ComponentArgs,

    /// What is recorded.
    #[command(flatten)]
    pub record: RecordArgs,

    /// Where to write the kubeconfig; by default into a temporary folder that goes at the end.
    #[arg(long, value_name = "PATH")]
    pub kubeconfig: Option<PathBuf>,

    /// Run this shell command with KUBECONFIG set once everything is ready, then shut down and exit with its code.
    #[arg(long, value_name = "CMD")]
    pub exec: Option<String>,

    /// Port of the Kubernetes API on loopback; a free one by default.
    #[arg(long)]
    pub port: Option<u16>,

    /// File with CustomResourceDefinitions to install before the operator starts: those of --component. May be repeated.
    #[arg(long, value_name = "FILE")]
    pub crd: Vec<PathBuf>,
}

/// `orascache render`
#[derive(Args, Debug)]
pub struct RenderArgs {
    /// The component that decides.
    #[command(flatten)]
    pub component: ComponentArgs,

    /// File with one or more OrasCaches, YAML or JSON; `-` for standard input.
    #[arg(short, long, value_name = "FILE")]
    pub file: PathBuf,

    /// Namespace of caches that name none.
    #[arg(short, long, default_value = "default")]
    pub namespace: String,

    /// Output format.
    #[arg(short, long, value_enum, default_value_t = Format::Yaml)]
    pub output: Format,
}

/// `orascache review`
#[derive(Args, Debug)]
pub struct ReviewArgs {
    /// The component that decides.
    #[command(flatten)]
    pub component: ComponentArgs,

    /// File with an AdmissionReview, or with objects to be created, YAML or JSON; `-` for standard input.
    #[arg(short, long, value_name = "FILE")]
    pub file: PathBuf,

    /// File with the OrasCaches that exist, and with namespaces whose labels matter, YAML or JSON. Those of the reviewed
    /// file count too.
    #[arg(long, value_name = "FILE")]
    pub context: Option<PathBuf>,

    /// File with the administrator's settings for admission, YAML or JSON.
    #[arg(long, value_name = "FILE")]
    pub settings: Option<PathBuf>,

    /// Namespace of objects that name none.
    #[arg(short, long, default_value = "default")]
    pub namespace: String,

    /// Image that carries the agent, where a pod names none.
    #[arg(long, value_name = "IMAGE", env = "ORASCACHE_AGENT_IMAGE")]
    pub agent_image: Option<String>,

    /// What is printed: the decisions, or the objects after the patch, or what the patch changes. Decisions go to
    /// standard error then.
    #[arg(short, long, value_enum, default_value_t = ReviewFormat::Text)]
    pub output: ReviewFormat,
}

/// What `orascache review` prints.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum ReviewFormat {
    /// Decisions, messages and warnings.
    Text,
    /// The objects after the patch, YAML.
    Yaml,
    /// The objects after the patch, JSON.
    Json,
    /// What the patch changes, as a unified diff of YAML.
    Diff,
}

/// `orascache crd`
#[derive(Args, Debug)]
pub struct CrdArgs {
    /// Output format.
    #[arg(short, long, value_enum, default_value_t = Format::Yaml)]
    pub output: Format,
}

/// `orascache manifests`
#[derive(Args, Debug)]
pub struct ManifestsArgs {
    /// Namespace of the operator.
    #[arg(short, long, default_value = deploy_manifests::names::NAMESPACE)]
    pub namespace: String,

    /// Image of the operator; injected init containers run it too.
    #[arg(long, value_name = "IMAGE", default_value = orascache_api::steps::DEFAULT_AGENT_IMAGE)]
    pub image: String,

    /// How many pods of the operator run.
    #[arg(long, default_value_t = 2)]
    pub replicas: u16,

    /// Namespaces that the operator works in, separated by commas. Its rights are then Roles in these
    /// namespaces. Without this option it works in all namespaces.
    #[arg(long, value_name = "NAMES", value_delimiter = ',')]
    pub namespaces: Vec<String>,

    /// Who may connect to the webhook port, in the NetworkPolicy: a CIDR, a namespace, or
    /// NAMESPACE/LABEL=VALUE for pods. Can be repeated. Without this option everybody may.
    #[arg(long, value_name = "PEER")]
    pub webhook_from: Vec<String>,

    /// Use a certificate of cert-manager for the webhooks.
    #[arg(long)]
    pub cert_manager: bool,

    /// Write a tree of kustomize folders there instead of printing the objects.
    #[arg(long, value_name = "DIR")]
    pub directory: Option<PathBuf>,

    /// Output format.
    #[arg(short, long, value_enum, default_value_t = Format::Yaml)]
    pub output: Format,
}

/// `orascache replay`
///
/// Exit codes: 0 all the same, 1 something is decided otherwise, 2 nothing could be replayed.
#[derive(Args, Debug)]
pub struct ReplayArgs {
    /// Folder with the records, as `--record` makes it.
    #[arg(value_name = "DIR")]
    pub directory: PathBuf,

    /// The component that decides.
    #[command(flatten)]
    pub component: ComponentArgs,

    /// What is printed: differences for people, or a report as JSON.
    #[arg(short, long, value_enum, default_value_t = ReplayFormat::Text)]
    pub output: ReplayFormat,
}

/// What `orascache replay` prints.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum ReplayFormat {
    /// Differences, line by line, and a summary.
    Text,
    /// One JSON document.
    Json,
}

/// `orascache inspect`
#[derive(Args, Debug)]
pub struct InspectArgs {
    /// The component; the embedded one by default.
    #[arg(value_name = "COMPONENT")]
    pub component: Option<PathBuf>,

    /// Registries that it may come from.
    #[command(flatten)]
    pub registry: RegistryArgs,

    /// Output format.
    #[arg(short, long, value_enum, default_value_t = Format::Yaml)]
    pub output: Format,
}
