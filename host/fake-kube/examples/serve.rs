//! Serves a fake Kubernetes API with all simulators until Ctrl-C, for kubectl:
//! `cargo run -p fake-kube --example serve [KUBECONFIG]`.

#![allow(clippy::print_stdout, reason = "for the person at the terminal")]

use fake_kube::{FakeKube, Simulators};

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut builder = FakeKube::builder().simulators(Simulators::all());
    if let Some(path) = std::env::args().nth(1) {
        builder = builder.kubeconfig(path);
    }
    let cluster = builder.start().await?;
    println!("export KUBECONFIG={}", cluster.kubeconfig_path().display());
    tokio::signal::ctrl_c().await?;
    cluster.shutdown().await;
    Ok(())
}
