//! A generic, level-triggered Kubernetes controller. It knows no kind by itself: a [`Reconciler`]
//! describes the kinds and plans, and the controller watches, caches, queues and writes.
//!
//! How a change becomes a write: `informer` receives it; `cache` stores it as JSON text and tells
//! which primaries it concerns; `queue` gives each primary to one worker at a time; `worker` shows
//! the reconciler what is observed; `permit` refuses writes that reach too far; `executor` carries
//! out the rest of the plan.
//!
//! ```
//! use futures::FutureExt;
//! use futures::future::BoxFuture;
//! use k8s_openapi::api::core::v1::{ConfigMap, ServiceAccount};
//! use kube::Api;
//! use orascache_contract::{Description, GuestError, Kind, Observed, Plan, WatchedKind};
//! use orascache_controller::{Controller, Options, Reconciler};
//! use serde_json::{Value, json};
//! use std::sync::Arc;
//!
//! /// Makes a ConfigMap for every ServiceAccount.
//! struct Greeter;
//!
//! impl Reconciler for Greeter {
//!     fn describe(&self) -> Description {
//!         Description {
//!             primary: Kind::namespaced("v1", "ServiceAccount", "serviceaccounts"),
//!             owned: vec![WatchedKind::whole(Kind::namespaced("v1", "ConfigMap", "configmaps"))],
//!             related: Vec::new(),
//!             field_manager: "greeter".to_owned(),
//!             admission: Vec::new(),
//!             sensitive: Vec::new(),
//!         }
//!     }
//!
//!     fn reconcile(&self, observed: Observed) -> BoxFuture<'_, Result<Plan, GuestError>> {
//!         async move {
//!             let mut plan = Plan::default();
//!             let account: Value = serde_json::from_str(&observed.primary)
//!                 .map_err(|error| GuestError::InvalidInput(error.to_string()))?;
//!             if observed.owned.is_empty() {
//!                 // The controller adds the owner reference.
//!                 let greeting = json!({
//!                     "apiVersion": "v1",
//!                     "kind": "ConfigMap",
//!                     "metadata": {
//!                         "namespace": account["metadata"]["namespace"],
//!                         "name": account["metadata"]["name"],
//!                     },
//!                     "data": {"greeting": "Hello!"},
//!                 });
//!                 plan.apply.push(greeting.to_string());
//!             }
//!             Ok(plan)
//!         }
//!         .boxed()
//!     }
//! }
//!
//! # tokio::runtime::Runtime::new()?.block_on(async {
//! // A Kubernetes API server in this process, for tests.
//! let cluster = fake_kube::FakeKube::start().await?;
//! let client = cluster.client();
//! let mut metrics = Default::default();
//! let (greeter, options) = (Arc::new(Greeter), Options::default());
//! let controller = Controller::start(client.clone(), greeter, options, &mut metrics).await?;
//!
//! let accounts: Api<ServiceAccount> = Api::namespaced(client.clone(), "default");
//! let ada = serde_json::from_value(json!({"metadata": {"name": "ada"}}))?;
//! accounts.create(&Default::default(), &ada).await?;
//! controller.quiescent(&client).await?;
//!
//! let greetings: Api<ConfigMap> = Api::namespaced(client, "default");
//! assert_eq!(greetings.get("ada").await?.data.unwrap_or_default()["greeting"], "Hello!");
//! controller.shutdown().await;
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! # })?;
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod active;
mod activity;
mod artifacts;
mod backoff;
mod cache;
mod complaints;
mod compressed;
mod concurrency;
mod consent;
mod controller;
mod decoded;
mod digest;
mod executor;
mod failures;
mod force_limiter;
mod handle;
mod informer;
mod inquiries;
mod json_patch;
mod managed_fields;
mod may_write;
mod metrics;
mod note;
mod object;
mod options;
mod owner;
mod ownership;
mod permit;
mod postponed;
mod primaries;
mod questions;
mod queue;
mod quiescence;
mod recipe;
mod reconciler;
mod recorded;
mod reduce;
mod requests;
mod retention;
mod roles;
mod scope;
mod takeover;
#[cfg(test)]
mod testing;
mod text;
mod watches;
mod worker;

pub use artifacts::{Artifacts, NoArtifacts};
pub use backoff::Backoff;
pub use controller::{Controller, StartError};
pub use handle::ReconcilerHandle;
pub use inquiries::{Look, Pace, Registries, Waker};
pub use may_write::MayWrite;
pub use note::{MAX_NOTE_BYTES, event_note};
pub use options::{Attending, Options};
pub use primaries::Primaries;
pub use reconciler::Reconciler;
pub use roles::Incompatible;
pub use watches::InvalidDescription;
