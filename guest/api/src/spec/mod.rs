//! Parts of the spec of an OrasCache.

mod metrics;
mod schema;
mod service;
mod storage;

pub use metrics::{OrasCacheMetrics, OrasCacheServiceMonitor};
pub use schema::default_true;
pub(crate) use schema::namespaces_schema;
pub use service::{OrasCacheService, ServiceType};
pub use storage::{AccessMode, OrasCacheEmptyDir, OrasCacheStorage, WhenDeleted};
