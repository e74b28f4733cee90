//! The command line: what can be typed, and what it means. `component` has the arguments about
//! components, `operate` those of the commands that run the operator, `review` and `lineage` those of
//! these commands, `offline` those of the others, and `input` those that name what is read.

mod component;
mod connection;
mod input;
mod lineage;
mod migrate;
mod offline;
mod operate;
mod review;

pub use component::{
    ComponentArgs, InspectArgs, ModuleCommand, ModulePullArgs, ModulePushArgs, RecordArgs, RegistryArgs,
};
pub use connection::ConnectionArgs;
pub use input::InputArgs;
pub use lineage::{LineageArgs, LineageFormat};
pub use migrate::{MigrateArgs, MigrateFormat};
pub use offline::{
    CompletionsArgs, CrdArgs, ManifestsArgs, RenderArgs, ReplayArgs, ReplayFormat, VersionArgs, VersionFormat,
};
#[cfg(target_os = "linux")]
pub use operate::PodArgs;
pub use operate::{DevArgs, RunArgs};
pub use review::{ReviewArgs, ReviewFormat};

use clap::{CommandFactory, Parser, Subcommand};
use std::ffi::OsStr;
use std::path::Path;

/// OCI registries as caches for workflow artifacts on Kubernetes.
///
/// Exit codes: 0 done, 1 refused or failed, 2 unusable input or arguments.
#[derive(Debug, Parser)]
#[command(name = "orascache", version)]
pub struct Cli {
    /// The subcommand.
    #[command(subcommand)]
    pub command: Command,

    /// What to log, as in `info,orascache_controller=debug` (tracing's EnvFilter). Messages of the
    /// crates rustls and kube_client about single connections and requests are left out unless the
    /// filter names these crates.
    #[arg(long, global = true, env = "ORASCACHE_LOG", default_value = "info", hide_default_value = true)]
    pub log: String,
}

/// The name of the program as a plugin of kubectl.
const PLUGIN: &str = "kubectl-orascache";

impl Cli {
    /// The command line of a program that was started under this name. What kubectl starts as
    /// `kubectl-orascache`, people type as `kubectl orascache`, so that help and errors say that.
    pub fn named(program: &OsStr) -> clap::Command {
        let is_plugin = Path::new(program).file_stem().is_some_and(|name| name == PLUGIN);
        if is_plugin { Self::command().bin_name(PLUGIN.replacen('-', " ", 1)) } else { Self::command() }
    }
}

/// The subcommands.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Run the operator against a cluster: in-cluster credentials or the current kubeconfig.
    Run(Box<RunArgs>),
    /// Start a Kubernetes API on loopback with the operator in it. Needs no cluster and no
    /// containers.
    Dev(DevArgs),
    /// Print the objects that a cache would get.
    Render(RenderArgs),
    /// Print what admission answers to the creation of objects: OrasCaches, Pods, Jobs, and whatever
    /// makes pods; or to AdmissionReviews.
    Review(ReviewArgs),
    /// Print the CustomResourceDefinition of OrasCache.
    Crd(CrdArgs),
    /// Print all objects of an installation, for `kubectl apply -f -`, or write them as kustomize
    /// folders.
    Manifests(ManifestsArgs),
    /// Take over the caches of the former operator (oras-operator, in Go) with their artifacts. Says
    /// what it would do, unless --apply is given.
    Migrate(Box<MigrateArgs>),
    /// Make recorded decisions again, with this component or another one, and show the differences.
    Replay(ReplayArgs),
    /// Show what a component imports and exports, its size and its digest.
    Inspect(InspectArgs),
    /// Push a component to a registry, or pull one.
    #[command(subcommand)]
    Module(ModuleCommand),
    /// Show what an artifact was made of, and what that was made of, back to the sources.
    Lineage(LineageArgs),
    /// Print a script that completes the arguments of this command in a shell.
    Completions(CompletionsArgs),
    /// Print the versions of this program, of its component, and of the contract between the two.
    Version(VersionArgs),
}

#[cfg(test)]
mod tests {
    use super::Cli;
    use clap::CommandFactory;

    #[test]
    fn a_plugin_of_kubectl_is_called_as_people_type_it() {
        for (program, wanted) in [
            ("/usr/bin/kubectl-orascache", "kubectl orascache"),
            ("kubectl-orascache", "kubectl orascache"),
            ("/usr/bin/orascache", "orascache"),
            ("", "orascache"),
        ] {
            let usage = Cli::named(program.as_ref()).render_usage().to_string();
            assert!(usage.starts_with(&format!("Usage: {wanted} [OPTIONS]")), "{program}: {usage}");
        }
    }

    #[test]
    fn the_definition_is_valid() {
        Cli::command().debug_assert();
    }
}
