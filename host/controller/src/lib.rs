//! A generic, level-triggered Kubernetes controller: it watches, caches, queues and writes. It knows no
//! kind by itself; all decisions come from a [`contract::Reconciler`].
//!
//! What happens to a change: `informer` receives it, `cache` keeps it as pruned JSON text and says whose it is,
//! `queue` hands the primary to one worker at a time, the worker shows the reconciler what is observed, and
//! `execute` carries out the plan.

pub mod contract;

mod apply;
mod cache;
mod controller;
mod execute;
mod failures;
mod handover;
mod informer;
mod metrics;
mod object;
mod ownership;
mod primaries;
mod queue;
mod takeback;

pub use controller::{Backoff, Controller, Options, StartError, always_allowed};
pub use handover::{Handover, Incompatible};
pub use primaries::Primaries;
