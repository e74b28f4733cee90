//! The command line: what can be typed, and what it means. `component` has the arguments about
//! components, `connection` those about the cluster, `operate` those of `run`, and `offline` those of
//! the commands that print what the program knows.
//!
//! The feature `workstation` brings more commands. `workstation` has them and the arguments of some;
//! `dev`, `review`, `migrate` and `lineage` have those of these commands, and `input` those that name
//! what is read. `absent` has what a build without the feature says.

pub mod absent;

mod component;
mod connection;
mod offline;
mod operate;

#[cfg(feature = "workstation")]
mod dev;
#[cfg(feature = "workstation")]
mod input;
#[cfg(feature = "workstation")]
mod lineage;
#[cfg(feature = "workstation")]
mod migrate;
#[cfg(feature = "workstation")]
mod review;
#[cfg(feature = "workstation")]
mod workstation;

pub use component::{
    ComponentArgs, InspectArgs, ModuleCommand, ModulePullArgs, ModulePushArgs, RecordArgs, RegistryArgs,
};
pub use connection::ConnectionArgs;
#[cfg(feature = "workstation")]
pub use dev::DevArgs;
#[cfg(all(feature = "workstation", target_os = "linux"))]
pub use dev::PodArgs;
#[cfg(feature = "workstation")]
pub use input::InputArgs;
#[cfg(feature = "workstation")]
pub use lineage::{LineageArgs, LineageFormat};
#[cfg(feature = "workstation")]
pub use migrate::{MigrateArgs, MigrateFormat};
pub use offline::{CrdArgs, ManifestsArgs, VersionArgs, VersionFormat};
pub use operate::RunArgs;
#[cfg(feature = "workstation")]
pub use review::{ReviewArgs, ReviewFormat};
#[cfg(feature = "workstation")]
pub use workstation::{CompletionsArgs, RenderArgs, ReplayArgs, ReplayFormat, WorkstationCommand};

use clap::error::{ContextKind, ContextValue, ErrorKind};
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
        let command = Self::command();
        let command = if is_plugin { command.bin_name(PLUGIN.replacen('-', " ", 1)) } else { command };
        if cfg!(feature = "workstation") { command } else { command.after_help(absent::note()) }
    }
}

/// The error that says where a command is that this build lacks; any other error as it is.
pub fn explained(error: clap::Error) -> clap::Error {
    let sentence = match error.get(ContextKind::InvalidSubcommand) {
        Some(ContextValue::String(command)) if error.kind() == ErrorKind::InvalidSubcommand => {
            absent::sentence(command)
        }
        _ => None,
    };
    match sentence {
        Some(sentence) => clap::Error::raw(ErrorKind::InvalidSubcommand, sentence + "\n"),
        None => error,
    }
}

/// The subcommands.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Run the operator against a cluster: in-cluster credentials or the current kubeconfig.
    Run(Box<RunArgs>),
    /// A command for people at their own machine.
    #[cfg(feature = "workstation")]
    #[command(flatten)]
    Workstation(WorkstationCommand),
    /// Print the CustomResourceDefinition of OrasCache.
    Crd(CrdArgs),
    /// Print all objects of an installation, for `kubectl apply -f -`, or write them as kustomize
    /// folders.
    Manifests(ManifestsArgs),
    /// Show what a component imports and exports, its size and its digest.
    Inspect(InspectArgs),
    /// Push a component to a registry, or pull one.
    #[command(subcommand)]
    Module(ModuleCommand),
    /// Print the versions of this program, of its component, and of the contract between the two.
    Version(VersionArgs),
}

#[cfg(test)]
mod tests {
    use super::{Cli, explained};
    use clap::error::ErrorKind;
    use clap::{Args, Command, CommandFactory};

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
    fn a_command_that_a_build_lacks_is_told_from_a_word_that_is_none() {
        let build =
            || Command::new("orascache").subcommand(crate::cli::RunArgs::augment_args(Command::new("run")));
        for (word, wanted) in
            [("dev", "error: this build has no `dev`: "), ("rum", "error: unrecognized subcommand 'rum'")]
        {
            let error = build().try_get_matches_from(["orascache", word]).expect_err("no such command");
            let error = explained(error);
            assert_eq!((error.kind(), error.exit_code()), (ErrorKind::InvalidSubcommand, 2));
            assert!(error.to_string().starts_with(wanted), "{error}");
        }
    }

    #[test]
    fn the_definition_is_valid() {
        Cli::command().debug_assert();
    }
}
