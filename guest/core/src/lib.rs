//! The decisions about OrasCaches as pure functions: which objects a cache should have, what its
//! status is, which requests may go on, and when pods that wait are let go.
//!
//! JSON in, JSON out: no IO, no clock, no randomness, no state. Inputs are read through borrowed,
//! partial structs and a small borrowed tree ([`json::Json`]): typed Kubernetes objects were
//! measured to be ten times larger and three to five times slower.
//!
//! ```
//! use orascache_contract::Observed;
//!
//! let primary = r#"{"apiVersion":"cache.converged-computing.github.io/v1alpha1","kind":"OrasCache",
//!     "metadata":{"name":"demo","namespace":"lab","uid":"u"}}"#;
//! let plan = orascache_core::reconcile(&Observed { primary, ..Observed::default() })?;
//! assert_eq!(plan.apply.len(), 2, "a NetworkPolicy and a Service; the pods follow the policy");
//! # Ok::<(), orascache_contract::Error>(())
//! ```

pub mod admission;
mod authority;
mod credentials;
mod describe;
mod desired;
mod diagnosis;
mod difference;
mod digest;
mod fields;
mod findings;
mod former;
pub mod gates;
mod issue;
mod issues;
mod jobs_without_pods;
mod kinds;
mod kubernetes;
mod misspelt;
mod names;
mod observed;
mod own_claim;
mod primary;
mod quantity;
mod reconcile;
mod registry_pod;
mod roll_out;
mod rotation;
mod seen;
mod settings;
mod status;
mod status_of_tasks;
mod step_annotations;
mod task_runs;
mod tasks;
pub mod validate;

pub use describe::describe;
pub use orascache_json as json;
pub use reconcile::reconcile;
