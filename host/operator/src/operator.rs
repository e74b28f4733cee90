//! The running operator: a guest, the generic controller, and the endpoints by which a cluster watches over it.

use crate::admission::Admission;
use crate::engine::Guest;
use crate::leader::Leadership;
use crate::record::{self, Recorder};
use crate::settings::{Settings, SettingsMetrics, Source};
use crate::swap::{self, Swapper};
use crate::version::{Current, Version};
use crate::webhooks::{self, Webhooks};
use anyhow::Context;
use axum::Router;
use axum::extract::State;
use axum::http::StatusCode;
use axum::routing::get;
use kube::{Client, Config};
use orascache_controller::Controller;
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
    /// Where decisions are recorded, if anywhere.
    pub record: Option<record::Options>,
    /// The file that new versions of the component come from, if any.
    pub swap: Option<swap::Options>,
}

/// A running operator.
pub struct Operator {
    controller: Arc<Controller>,
    leadership: Option<Leadership>,
    webhooks: Option<Webhooks>,
    /// Followed as long as the operator runs.
    settings: Option<Settings>,
    swapper: Option<Swapper>,
    recorder: Option<Arc<Recorder>>,
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
/// When the API server does not answer, the address for the endpoints is taken, or the folder for records cannot be
/// used.
pub async fn start(client: Client, guest: Arc<Guest>, options: Options) -> anyhow::Result<Operator> {
    let instance = instance();
    let lease_namespace = options.lease_namespace;
    let leadership =
        lease_namespace.as_deref().map(|namespace| Leadership::start(client.clone(), namespace, &instance));
    let mut registry = Registry::default();
    let recorder = options.record.map(|options| Recorder::start(options, &mut registry)).transpose()?;
    let recorder = recorder.map(Arc::new);
    let version = Arc::new(Version::trusted(guest, recorder.clone()));
    let current = Arc::new(Current::new(version.clone()));
    let mut controller_options = orascache_controller::Options {
        namespaces: options.namespace.into_iter().collect(),
        workers: if options.workers == 0 { 4 } else { options.workers },
        instance: instance.clone(),
        ..orascache_controller::Options::default()
    };
    if let Some(leadership) = &leadership {
        controller_options.may_write = leadership.claim();
    }
    let controller = Controller::start(client.clone(), version, controller_options, &mut registry).await?;
    let controller = Arc::new(controller);
    let (webhooks, settings) = match options.webhooks {
        Some(serving) => {
            let metrics = SettingsMetrics::register(&mut registry);
            let image = serving.agent_image.clone();
            let source = options.settings;
            let settings =
                Settings::start(client.clone(), current.clone(), source.clone(), image, metrics).await?;
            let admission = Admission::new(
                current.clone(),
                client.clone(),
                controller.primaries(),
                settings.in_force(),
                source,
            );
            let webhooks = Webhooks::start(client.clone(), admission, serving, &mut registry).await?;
            (Some(webhooks), Some(settings))
        }
        None => (None, None),
    };
    let swapper = options.swap.map(|options| {
        let handover = controller.handover();
        let recorder = recorder.clone();
        let place = swap::Place { client, instance, lease_namespace, handover, current, recorder };
        Swapper::start(place, options, &mut registry)
    });
    let endpoints = match options.listen {
        Some(address) => Some(serve(address, registry, controller.clone()).await?),
        None => None,
    };
    Ok(Operator { controller, leadership, webhooks, settings, swapper, recorder, endpoints })
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
        if let Some(swapper) = self.swapper {
            swapper.shutdown().await;
        }
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
        if let Some(recorder) = self.recorder {
            // A panic in it was reported where it happened.
            let _ = tokio::task::spawn_blocking(move || recorder.flush()).await;
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
