//! A Kubernetes API server in process, on loopback, with everything in memory.
//!
//! It is complete enough for kubectl and client libraries to work with the built-in kinds and with
//! CustomResourceDefinitions: discovery, OpenAPI v3, create, read, update, the four patch formats,
//! server-side apply, deletion with finalizers and propagation, lists in pages, watches with
//! history and bookmarks, tables, metadata-only answers, dry run, field validation, subresources
//! (`status`, `scale`, `pods/binding`, `pods/eviction`, `pods/ephemeralcontainers`, `pods/log`), and
//! admission webhooks over HTTPS.
//!
//! ```
//! use fake_kube_server::{ApiServer, Options};
//!
//! # #[tokio::main]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let server = ApiServer::start(Options::default()).await?;
//! // Any client works. It needs the kubeconfig, which `write_kubeconfig` puts into a file.
//! assert!(server.kubeconfig().contains(&server.url()));
//! server.shutdown().await;
//! # Ok(())
//! # }
//! ```
//!
//! # Layout
//! - `store` keeps JSON bytes per resource, one revision counter and a window of history;
//! - `catalogue` says what is served: built-in kinds and those of definitions;
//! - `write` takes a body to a stored object, `read` takes stored objects to answers;
//! - `documents` has discovery and OpenAPI, `http` the connections, access, paths and headers;
//! - `state` holds store and catalogue, `cluster` everything that requests share;
//! - `logs` keeps the logs of containers, which the program that runs them writes
//!   ([`ApiServer::logs`]);
//! - `definitions` follows the stored CustomResourceDefinitions;
//! - [`admission`] calls webhooks ([`ApiServer::route_service`] says where services answer);
//! - [`Faults`] and [`RequestLog`] are for tests.
//!
//! # Access
//! Every request must carry the bearer token that the kubeconfig contains, and the server speaks
//! HTTPS with a certificate of its own, which the kubeconfig trusts. When [`Options::token`] is
//! `None` it speaks plain HTTP and answers everybody. Either way it listens on loopback only, and
//! refuses other `Host` headers and requests of web pages.
//!
//! # How it is held to the truth
//! 54 exchanges that were recorded from a kube-apiserver 1.36 are replayed in order
//! (`tests/replay.rs`). Generated sequences of requests are checked against properties that every
//! API server has (`tests/sequences`). Where `KUBEBUILDER_ASSETS` names a folder with `etcd` and
//! `kube-apiserver`, the same sequences go to a real server too, and the answers must be equal;
//! with `FAKE_KUBE_RECORD=1` they are recorded, and recordings are replayed without a real server.
//! **No sequence has been recorded yet**: `tests/sequences/recorded` is empty.
//!
//! # What it does not do, or does differently
//! - Users: everybody who has the token is `system:admin` and may do everything.
//! - Persistence: objects end with the server.
//! - Controllers, except for what the API server itself does to CustomResourceDefinitions. Those
//!   are settled before the write is answered; a real server takes a moment. Pods, workloads,
//!   autoscalers, garbage collection, the content of namespaces and volume claims are left to API
//!   clients.
//! - HTTP/2 and compression. Protobuf bodies of built-in kinds are read; answers are JSON, also for
//!   clients that prefer protobuf.
//! - Conversion between versions of a custom kind but for a change of `apiVersion`; conversion
//!   webhooks.
//! - Autoscalers in `autoscaling/v1` show what v1 cannot express in annotations of the names that a
//!   real server uses, but in the format of v2.
//! - Times (`Time` and `MicroTime` of meta/v1) are stored in UTC with the precision of their type,
//!   as on a real server. A `MicroTime` may have any number of digits after the second;
//!   kube-apiserver 1.36 refuses all but six. The message about a text that is no time does not say
//!   at which part Go's parser stopped.
//! - Refused updates of pods lack the difference that a real server appends to the message.
//! - Admission policies. Match conditions of webhooks know no `authorizer`, no cost limits, and are
//!   compiled without types. There are no system roots: a webhook without `caBundle` is not
//!   trusted. Services without a route have no endpoints, whatever Services and EndpointSlices say.
//! - `exec`, `attach`, `proxy`, `port-forward`, `pods/resize`, service account tokens,
//!   quotas, limit ranges, priority classes, node ports, or disruption budgets on eviction. Cluster
//!   IPs are not reused.
//! - OpenAPI v2, which is an empty document. Clients find what they need in v3.
//! - Lists at a revision that is older than the window of history.

pub mod admission;

mod addresses;
mod api_server;
mod catalogue;
mod clock;
mod cluster;
mod definitions;
mod documents;
mod faults;
mod http;
mod identity;
mod kubeconfig;
mod logs;
mod read;
mod requests;
mod state;
mod store;
mod token;
mod turns;
mod write;

pub use api_server::{ApiServer, Options, StartError};
pub use faults::{Fault, FaultId, Faults};
pub use logs::{LogWriter, Logs, OutputStream};
pub use requests::{Entry, Matcher, Request, RequestLog};
pub use token::Token;
