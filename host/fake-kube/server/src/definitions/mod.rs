//! CustomResourceDefinitions.
//!
//! - [`status`] computes what the status of a definition says;
//! - [`controller`] follows the stored definitions: it settles their status, serves their kinds,
//!   and deletes the objects of a definition that is being deleted.

pub mod controller;
pub mod status;
