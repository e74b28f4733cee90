//! The running operator: a guest, the controller, the webhooks, and what surrounds them.

use crate::admission::Admission;
use crate::attending::{self, AttendantHandles, Attendants};
use crate::controller_runtime::ControllerPlace;
use crate::endpoints;
use crate::image_configs::{self, ImageConfigs};
use crate::leader::Leadership;
use crate::reconciler::{ControllerHost, VersionReconciler};
use crate::settings::{DefaultSetting, SettingsMetrics, SettingsReader, SettingsTask, Source};
use crate::version_events::VersionEvents;
use crate::webhooks::{self, Preparation, Webhooks};
use anyhow::Context;
use kube::runtime::events::Reporter;
use kube::{Client, Config};
use orascache_controller::Controller;
use orascache_runtime::hot_swap::{self, HotSwap};
use orascache_runtime::record::{self, Recorder};
use orascache_runtime::{ActiveVersion, Guest, Version};
use prometheus_client::registry::Registry;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;
use tokio::task::JoinHandle;

/// How the operator runs.
#[derive(Clone, Debug, Default)]
pub struct Options {
    /// Only these namespaces; all when empty.
    pub namespaces: Vec<String>,
    /// How many primaries are reconciled at the same time; 0 for the controller's default.
    pub workers: usize,
    /// Where /metrics, /healthz and /readyz are served, if anywhere.
    pub listen: Option<SocketAddr>,
    /// Namespace of the Lease. Without one this process does not wait for leadership.
    pub lease_namespace: Option<String>,
    /// Where admission reviews are answered, if anywhere.
    pub webhooks: Option<webhooks::Options>,
    /// The ConfigMap with the administrator's settings, if any.
    pub settings: Option<Source>,
    /// The image that carries the agent, where the settings name none.
    pub agent_image: Option<String>,
    /// Settings for where the ConfigMap does not have them.
    pub default_settings: Vec<DefaultSetting>,
    /// Where decisions are recorded, if anywhere.
    pub record: Option<record::Options>,
    /// The file that new versions of the component come from, if any.
    pub hot_swap: Option<hot_swap::Options>,
    /// Whether objects of others that the component attends are looked after: pods that wait behind
    /// a scheduling gate.
    pub gates: bool,
    /// Where the controller runs; in the task that starts the operator by default.
    pub controller: Option<ControllerPlace>,
}

/// A running operator.
pub struct Operator {
    controller: Arc<Controller>,
    attendants: Option<Attendants>,
    leadership: Option<Leadership>,
    webhooks: Option<Webhooks>,
    /// Followed as long as the operator runs.
    settings: SettingsTask,
    hot_swap: Option<HotSwap>,
    recorder: Option<Arc<Recorder>>,
    endpoints: Option<JoinHandle<()>>,
}

/// User agent of the operator.
pub const AGENT: &str = concat!("orascache/", env!("CARGO_PKG_VERSION"));

/// How long a connection may be silent before it counts as dead. The API server ends watches before
/// that.
pub const READ_TIMEOUT: Duration = Duration::from_secs(30);

/// Prefix of the runtime's metrics.
const METRICS_PREFIX: &str = "orascache";

/// A client whose requests have a user agent of their own, and whose connections are given up after
/// [`READ_TIMEOUT`].
///
/// # Errors
/// When the configuration asks for TLS that cannot be set up.
pub fn connect(mut config: Config, agent: &'static str) -> anyhow::Result<Client> {
    // rustls needs one provider for the process. The call fails when there is one already.
    let _ = rustls::crypto::ring::default_provider().install_default();
    config.headers.push((http::header::USER_AGENT, http::HeaderValue::from_static(agent)));
    config.read_timeout = Some(READ_TIMEOUT);
    // Workers would wait for minutes while the API server is overloaded, and no plan would tell.
    config.default_retry = false;
    Client::try_from(config).context("the connection to the Kubernetes API cannot be set up")
}

/// Starts the operator.
///
/// # Errors
/// When the API server does not answer, an address is taken, or the folder for records cannot be
/// used.
pub async fn start(client: Client, guest: Arc<Guest>, options: Options) -> anyhow::Result<Operator> {
    let instance = instance();
    let lease_namespace = options.lease_namespace;
    let leadership =
        lease_namespace.as_deref().map(|namespace| Leadership::start(client.clone(), namespace, &instance));
    let mut registry = Registry::default();
    let recorder = match options.record {
        Some(options) => {
            let metrics = registry.sub_registry_with_prefix(METRICS_PREFIX);
            Some(Arc::new(Recorder::start(options, metrics)?))
        }
        None => None,
    };
    let version = Arc::new(Version::trusted(guest, recorder.clone()));
    let field_manager = version.describe().field_manager.clone();
    let active = Arc::new(ActiveVersion::new(version.clone()));

    // Its requests and those for the settings and the objects do not wait for each other.
    let webhooks = options
        .webhooks
        .map(|serving| Preparation::start(client.clone(), version.describe(), serving, &mut registry));
    let metrics = SettingsMetrics::register(&mut registry);
    let mut reader =
        SettingsReader::new(options.agent_image.as_deref()).with_defaults(&options.default_settings);
    if !options.gates {
        // Nobody would ever remove a gate.
        reader = reader.without_gates();
    }
    let source = options.settings;
    let settings =
        SettingsTask::start(client.clone(), active.clone(), source.clone(), reader.clone(), metrics).await?;

    let shared = attending::Shared {
        client: client.clone(),
        namespaces: options.namespaces.clone(),
        instance: instance.clone(),
        settings: settings.last_usable(),
        may_write: leadership.as_ref().map(Leadership::claim),
    };
    let attended = version.clone();
    let mut controller_options = orascache_controller::Options {
        namespaces: options.namespaces,
        instance: instance.clone(),
        settings: settings.last_usable(),
        ..orascache_controller::Options::default()
    };
    if options.workers > 0 {
        controller_options.workers = options.workers;
    }
    if let Some(leadership) = &leadership {
        controller_options.may_write = leadership.claim();
    }
    let reconciler = Arc::new(VersionReconciler(version));
    let place = options.controller.unwrap_or_else(|| ControllerPlace::current(client.clone()));
    let starting = Controller::start(place.client.clone(), reconciler, controller_options, &mut registry);
    let controller = place.within(starting).await?;
    let controller = Arc::new(controller);
    let attendants = match options.gates {
        true => Some(Attendants::start(&attended, shared, &mut registry).await?),
        false => None,
    };

    let webhooks = match webhooks {
        Some(webhooks) => {
            let admission = Admission {
                active: active.clone(),
                client: client.clone(),
                primaries: controller.primaries().with_client(client.clone()),
                settings: settings.watch(),
                images: ImageConfigs::new(image_configs::Limits::default(), &mut registry),
                reader,
                source,
            };
            Some(webhooks.serve(admission, &mut registry).await?)
        }
        None => None,
    };
    let hot_swap = options.hot_swap.map(|options| {
        let reporter = Reporter { controller: field_manager, instance: Some(instance) };
        let events = VersionEvents::new(client, lease_namespace.as_deref(), reporter);
        let host = Arc::new(ControllerHost {
            handle: controller.reconciler_handle(),
            attendants: attendants.as_ref().map_or_else(AttendantHandles::default, Attendants::handles),
            events,
        });
        let metrics = registry.sub_registry_with_prefix(METRICS_PREFIX);
        HotSwap::start(active, recorder.clone(), host, options, metrics)
    });
    let endpoints = match options.listen {
        Some(address) => Some({
            let wakers = attendants.as_ref().map(Attendants::wakers).unwrap_or_default();
            endpoints::serve(address, registry, controller.clone(), wakers).await?
        }),
        None => None,
    };
    Ok(Operator { controller, attendants, leadership, webhooks, settings, hot_swap, recorder, endpoints })
}

impl Operator {
    /// Waits until every primary was reconciled once.
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
        if let Some(hot_swap) = self.hot_swap {
            hot_swap.shutdown().await;
        }
        if let Some(webhooks) = self.webhooks {
            webhooks.shutdown().await;
        }
        drop(self.settings);
        if let Some(endpoints) = self.endpoints {
            endpoints.abort();
            // The endpoints hold a reference to the controller, which is dropped when they have
            // ended.
            let _ = endpoints.await;
        }
        if let Some(attendants) = self.attendants {
            attendants.shutdown().await;
        }
        if let Some(controller) = Arc::into_inner(self.controller) {
            controller.shutdown().await;
        }
        if let Some(recorder) = self.recorder {
            // The panic hook has reported a panic of the writer.
            let _ = tokio::task::spawn_blocking(move || recorder.flush()).await;
        }
        if let Some(leadership) = self.leadership {
            leadership.release().await;
        }
    }
}

/// Names this process: in a cluster, the pod's name.
fn instance() -> String {
    std::env::var("HOSTNAME")
        .ok()
        .filter(|name| !name.is_empty())
        .unwrap_or_else(|| format!("orascache-{}", std::process::id()))
}
