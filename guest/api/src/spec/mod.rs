//! Parts of the spec of an OrasCache, and what the status says of them.

mod auth;
mod copies;
mod flavor;
mod metrics;
mod object_storage;
mod proxy;
mod retention;
mod schema;
mod service;
mod storage;
mod tls;

pub use auth::OrasCacheAuth;
pub use copies::{
    OrasCacheExport, OrasCacheExportStatus, OrasCacheSeed, OrasCacheSeedArtifact, OrasCacheSeedStatus,
};
pub use flavor::Flavor;
pub use metrics::{OrasCacheMetrics, OrasCacheServiceMonitor};
pub use object_storage::{OrasCacheAzure, OrasCacheGcs, OrasCacheS3};
pub use proxy::OrasCacheProxy;
pub use retention::{OrasCacheRetention, OrasCacheRetentionStatus};
pub use schema::default_true;
pub(crate) use schema::{SCHEDULE_RULE, namespaces_schema, repository_patterns_schema, tag_patterns_schema};
pub use service::{OrasCacheService, ServiceType};
pub use storage::{AccessMode, OrasCacheEmptyDir, OrasCacheStorage, WhenDeleted};
pub use tls::{OrasCacheIssuerRef, OrasCacheTls};

/// URLs of a host without a path, a query or credentials.
pub(crate) const URL_RULE: &str = r"self.matches('^https?://([A-Za-z0-9]([A-Za-z0-9-]*[A-Za-z0-9])?([.][A-Za-z0-9]([A-Za-z0-9-]*[A-Za-z0-9])?)*|\\[[0-9A-Fa-f:.]+\\])(:[0-9]{1,5})?/?$')";
