//! Runs all simulators against the cluster of the current kubeconfig, for example a bare etcd and
//! kube-apiserver: `cargo run -p fake-kube-simulators --example simulate`.

use fake_kube_simulators::{Simulation, Simulators};

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let client = kube::Client::try_default().await?;
    let simulation = Simulation::start(client, Simulators::all());
    tokio::signal::ctrl_c().await?;
    simulation.shutdown().await;
    Ok(())
}
