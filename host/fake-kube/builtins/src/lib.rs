//! The built-in Kubernetes kinds that the embedded API server offers: their names, and what a
//! kube-apiserver 1.36 does with their objects between decoding and storing.
//!
//! Pure functions over [`serde_json::Value`]. For a create the order is [`canonicalise`], [`default`],
//! (managers are tracked), [`admit_for_create`], (mutating webhooks are called, and defaults filled in again),
//! [`prepare_for_create`], [`validate_create`]; for an update likewise with
//! [`prepare_for_update`] and [`validate_update`]. Objects have been checked against their types before,
//! so a field of a wrong type is ignored here rather than reported.
//!
//! What needs more than the object itself is the server's: cluster IPs, node ports, names and UIDs
//! (they must be set before [`prepare_for_create`]), and looking up priority or storage classes.

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
