//! The endpoints by which a cluster watches the operator: metrics, health and readiness.

use crate::registry_events;
use anyhow::Context;
use axum::Router;
use axum::extract::State;
use axum::http::StatusCode;
use axum::routing::get;
use orascache_controller::{Controller, Waker};
use prometheus_client::registry::Registry;
use std::net::SocketAddr;
use std::sync::Arc;
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

#[derive(Clone)]
struct Endpoints {
    registry: Arc<Registry>,
    controller: Arc<Controller>,
}

/// Serves `/metrics`, `/healthz` and `/readyz`, and takes notifications of registries where somebody
/// waits for artifacts, until the task is aborted.
pub(crate) async fn serve(
    address: SocketAddr,
    registry: Registry,
    controller: Arc<Controller>,
    wakers: Vec<Waker>,
) -> anyhow::Result<JoinHandle<()>> {
    let listener = TcpListener::bind(address)
        .await
        .with_context(|| format!("{address} cannot be listened on: give another one with --listen"))?;
    let endpoints = Endpoints { registry: Arc::new(registry), controller };
    let router = Router::new()
        .route("/metrics", get(metrics))
        .route("/healthz", get(|| async { "ok" }))
        .route("/readyz", get(ready));
    let router = if wakers.is_empty() { router } else { router.merge(registry_events::router(wakers)) };
    let router = router.with_state(endpoints);
    Ok(tokio::spawn(async move {
        if let Err(error) = axum::serve(listener, router).await {
            tracing::error!(%error, "metrics and health are not served any more");
        }
    }))
}

async fn metrics(State(endpoints): State<Endpoints>) -> Result<String, StatusCode> {
    let mut text = String::new();
    prometheus_client::encoding::text::encode(&mut text, &endpoints.registry)
        .map_err(|_| StatusCode::INTERNAL_SERVER_ERROR)?;
    Ok(text)
}

async fn ready(State(endpoints): State<Endpoints>) -> (StatusCode, &'static str) {
    if endpoints.controller.is_synced() {
        (StatusCode::OK, "ok")
    } else {
        (StatusCode::SERVICE_UNAVAILABLE, "objects are still being listed")
    }
}
