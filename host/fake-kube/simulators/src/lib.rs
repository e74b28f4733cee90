//! The controllers that a cluster would run, as far as OrasCache needs them: StatefulSets get pods, pods become
//! Ready, claims are bound, owners take their dependents with them, namespaces are emptied, and every registry pod is
//! served by a live OCI registry.
//!
//! All of them are API clients and use the public API only, so that they run against the embedded API server and
//! against a bare etcd with kube-apiserver alike. Decisions are pure functions of objects; the rest is IO.
//! What they do not do: run containers. A pod whose restart policy is not `Always` (a workflow step) is stored, and an
//! Event says so.

mod events;
mod garbage_collector;
mod job;
mod namespace;
mod pod;
mod pods;
pub mod registry;
mod statefulset;
mod tasks;
mod volume_claim;

pub use registry::{DEV_ENDPOINT_ANNOTATION, RegistryChange, RegistryOptions};

use kube::Client;
use tokio::task::JoinSet;

/// Which simulators run.
pub struct Options {
    /// Pods for StatefulSets.
    pub statefulsets: bool,
    /// Nodes and kubelets: pods are bound and become Ready.
    pub pods: bool,
    /// Pods for Jobs.
    pub jobs: bool,
    /// Deletion of dependents.
    pub garbage_collector: bool,
    /// Emptying of namespaces that are being deleted.
    pub namespaces: bool,
    /// Binding of volume claims.
    pub volume_claims: bool,
    /// A live registry for every registry pod; needs `pods`.
    pub registries: Option<RegistryOptions>,
}

impl Options {
    /// All of them, without live registries.
    pub fn all() -> Self {
        Self {
            statefulsets: true,
            pods: true,
            jobs: true,
            garbage_collector: true,
            namespaces: true,
            volume_claims: true,
            registries: None,
        }
    }
}

/// Why the simulators did not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The directory for the registries' blobs.
    #[error("the directory {path} for registry blobs cannot be used: {source}")]
    DataDirectory {
        /// Which.
        path: String,
        /// Why.
        source: std::io::Error,
    },
}

/// Running simulators. They stop when this is dropped.
pub struct Simulators(JoinSet<()>);

impl Simulators {
    /// Starts those that are asked for.
    ///
    /// # Errors
    /// When the directory for registry blobs cannot be made.
    pub async fn start(client: Client, options: Options) -> Result<Self, StartError> {
        let mut tasks = JoinSet::new();
        let registries = match options.registries {
            Some(options) => Some(registry::Registries::new(options)?),
            None => None,
        };
        if options.statefulsets {
            tasks.spawn(statefulset::run(client.clone()));
        }
        if options.pods {
            tasks.spawn(pod::run(client.clone(), registries));
        }
        if options.jobs {
            tasks.spawn(job::run(client.clone()));
        }
        if options.garbage_collector {
            tasks.spawn(garbage_collector::run(client.clone()));
        }
        if options.namespaces {
            tasks.spawn(namespace::run(client.clone()));
        }
        if options.volume_claims {
            tasks.spawn(volume_claim::run(client));
        }
        Ok(Self(tasks))
    }

    /// Stops all of them.
    pub async fn shutdown(mut self) {
        self.0.shutdown().await;
    }
}
