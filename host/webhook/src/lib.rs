//! Serves admission reviews over TLS and looks after the certificates.
//!
//! It knows nothing about what is reviewed: a [`Reviewer`] decides, this crate does the rest of what the API server
//! expects of a webhook: HTTP/2 and HTTP/1.1 over TLS, answers in `AdmissionReview` of `admission.k8s.io/v1`,
//! deadlines, and load that is shed with a clear answer before it becomes a problem of memory or time.
//!
//! # Layout
//! - [`review`] is the contract with whoever decides;
//! - `server` has the connections ([`Server`]), the way of one request through them, and their [`Limits`];
//! - [`Certificates`] is what connections are served with; it can be replaced at any time. [`Files`] follows a
//!   mounted Secret, [`Managed`] keeps a CA and a certificate in a Secret and publishes the CA to the API server.
//!
//! # What it does not do
//! - It does not look at client certificates: who may reach the port is a matter of network policies.
//! - It answers `v1` only, and does not check that a review is one: the reviewer does, and says `Invalid`.
//! - Taking the pod out of its Service before [`Server::shutdown`] is up to the caller, as is waiting for it.

pub mod review;

mod certificates;
mod managed;
mod metrics;
mod server;

pub use certificates::files::{Files, FilesOptions};
pub use certificates::{CertificateError, Certificates};
pub use managed::policy::Policy;
pub use managed::publish::{ConfigurationKind, Target};
pub use managed::{Clock, Managed, ManagedError, ManagedOptions};
pub use metrics::CertificateMetrics;
pub use review::{ReviewError, Reviewer};
pub use server::limits::Limits;
pub use server::{MUTATE_PATH, Server, StartError, VALIDATE_PATH};
