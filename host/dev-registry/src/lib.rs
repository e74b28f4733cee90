//! A live OCI registry for every registry pod of `orascache dev` and of the tests.
//!
//! [`Registries`] is a [`PodRunner`](fake_kube::PodRunner): the pod simulator hands it the pods of
//! caches, and it serves each of them on a loopback address of its own. The pod's annotation
//! [`ENDPOINT_ANNOTATION`] and its `status.podIP` say where. Requests are in the log of the pod.
//!
//! A registry speaks TLS, asks for accounts, is read-only and refuses deletion where its container
//! is configured so. It fetches from no other registry: the pod of a pull-through cache waits, and
//! says so.
//!
//! Blobs are kept where the pod's volume says. Pods that mount the same claim share one store,
//! which lives as long as the claim. An emptyDir is a store of the pod's own, and is deleted with
//! the pod.
//!
//! ```no_run
//! use fake_kube::{FakeKube, Simulators};
//! use orascache_dev_registry::{Registries, RegistryOptions};
//!
//! # async fn example() -> Result<(), Box<dyn std::error::Error>> {
//! let mut cluster = FakeKube::start().await?;
//! let (changes, mut heard) = tokio::sync::mpsc::unbounded_channel();
//! let logs = cluster.logs();
//! let options = RegistryOptions { data_dir: "/tmp/registries".into(), logs, changes };
//! let registries = Registries::start(cluster.client(), options)?;
//! cluster.simulate(Simulators::all().with_pod_runner(registries));
//! // Create the StatefulSet of a cache here.
//! println!("{:?}", heard.recv().await);
//! # Ok(())
//! # }
//! ```

mod addresses;
mod pod;
mod registries;
mod rules;
mod serving;
mod store;
mod tls;

pub use pod::ENDPOINT_ANNOTATION;
pub use registries::{Registries, RegistryChange, RegistryOptions};
pub use store::DataDirectoryError;
