//! The command line: what can be typed, and what it means.

use crate::output::Format;
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
    Run(RunArgs),
    /// Start a Kubernetes API on loopback with the operator in it. Needs no cluster and no containers.
    Dev(DevArgs),
    /// Print the objects that a cache would get.
    Render(RenderArgs),
    /// Print the CustomResourceDefinition of OrasCache.
    Crd(CrdArgs),
    /// Show what a component imports and exports, its size and its digest.
    Inspect(InspectArgs),
}

/// Which component decides.
#[derive(Args, Clone, Debug)]
pub struct ComponentArgs {
    /// A component to use instead of the embedded one.
    #[arg(long, value_name = "FILE", env = "ORASCACHE_RUN_COMPONENT")]
    pub component: Option<PathBuf>,
}

/// `orascache run`
#[derive(Args, Debug)]
pub struct RunArgs {
    /// The component that decides.
    #[command(flatten)]
    pub component: ComponentArgs,

    /// Look after this namespace only; all of them by default.
    #[arg(long, env = "ORASCACHE_NAMESPACE")]
    pub namespace: Option<String>,

    /// Kubeconfig to use instead of $KUBECONFIG, ~/.kube/config or the in-cluster credentials.
    #[arg(long, value_name = "FILE")]
    pub kubeconfig: Option<PathBuf>,

    /// Context of the kubeconfig.
    #[arg(long)]
    pub context: Option<String>,

    /// How many caches are reconciled at the same time.
    #[arg(long, default_value_t = 4, value_parser = clap::value_parser!(u16).range(1..=64))]
    pub workers: u16,

    /// Where /metrics, /healthz and /readyz are served.
    #[arg(long, default_value = "0.0.0.0:8080")]
    pub listen: SocketAddr,

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

    /// Where to write the kubeconfig; by default into a temporary folder that goes at the end.
    #[arg(long, value_name = "PATH")]
    pub kubeconfig: Option<PathBuf>,

    /// Run this shell command with KUBECONFIG set once everything is ready, then shut down and exit with its code.
    #[arg(long, value_name = "CMD")]
    pub exec: Option<String>,

    /// Port of the Kubernetes API on loopback; a free one by default.
    #[arg(long)]
    pub port: Option<u16>,
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

/// `orascache crd`
#[derive(Args, Debug)]
pub struct CrdArgs {
    /// Output format.
    #[arg(short, long, value_enum, default_value_t = Format::Yaml)]
    pub output: Format,
}

/// `orascache inspect`
#[derive(Args, Debug)]
pub struct InspectArgs {
    /// The component; the embedded one by default.
    #[arg(value_name = "COMPONENT")]
    pub component: Option<PathBuf>,

    /// Output format.
    #[arg(short, long, value_enum, default_value_t = Format::Yaml)]
    pub output: Format,
}
