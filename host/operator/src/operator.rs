//! The running operator: a guest, the generic controller, and the endpoints by which a cluster watches over it.

use crate::admission::Admission;
use crate::engine::Guest;
use crate::leader::Leadership;
use crate::settings::{Settings, SettingsMetrics, Source};
use crate::webhooks::{self, Webhooks};
use anyhow::Context;
use axum::Router;
use axum::extract::State;
use axum::http::StatusCode;
use axum::routing::get;
use controller::Controller;
use kube::{Client, Config};
use prometheus_client::registry::Registry;
use std::net::SocketAddr;
use std::sync::Arc;
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

/// How the operator runs.
#[derive(Clone, Debug, Default)]
pub struct Options {
    /// Only this namespace; all by default.
    pub namespace: Option<String>,
    /// How many primaries are reconciled at the same time; 0 means a sensible number.
    pub workers: usize,
    /// Where /metrics, /healthz and /readyz are served, if anywhere.
    pub listen: Option<SocketAddr>,
    /// Namespace of the Lease; without one this process works alone.
    pub lease_namespace: Option<String>,
    /// Where admission reviews are answered, if anywhere.
    pub webhooks: Option<webhooks::Options>,
    /// Where the administrator's settings for admission are written, if anywhere.
    pub settings: Option<Source>,
}

/// A running operator.
pub struct Operator {
    controller: Arc<Controller>,
    leadership: Option<Leadership>,
    webhooks: Option<Webhooks>,
    /// Followed as long as the operator runs.
    settings: Option<Settings>,
    endpoints: Option<JoinHandle<()>>,
}

/// User agent of the operator.
pub const AGENT: &str = concat!("orascache/", env!("CARGO_PKG_VERSION"));

/// A client whose requests can be told from those of others.
///
/// # Errors
/// When the configuration asks for TLS that cannot be set up.
pub fn connect(mut config: Config, agent: &'static str) -> anyhow::Result<Client> {
    // Two providers in one binary would make rustls refuse to choose; the second install fails and changes nothing.
    let _ = rustls::crypto::ring::default_provider().install_default();
    config.headers.push((http::header::USER_AGENT, http::HeaderValue::from_static(agent)));
    Client::try_from(config).context("the connection to the Kubernetes API cannot be set up")
}

/// Starts the operator.
///
/// # Errors
/// When the API server does not answer or the address for the endpoints is taken.
pub async fn start(client: Client, guest: Arc<Guest>, options: Options) -> anyhow::Result<Operator> {
    let instance = instance();
    let leadership =
        options.lease_namespace.map(|namespace| Leadership::start(client.clone(), &namespace, &instance));
    let may_write: Box<dyn Fn() -> bool + Send + Sync> = match &leadership {
        Some(leadership) => Box::new(leadership.claim()),
        None => Box::new(controller::always_allowed),
    };
    let mut registry = Registry::default();
    let controller_options = controller::Options {
        namespace: options.namespace,
        workers: if options.workers == 0 { 4 } else { options.workers },
        instance,
        may_write,
        ..controller::Options::default()
    };
    let controller =
        Controller::start(client.clone(), guest.clone(), controller_options, &mut registry).await?;
    let controller = Arc::new(controller);
    let (webhooks, settings) = match options.webhooks {
        Some(serving) => {
            let metrics = SettingsMetrics::register(&mut registry);
            let image = serving.agent_image.clone();
            let settings =
                Settings::start(client.clone(), guest.clone(), options.settings.clone(), image, metrics)
                    .await?;
            let admission = Admission::new(
                guest,
                client.clone(),
                controller.primaries(),
                settings.in_force(),
                options.settings,
            );
            let webhooks = Webhooks::start(client, admission, serving, &mut registry).await?;
            (Some(webhooks), Some(settings))
        }
        None => (None, None),
    };
    let endpoints = match options.listen {
        Some(address) => Some(serve(address, registry, controller.clone()).await?),
        None => None,
    };
    Ok(Operator { controller, leadership, webhooks, settings, endpoints })
}

impl Operator {
    /// Waits until every cache was looked at once.
    pub async fn synced(&self) {
        self.controller.synced().await;
    }

    /// Where admission reviews are answered, if anywhere.
    pub fn webhook_address(&self) -> Option<SocketAddr> {
        self.webhooks.as_ref().map(Webhooks::address)
    }

    /// Ends when the operator cannot go on, with the reason.
    pub async fn ended(&self) -> String {
        match &self.leadership {
            Some(leadership) => leadership.lost().await,
            None => std::future::pending().await,
        }
    }

    /// Lets running work end and stops.
    pub async fn shutdown(self) {
        if let Some(webhooks) = self.webhooks {
            webhooks.shutdown().await;
        }
        drop(self.settings);
        if let Some(endpoints) = self.endpoints {
            endpoints.abort();
            // Its state holds the controller.
            let _ = endpoints.await;
        }
        if let Some(controller) = Arc::into_inner(self.controller) {
            controller.shutdown().await;
        }
        if let Some(leadership) = self.leadership {
            leadership.release().await;
        }
    }
}

/// Names this process: the pod's name in a cluster.
fn instance() -> String {
    std::env::var("HOSTNAME")
        .ok()
        .filter(|name| !name.is_empty())
        .unwrap_or_else(|| format!("orascache-{}", std::process::id()))
}

#[derive(Clone)]
struct Observed {
    registry: Arc<Registry>,
    controller: Arc<Controller>,
}

async fn serve(
    address: SocketAddr,
    registry: Registry,
    controller: Arc<Controller>,
) -> anyhow::Result<JoinHandle<()>> {
    let listener = TcpListener::bind(address)
        .await
        .with_context(|| format!("{address} cannot be listened on: give another one with --listen"))?;
    let state = Observed { registry: Arc::new(registry), controller };
    let router = Router::new()
        .route("/metrics", get(metrics))
        .route("/healthz", get(|| async { "ok" }))
        .route("/readyz", get(ready))
        .with_state(state);
    Ok(tokio::spawn(async move {
        if let Err(error) = axum::serve(listener, router).await {
            tracing::error!(%error, "metrics and health are not served any more");
        }
    }))
}

async fn metrics(State(state): State<Observed>) -> Result<String, StatusCode> {
    let mut text = String::new();
    prometheus_client::encoding::text::encode(&mut text, &state.registry)
        .map_err(|_| StatusCode::INTERNAL_SERVER_ERROR)?;
    Ok(text)
}

async fn ready(State(state): State<Observed>) -> (StatusCode, &'static str) {
    if state.controller.is_synced() {
        (StatusCode::OK, "ok")
    } else {
        (StatusCode::SERVICE_UNAVAILABLE, "caches are still being listed")
    }
}
