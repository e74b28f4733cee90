//! Arguments of `orascache dev`.

use super::component::{ComponentArgs, RecordArgs};
use clap::Args;
#[cfg(target_os = "linux")]
use fake_kube_node::ImageFolder;
use std::path::PathBuf;

/// `orascache dev`
#[derive(Args, Debug)]
pub struct DevArgs {
    /// The component that decides.
    #[command(flatten)]
    pub component: ComponentArgs,

    /// What is recorded.
    #[command(flatten)]
    pub record: RecordArgs,

    /// Where to write the kubeconfig; by default into a temporary folder that is removed at the
    /// end.
    #[arg(long, value_name = "PATH")]
    pub kubeconfig: Option<PathBuf>,

    /// Run this shell command with KUBECONFIG set once everything is ready, then shut down and exit
    /// with its code.
    #[arg(long, value_name = "CMD")]
    pub exec: Option<String>,

    /// Port of the Kubernetes API on loopback; a free one by default.
    #[arg(long)]
    pub port: Option<u16>,

    /// File with CustomResourceDefinitions to install before the operator starts: those of
    /// --component. Can be repeated.
    #[arg(long, value_name = "FILE")]
    pub crd: Vec<PathBuf>,

    /// How pods are run.
    #[cfg(target_os = "linux")]
    #[command(flatten)]
    pub pods: PodArgs,
}

/// How `orascache dev` runs pods that end.
#[cfg(target_os = "linux")]
#[derive(Args, Debug)]
pub struct PodArgs {
    /// Store pods that end, and do not run them.
    #[arg(long)]
    pub no_run_pods: bool,

    /// Folder with the unpacked file system of an image, whose containers get its programs; those
    /// of other images get the programs of this machine. Can be repeated.
    #[arg(long, value_name = "IMAGE=FOLDER", conflicts_with = "no_run_pods")]
    pub image: Vec<ImageFolder>,

    /// The agent to install in pods: a static one, for image folders with another C library than
    /// this machine's. By default it is a part of this program.
    #[arg(long, value_name = "FILE", conflicts_with = "no_run_pods")]
    pub agent: Option<PathBuf>,

    /// How many pods run at the same time. Others wait.
    #[arg(long, value_name = "NUMBER", default_value_t = 110, value_parser = clap::value_parser!(u16).range(1..))]
    pub max_pods: u16,
}
