//! Arguments of `orascache migrate`.

use super::connection::ConnectionArgs;
use clap::{Args, ValueEnum};
use orascache_api::duration::Duration;

/// `orascache migrate`
///
/// Takes over what the former operator (oras-operator, in Go) made, together with the artifacts of
/// its registries. Without --apply it says what it found and would do, and changes nothing.
///
/// Exit codes: 0 done, or printed and nothing is in the way; 1 something is in the way, or failed; 2
/// unusable arguments.
#[derive(Args, Debug)]
pub struct MigrateArgs {
    /// OrasCaches; all of the namespace by default.
    #[arg(value_name = "NAME", conflicts_with = "all_namespaces")]
    pub names: Vec<String>,

    /// The cluster.
    #[command(flatten)]
    pub connection: ConnectionArgs,

    /// Namespace of the OrasCaches; by default that of the kubeconfig's context.
    #[arg(short, long, value_name = "NAME", conflicts_with = "all_namespaces")]
    pub namespace: Option<String>,

    /// The OrasCaches of all namespaces.
    #[arg(short = 'A', long)]
    pub all_namespaces: bool,

    /// Make the changes. A migration that was interrupted goes on where it was.
    #[arg(long)]
    pub apply: bool,

    /// Hand the objects back to the former operator.
    #[arg(long)]
    pub back: bool,

    /// Go on although steps that the former operator rewrote run. They fail when their registry
    /// moves.
    #[arg(long)]
    pub ignore_running_steps: bool,

    /// Image with the agent, for the Jobs that copy artifacts.
    #[arg(long, value_name = "IMAGE", default_value = orascache_api::steps::DEFAULT_AGENT_IMAGE)]
    pub agent_image: String,

    /// Namespace of this operator.
    #[arg(long, value_name = "NAMESPACE", default_value = deploy_manifests::names::NAMESPACE)]
    pub operator_namespace: String,

    /// How long one thing may take, such as a copy or the start of a pod: for example 90s or 2h.
    #[arg(long, value_name = "TIME", default_value = "1h", value_parser = time)]
    pub timeout: std::time::Duration,

    /// How it is printed.
    #[arg(short, long, value_enum, default_value_t = MigrateFormat::Text)]
    pub output: MigrateFormat,
}

/// What `orascache migrate` prints.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum MigrateFormat {
    /// Sentences.
    Text,
    /// One JSON document: a list with an object for each cache.
    Json,
}

fn time(text: &str) -> Result<std::time::Duration, String> {
    let time = Duration::parse(text).map_err(|error| error.to_string())?;
    Ok(std::time::Duration::from_secs(time.seconds().into()))
}
