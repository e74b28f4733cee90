//! The decisions of OrasCache as functions of values: what objects a cache should have, what its status is.
//!
//! JSON in, JSON out; no IO, no clock, no randomness, no state. Inputs are read through borrowed, partial
//! structs and a small borrowed tree ([`json::Json`]): typed Kubernetes objects were measured to be ten
//! times larger and three to five times slower.

pub mod admission;
mod describe;
mod desired;
mod difference;
mod digest;
mod fields;
mod findings;
mod issue;
mod issues;
pub mod json;
mod kinds;
mod names;
mod observed;
mod primary;
mod quantity;
mod reconcile;
mod settings;
mod status;
mod step_annotations;
pub mod validate;

pub use describe::describe;
pub use reconcile::reconcile;
