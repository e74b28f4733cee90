//! What the operator's parts say about themselves while they run: metrics, and log messages that
//! repeat themselves.
//!
//! A message that everybody on the network can cause must not fill the log.
//! [`RepeatedMessages`] lets the first one of a kind through at once, and then counts:
//!
//! ```
//! use orascache_telemetry::RepeatedMessages;
//! use std::time::Duration;
//!
//! # tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap().block_on(async {
//! let refusals = RepeatedMessages::new(Duration::from_secs(60));
//! let count = |count| tracing::warn!(count, "further requests without a body were refused");
//! assert!(refusals.is_first("no body", count), "this one is logged");
//! assert!(!refusals.is_first("no body", count), "this one is counted");
//! assert!(refusals.is_first("no JSON", |_| ()), "kinds are counted apart");
//! # });
//! ```
//!
//! [`testing`] has what tests need to look at the log.

pub mod testing;

mod metric;
mod repeated;

pub use metric::register_metric;
pub use repeated::RepeatedMessages;
