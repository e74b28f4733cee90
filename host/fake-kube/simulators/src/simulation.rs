//! Which simulators run, and their start and end.

use std::sync::Arc;

use kube::Client;
use tokio::task::JoinSet;

use crate::runner::PodRunner;
use crate::{garbage_collector, job, namespace, pod, stateful_set, volume_claim};

/// Which simulators run.
///
/// `Simulators::default()` is [`Simulators::none`].
#[derive(Clone, Default)]
pub struct Simulators {
    /// StatefulSets get pods and claims, scale, and roll out changes of their template.
    pub stateful_sets: bool,
    /// Jobs get pods, and become complete or failed when their pods end. Failed pods are replaced
    /// after pauses of a tenth of those in a cluster.
    pub jobs: bool,
    /// Pods are bound to a node and become ready, unless something that they mount or read is
    /// missing.
    pub pods: bool,
    /// Claims are bound, and stay until no pod mounts them any more.
    pub volume_claims: bool,
    /// Dependents are deleted when their owner is gone.
    pub garbage_collection: bool,
    /// Namespaces that are being deleted are emptied first.
    pub namespaces: bool,
    /// The simulators record Events about what they do. Tests that count Events switch this off.
    pub events: bool,
    /// Runners of containers. The first one that accepts a pod runs its containers. Needs `pods`.
    pub pod_runners: Vec<Arc<dyn PodRunner>>,
}

impl Simulators {
    /// All simulators; no containers run.
    pub fn all() -> Self {
        Self {
            stateful_sets: true,
            jobs: true,
            pods: true,
            volume_claims: true,
            garbage_collection: true,
            namespaces: true,
            events: true,
            pod_runners: Vec::new(),
        }
    }

    /// No simulator: the API stores objects, and nothing else happens.
    pub fn none() -> Self {
        Self::default()
    }

    /// Adds a runner for the containers of some pods.
    #[must_use]
    pub fn with_pod_runner(mut self, runner: Arc<dyn PodRunner>) -> Self {
        self.pod_runners.push(runner);
        self
    }
}

/// Running simulators. They stop when this is dropped.
#[derive(Debug)]
pub struct Simulation(JoinSet<()>);

impl Simulation {
    /// Starts the simulators.
    ///
    /// # Panics
    /// Outside of a Tokio runtime.
    pub fn start(client: Client, simulators: Simulators) -> Self {
        let mut tasks = JoinSet::new();
        let events = simulators.events;
        if simulators.stateful_sets {
            tasks.spawn(stateful_set::run(client.clone(), events));
        }
        if simulators.pods {
            tasks.spawn(pod::run(client.clone(), simulators.pod_runners, events));
        }
        if simulators.jobs {
            tasks.spawn(job::run(client.clone()));
        }
        if simulators.garbage_collection {
            tasks.spawn(garbage_collector::run(client.clone(), events));
        }
        if simulators.namespaces {
            tasks.spawn(namespace::run(client.clone()));
        }
        if simulators.volume_claims {
            tasks.spawn(volume_claim::run(client));
        }
        Self(tasks)
    }

    /// Stops all of them, and returns once they have stopped.
    pub async fn shutdown(mut self) {
        self.0.shutdown().await;
    }
}
