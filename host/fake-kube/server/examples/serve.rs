//! Runs a server until Ctrl-C, to try it with kubectl:
//! `cargo run -p fake-kube-server --example serve [KUBECONFIG]`.

#![allow(clippy::print_stdout)]

use fake_kube_server::{ApiServer, Options};

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let path = std::env::args().nth(1).map_or_else(
        || std::env::temp_dir().join(format!("fake-kube-{}.kubeconfig", std::process::id())),
        std::path::PathBuf::from,
    );
    let server = ApiServer::start(Options::default()).await?;
    server.write_kubeconfig(&path)?;
    println!("export KUBECONFIG={}", path.display());
    tokio::signal::ctrl_c().await?;
    server.shutdown().await;
    std::fs::remove_file(&path)?;
    Ok(())
}
