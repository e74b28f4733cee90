//! Serves admission reviews over TLS, and manages the certificate.
//!
//! The crate does not know what is reviewed: a [`Reviewer`] decides. The crate does the rest of
//! what the API server expects of a webhook: HTTP/2 and HTTP/1.1 over TLS, `AdmissionReview` of
//! `admission.k8s.io/v1` as the answer, deadlines, and bounds of memory, connections and time, so
//! that no client can keep others from being answered.
//!
//! # Parts
//! - [`Reviewer`] is the trait that decides.
//! - [`Server`] accepts connections and answers requests, within its [`ServerLimits`].
//! - [`CertificateResolver`] holds the certificate of new connections; it can be replaced at any
//!   time. [`CertificateFiles`] follows a mounted Secret. [`CertificateManager`] issues and rotates
//!   a CA and a certificate in a Secret, and writes the CA into webhook configurations.
//! - [`ClientAuthority`] has the CAs of clients. [`ClientAuthorityFile`] follows a file with them.
//!
//! # What it does not do
//! - Without a client CA it answers every client that reaches the port: bound that by a
//!   network policy.
//! - It does not check that a body is an `AdmissionReview`: the reviewer does, and returns
//!   [`ReviewError::Invalid`].
//! - It does not remove the pod from its Service: wait for that before [`Server::shutdown`].
//!
//! # Example
//! A reviewer that allows everything, and a server with a certificate from two files:
//!
//! ```no_run
//! use futures::future::{BoxFuture, FutureExt};
//! use orascache_contract::Response;
//! use orascache_webhook::{
//!     CertificateFiles, CertificateFilesOptions, CertificateMetrics, ReviewError, Reviewer, Server,
//!     ServerOptions,
//! };
//! use prometheus_client::registry::Registry;
//! use std::sync::Arc;
//! use tokio::net::TcpListener;
//!
//! struct AllowAll;
//!
//! impl Reviewer for AllowAll {
//!     fn review<'a>(&'a self, review: &'a str) -> BoxFuture<'a, Result<Response, ReviewError>> {
//!         async move {
//!             let review: serde_json::Value = serde_json::from_str(review)
//!                 .map_err(|error| ReviewError::Invalid(format!("this is not JSON: {error}")))?;
//!             Ok(Response::allowed(review["request"]["uid"].as_str().unwrap_or_default()))
//!         }
//!         .boxed()
//!     }
//! }
//!
//! # async fn serve() -> Result<(), Box<dyn std::error::Error>> {
//! let mut registry = Registry::default();
//! let metrics = CertificateMetrics::register(&mut registry);
//! let options = CertificateFilesOptions::new("/etc/webhook");
//! let (resolver, files) = CertificateFiles::start(options, metrics).await;
//! resolver.loaded().await;
//!
//! let listener = TcpListener::bind("0.0.0.0:9443").await?;
//! let options = ServerOptions::default();
//! let server = Server::start(listener, Arc::new(AllowAll), resolver, options, &mut registry)?;
//! // ... until the process is told to end:
//! server.shutdown().await;
//! files.shutdown().await;
//! # Ok(())
//! # }
//! ```

mod certificates;
mod metrics;
mod reviewer;
mod rotation;
mod server;

pub use certificates::{
    CertificateError, CertificateFiles, CertificateFilesOptions, CertificateResolver, ClientAuthority,
    ClientAuthorityError, ClientAuthorityFile, ClientAuthorityFollower,
};
pub use metrics::CertificateMetrics;
pub use reviewer::{ReviewError, Reviewer};
pub use rotation::{
    CaBundleTarget, CertificateManager, CertificateManagerError, CertificateManagerOptions, RotationPolicy,
    WallClock, WebhookConfigurationKind,
};
pub use server::{MUTATE_PATH, Server, ServerLimits, ServerOptions, StartError, VALIDATE_PATH};
