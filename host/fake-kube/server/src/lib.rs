//! An embedded Kubernetes API server: in-process, plain HTTP on loopback, everything in memory.
//!
//! It is real enough for kubectl and client libraries to work with the built-in kinds of the
//! [`builtins`] catalogue and with CustomResourceDefinitions: discovery, OpenAPI v3, create, read,
//! update, the four patch formats, server-side apply, delete with finalizers and propagation, lists in
//! pages, watches with history and bookmarks, tables, metadata-only views, dry run, field validation, and
//! admission webhooks over HTTPS from the stored configurations.
//!
//! # Layout
//! - `store` keeps JSON bytes per resource, one revision counter and a window of history;
//! - `catalogue` says what is served: built-in kinds and those of definitions;
//! - `write` takes a body to a stored object, `read` takes stored objects to answers;
//! - `documents` has discovery and OpenAPI, `http` the connections, paths and headers;
//! - `definitions` follows up on CustomResourceDefinitions;
//! - [`admission`] calls webhooks ([`ApiServer::route_service`] says where services answer); [`Faults`] and [`RequestLog`] are for tests.
//!
//! # What it does not do
//! - No authentication, no authorization: everybody is `system:admin`. It listens on loopback only and
//!   refuses other `Host` headers.
//! - No persistence: objects end with the server.
//! - No controllers, except for what the API server itself does to CustomResourceDefinitions. Pods, sets,
//!   garbage collection, namespace content and claims are the business of API clients.
//! - No HTTP/2, no compression. Protobuf bodies of built-in kinds are read; answers are JSON, also to
//!   clients that ask for protobuf first.
//! - No conversion between versions of a custom kind but a change of `apiVersion`; no conversion webhooks.
//! - No admission policies. Match conditions of webhooks know no `authorizer`, no cost limits, and are
//!   compiled without types. There are no system roots: a webhook without `caBundle` is not trusted.
//!   Webhooks of services without a route have no endpoints, whatever Services and EndpointSlices say.
//! - No `exec`, `attach`, `logs`, `proxy`, `port-forward`, service account tokens, quotas, limit ranges,
//!   priority classes, node ports, or disruption budgets on eviction. Cluster IPs are handed out once.
//! - OpenAPI v2 is an empty document; what clients look for is in v3.
//! - Lists at a revision reach back as far as the window of history of their resource.

pub mod admission;

mod addresses;
mod catalogue;
mod clock;
mod cluster;
mod definitions;
mod documents;
mod faults;
mod http;
mod identity;
mod read;
mod requests;
mod server;
mod store;
mod write;

pub use faults::{Fault, FaultId, Faults};
pub use requests::{Entry, Matcher, Request, RequestLog};
pub use server::{ApiServer, Options, StartError};
