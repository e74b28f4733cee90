//! Arguments of the commands that need no cluster.

use super::component::ComponentArgs;
use crate::output::Format;
use clap::Args;
use std::path::PathBuf;

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

    /// File with an AdmissionReview, or with objects to be created, YAML or JSON; `-` for standard
    /// input.
    #[arg(short, long, value_name = "FILE")]
    pub file: PathBuf,

    /// File with the OrasCaches that exist, and with namespaces whose labels matter, YAML or JSON.
    /// Those in the reviewed file count too.
    #[arg(long, value_name = "FILE")]
    pub context: Option<PathBuf>,

    /// File with the administrator's settings, YAML or JSON.
    #[arg(long, value_name = "FILE")]
    pub settings: Option<PathBuf>,

    /// Namespace of objects that name none.
    #[arg(short, long, default_value = "default")]
    pub namespace: String,

    /// Image that carries the agent, where a pod names none.
    #[arg(long, value_name = "IMAGE", env = "ORASCACHE_AGENT_IMAGE")]
    pub agent_image: Option<String>,

    /// What is printed: the decisions, or the objects after the patch, or what the patch changes.
    /// In the latter cases decisions go to standard error.
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

    /// Image of the operator. Injected init containers run it too.
    #[arg(long, value_name = "IMAGE", default_value = orascache_api::steps::DEFAULT_AGENT_IMAGE)]
    pub image: String,

    /// How many pods of the operator run.
    #[arg(long, default_value_t = 2)]
    pub replicas: u16,

    /// Namespaces that the operator works in, separated by commas. Its rights are then Roles in
    /// these namespaces. Without this option it works in all namespaces.
    #[arg(long, value_name = "NAMES", value_delimiter = ',')]
    pub namespaces: Vec<String>,

    /// Who may connect to the webhook port, in the NetworkPolicy: a CIDR, a namespace, or
    /// NAMESPACE/LABEL=VALUE for pods. Can be repeated. Without this option everybody may.
    #[arg(long, value_name = "PEER")]
    pub webhook_from: Vec<String>,

    /// Secret of the operator's namespace with a CA under the key ca.crt: only clients with a
    /// certificate by it may ask for reviews. Give the API server such a certificate first.
    #[arg(long, value_name = "NAME", conflicts_with = "webhook_client_ca_config_map")]
    pub webhook_client_ca_secret: Option<String>,

    /// The same with a ConfigMap.
    #[arg(long, value_name = "NAME")]
    pub webhook_client_ca_config_map: Option<String>,

    /// Port of the API server, for the NetworkPolicy of the operator's connections. Can be repeated.
    /// Without this option the ports are 443 and 6443.
    #[arg(long, value_name = "PORT", value_parser = clap::value_parser!(u16).range(1..))]
    pub api_port: Vec<u16>,

    /// A further port for that NetworkPolicy, such as that of the registry that a component comes
    /// from. Can be repeated.
    #[arg(long, value_name = "PORT", value_parser = clap::value_parser!(u16).range(1..))]
    pub egress_port: Vec<u16>,

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
/// Exit codes: 0 all the same, 1 some decisions differ, 2 nothing could be replayed.
#[derive(Args, Debug)]
pub struct ReplayArgs {
    /// Folder with records, as `--record` writes them.
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
