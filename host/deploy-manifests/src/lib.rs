//! What an installation of the operator in a cluster consists of: permissions, Deployment, webhook configurations
//! and what surrounds them, as typed objects; and the same as a tree of kustomize folders.
//!
//! The objects are the source. The folder `manifests` of the repository is what [`manifests::files`] renders, and
//! a test holds it to that. [`access::permits`] evaluates the permissions, so that recorded requests of a running
//! operator can be held to them as well.

pub mod access;
pub mod cert_manager;
pub mod conditions;
pub mod deployment;
pub mod manifests;
pub mod names;
pub mod namespace;
pub mod network;
pub mod objects;
pub mod rbac;
pub mod rights;
mod settings;
pub mod webhook;

pub use manifests::files;
pub use objects::objects;
pub use settings::{Certificates, Error, Settings};
