//! The built-in Kubernetes kinds of the fake API server: their names, and what a kube-apiserver
//! 1.36 does with their objects between decoding and storing.
//!
//! Everything is a pure function over [`serde_json::Value`]. For a create the order is
//! [`canonicalise`], [`default`], (field managers are tracked), [`admit_for_create`], (mutating
//! webhooks are called, and defaults are filled in again), [`prepare_for_create`],
//! [`validate_create`]. For an update it is the same with [`prepare_for_update`] and
//! [`validate_update`]. The caller has checked the types of all fields before, so a field of a
//! wrong type is ignored here and not reported.
//!
//! The caller does what needs more than the object: it allocates cluster IPs and node ports, sets
//! names and UIDs (before [`prepare_for_create`]), and looks up priority and storage classes.
//!
//! ```
//! use fake_kube_builtins::{default, find, validate_create};
//! use serde_json::json;
//!
//! let services = find("", "v1", "services").expect("a built-in resource");
//! let mut service = json!({
//!     "metadata": {"name": "web", "namespace": "default"},
//!     "spec": {"ports": [{"port": 80}, {"port": 443, "name": "tls"}]},
//! });
//! default(services, &mut service);
//! assert_eq!(service["spec"]["ports"][0]["targetPort"], 80);
//! let causes = validate_create(services, &service);
//! assert_eq!(causes[0].field, "spec.ports[0].name");
//! assert_eq!(causes[0].message, "Required value");
//! ```

mod autoscalers;
mod canonical;
mod catalogue;
mod columns;
mod defaults;
mod events;
mod json;
mod prepare;
mod validation;

pub use autoscalers::{autoscaler_to_v1, autoscaler_to_v2};
pub use canonical::canonicalise;
pub use catalogue::{Resource, Subresource, catalogue, find};
pub use columns::{Column, age, cells, columns};
pub use defaults::default;
pub use events::{event_from_core, event_to_core};
pub use prepare::{admit_for_create, prepare_for_create, prepare_for_update};
pub use validation::{
    validate_create, validate_ephemeral_containers_update, validate_metadata, validate_update,
};
