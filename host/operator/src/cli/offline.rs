//! Arguments of the commands that print what the program knows.

use crate::output::Format;
use clap::Args;
use std::path::PathBuf;

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

    /// Registry that has copies of all images, with an optional path. It takes the place of the
    /// registry in each image.
    #[arg(long, value_name = "REGISTRY")]
    pub registry: Option<String>,

    /// Print the images that an installation runs, one a line, and nothing else.
    #[arg(long, conflicts_with_all = ["directory", "output"])]
    pub images: bool,

    /// How many pods of the operator run.
    #[arg(long, default_value_t = 2)]
    pub replicas: u16,

    /// Run each pod of the operator on a node of its own, and let drains take one at a time.
    #[arg(long)]
    pub high_availability: bool,

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
    /// Without this option the ports are 443, 6443, 8443 and 16443.
    #[arg(long, value_name = "PORT", value_parser = clap::value_parser!(u16).range(1..))]
    pub api_port: Vec<u16>,

    /// A further port for that NetworkPolicy, such as that of the registry that a component comes
    /// from. Can be repeated.
    #[arg(long, value_name = "PORT", value_parser = clap::value_parser!(u16).range(1..))]
    pub egress_port: Vec<u16>,

    /// Let the operator remove scheduling gates of pods that wait for their inputs: rights on pods, a
    /// policy that bounds them, and ways to registries.
    #[arg(long)]
    pub gates: bool,

    /// Use a certificate of cert-manager for the webhooks.
    #[arg(long)]
    pub cert_manager: bool,

    /// Leave the webhooks out: something else makes the same decisions, such as the Kubewarden
    /// policy.
    #[arg(long, conflicts_with_all = ["cert_manager", "webhook_from"])]
    pub no_webhooks: bool,

    /// Write a tree of kustomize folders there instead of printing the objects.
    #[arg(long, value_name = "DIR")]
    pub directory: Option<PathBuf>,

    /// Output format.
    #[arg(short, long, value_enum, default_value_t = Format::Yaml)]
    pub output: Format,
}

/// `orascache version`
#[derive(Args, Debug)]
pub struct VersionArgs {
    /// Output format.
    #[arg(short, long, value_enum, default_value_t = VersionFormat::Text)]
    pub output: VersionFormat,
}

/// What `orascache version` prints.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum VersionFormat {
    /// Lines for people.
    Text,
    /// One JSON document.
    Json,
    /// One YAML document.
    Yaml,
}
