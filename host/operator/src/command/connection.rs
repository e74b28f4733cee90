//! How commands find their cluster.

use super::failed::Failed;
use crate::cli::ConnectionArgs;
use anyhow::Context;
use kube::Config;
use kube::config::{KubeConfigOptions, Kubeconfig};

/// The cluster that the arguments mean.
pub(super) async fn config(args: &ConnectionArgs) -> Result<Config, Failed> {
    let options = KubeConfigOptions { context: args.context.clone(), ..KubeConfigOptions::default() };
    let config = match &args.kubeconfig {
        Some(path) => {
            let name = path.display().to_string();
            let kubeconfig = Kubeconfig::read_from(path).with_context(|| format!("{name} is not a kubeconfig"));
            Config::from_custom_kubeconfig(kubeconfig.map_err(Failed::Unusable)?, &options)
                .await
                .with_context(|| format!("{name} cannot be used"))
        }
        None if args.context.is_some() => Config::from_kubeconfig(&options).await.context("that context cannot be used"),
        None => Config::infer().await.context(
            "there are neither in-cluster credentials nor a kubeconfig: set KUBECONFIG, give --kubeconfig, or try `orascache dev`",
        ),
    };
    config.map_err(Failed::Unusable)
}
