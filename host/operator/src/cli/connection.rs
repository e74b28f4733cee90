//! Arguments that say which cluster is meant.

use clap::Args;
use std::path::PathBuf;

/// Which cluster.
#[derive(Args, Debug)]
pub struct ConnectionArgs {
    /// Kubeconfig to use instead of $KUBECONFIG, ~/.kube/config or the in-cluster credentials.
    #[arg(long, value_name = "FILE")]
    pub kubeconfig: Option<PathBuf>,

    /// Context of the kubeconfig.
    #[arg(long)]
    pub context: Option<String>,
}
