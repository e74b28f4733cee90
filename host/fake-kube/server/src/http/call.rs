//! A request about a resource whose body has been read.

use bytes::Bytes;
use http::Method;

use super::path::ResourcePath;
use super::query::Query;
use crate::requests::Request;

/// A request about a resource.
pub struct Call {
    /// The method.
    pub method: Method,
    /// The resource that the path names.
    pub path: ResourcePath,
    /// The query.
    pub query: Query,
    /// The body.
    pub body: Bytes,
    /// `Content-Type`.
    pub content_type: Option<String>,
    /// `Accept`.
    pub accept: Option<String>,
    /// `User-Agent`.
    pub user_agent: String,
    /// Whether an injected fault makes the watch silent from its start.
    pub frozen: bool,
    /// The request as the log and injected faults describe it.
    pub summary: Request,
}
