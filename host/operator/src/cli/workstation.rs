//! The commands for people at their own machine, and the arguments of some. `absent` names them where
//! a build lacks them.

use super::component::ComponentArgs;
use super::dev::DevArgs;
use super::input::InputArgs;
use super::lineage::LineageArgs;
use super::migrate::MigrateArgs;
use super::review::ReviewArgs;
use crate::output::Format;
use clap::{Args, Subcommand};
use std::path::PathBuf;

/// The commands of the feature `workstation`.
#[derive(Debug, Subcommand)]
pub enum WorkstationCommand {
    /// Start a Kubernetes API on loopback with the operator in it. Needs no cluster and no
    /// containers.
    Dev(DevArgs),
    /// Print the objects that a cache would get.
    Render(RenderArgs),
    /// Print what admission answers to the creation of objects: OrasCaches, Pods, Jobs, and whatever
    /// makes pods; or to AdmissionReviews.
    Review(ReviewArgs),
    /// Make recorded decisions again, with this component or another one, and show the differences.
    Replay(ReplayArgs),
    /// Take over the caches of the former operator (oras-operator, in Go) with their artifacts. Says
    /// what it would do, unless --apply is given.
    Migrate(Box<MigrateArgs>),
    /// Show what an artifact was made of, and what that was made of, back to the sources.
    Lineage(LineageArgs),
    /// Print a script that completes the arguments of this command in a shell.
    Completions(CompletionsArgs),
}

/// `orascache render`
#[derive(Args, Debug)]
pub struct RenderArgs {
    /// The component that decides.
    #[command(flatten)]
    pub component: ComponentArgs,

    /// What has the OrasCaches.
    #[command(flatten)]
    pub input: InputArgs,

    /// Namespace of caches that name none.
    #[arg(short, long, default_value = "default")]
    pub namespace: String,

    /// Write each object to a file of its own in this folder, as NAMESPACE/KIND-NAME, instead of
    /// printing them. Files of other objects stay.
    #[arg(long, value_name = "DIR")]
    pub output_dir: Option<PathBuf>,

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

/// `orascache completions`
#[derive(Args, Debug)]
pub struct CompletionsArgs {
    /// The shell.
    #[arg(value_enum)]
    pub shell: clap_complete::Shell,
}
