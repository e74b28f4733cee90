#![allow(clippy::print_stderr, reason = "for the person at the terminal")]
//! Runs all simulators against the current kubeconfig, for a bare etcd and kube-apiserver.

use fake_kube_simulators::{Options, RegistryOptions, Simulators};

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let client = kube::Client::try_default().await?;
    let data_dir = std::env::temp_dir().join(format!("orascache-registries-{}", std::process::id()));
    let (changes, mut heard) = tokio::sync::mpsc::unbounded_channel();
    let registries = Some(RegistryOptions { data_dir: data_dir.clone(), changes });
    let simulators = Simulators::start(client, Options { registries, ..Options::all() }).await?;
    loop {
        tokio::select! {
            Some(change) = heard.recv() => eprintln!("{change:?}"),
            _ = tokio::signal::ctrl_c() => break,
        }
    }
    simulators.shutdown().await;
    std::fs::remove_dir_all(data_dir)?;
    Ok(())
}
