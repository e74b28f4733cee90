//! Parts of the spec of an OrasCache, and what the status says of them.

mod copies;
mod metrics;
mod retention;
mod schema;
mod service;
mod storage;

pub use copies::{OrasCacheExport, OrasCacheRuns, OrasCacheSeed, OrasCacheSeedArtifact, OrasCacheSeedStatus};
pub use metrics::{OrasCacheMetrics, OrasCacheServiceMonitor};
pub use retention::OrasCacheRetention;
pub use schema::default_true;
pub(crate) use schema::namespaces_schema;
pub use service::{OrasCacheService, ServiceType};
pub use storage::{AccessMode, OrasCacheEmptyDir, OrasCacheStorage, WhenDeleted};
