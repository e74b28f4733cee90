//! Simulated controllers of a Kubernetes cluster: StatefulSets and Jobs get pods, pods get a node
//! and become ready, claims are bound, dependents are deleted with their owners, and namespaces are
//! emptied.
//!
//! Every simulator is an API client and uses nothing but the public API. So the simulators run
//! against the fake API server of this repository and against a bare control plane (etcd and
//! kube-apiserver) alike. What they decide are pure functions of objects; the rest is IO.
//!
//! ```no_run
//! use fake_kube_simulators::{Simulation, Simulators};
//!
//! # async fn example() -> Result<(), kube::Error> {
//! let client = kube::Client::try_default().await?;
//! // Everything but Jobs.
//! let simulation = Simulation::start(client, Simulators { jobs: false, ..Simulators::all() });
//! // Apply a StatefulSet here, and its pods become ready.
//! simulation.shutdown().await;
//! # Ok(())
//! # }
//! ```
//!
//! # What they do not do
//! - They run no containers. Pods with the restart policy `Always` become ready at once; other pods
//!   stay pending, and an Event says so. A [`PodRunner`] of the caller can run containers: the crate
//!   `fake-kube-node` has one that runs them as processes.
//! - There is one node, which has no Node object. Nothing is scheduled by resources, affinity or
//!   taints. Pods with scheduling gates wait for their removal.
//! - Volumes are not made by hand: a claim whose StorageClass has the provisioner
//!   `kubernetes.io/no-provisioner` stays pending, and so do the pods that mount it.
//! - Deployments, DaemonSets, CronJobs and HorizontalPodAutoscalers have no simulator, Services get
//!   no endpoints, and Events are never deleted.

mod controller;
mod events;
mod garbage_collector;
mod job;
mod namespace;
mod pod;
mod pods;
mod runner;
mod simulation;
mod stateful_set;
mod volume_claim;

pub use runner::{PodPhase, PodReport, PodRun, PodRunner};
pub use simulation::{Simulation, Simulators};
