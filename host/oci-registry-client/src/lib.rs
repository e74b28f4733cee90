//! A client of OCI registries (distribution-spec 1.1) for transfers that survive restarts and cut
//! connections.
//!
//! A request that fails for a passing reason is repeated until nothing was transferred for as long
//! as [`TransferPolicy::patience`] says; any other failure is reported at once. Blobs are streamed
//! both ways in constant memory. Credentials are added when the registry asks for them, and go to
//! its own address and its token service only.
//!
//! The crate `oci-client` was considered first. It does not speak over a Unix socket, does not
//! continue an upload that was cut, and a proxy cannot pass its requests on.
//!
//! # Example
//!
//! A small blob and a manifest go to a registry, and come back:
//!
//! ```
//! use oci_registry_client::{
//!     ArtifactReference, Client, Credentials, EMPTY_CONFIG, Endpoint, Manifest, TransferPolicy, media_type,
//! };
//!
//! # async fn example() -> Result<(), Box<dyn std::error::Error>> {
//! let registry = test_registries::Embedded::start();
//! let endpoint: Endpoint = format!("http://{}", registry.host()).parse()?;
//! let client = Client::new(endpoint, Credentials::default(), TransferPolicy::default());
//!
//! let reference: ArtifactReference = "flow/words:run-1".parse()?;
//! let layer = client.push_bytes(&reference.repository, b"hello", "text/plain").await?;
//! client.push_bytes(&reference.repository, EMPTY_CONFIG, media_type::EMPTY).await?;
//! let manifest = Manifest::of_layers(media_type::UNKNOWN_ARTIFACT, vec![layer], Default::default());
//! let digest = client.push_manifest(&reference, &manifest).await?;
//!
//! let fetched = client.manifest(&reference).await?;
//! assert_eq!((fetched.digest, fetched.manifest), (digest, manifest));
//! # Ok(())
//! # }
//! # tokio::runtime::Runtime::new().unwrap().block_on(example()).unwrap();
//! ```
//!
//! # Layout
//! - `endpoint`, `reference` and `remote_artifact` are addresses;
//! - `client` authorizes and redirects requests, with the help of `authenticator`, `challenge` and
//!   `token`; `transport` sends one of them over `connect` (which asks the `resolver`), through a
//!   `forward_proxy` if the `network` has one; `response` says what an answer means;
//! - `blob_pull`, `blob_push` with `upload_session`, and `manifest_transfer` are what is requested;
//!   `image` reads the configuration of images, `links` what a manifest names, `listing` the names
//!   of tags and repositories, and `referrers` finds manifests that refer to another one;
//!   `deletion` deletes;
//!   `streams` connects them with blocking readers, and `retry` says when they are repeated;
//! - `stored_credentials` and `docker_config` find credentials.

mod access;
mod authenticator;
mod blob_pull;
mod blob_push;
mod challenge;
mod client;
mod connect;
mod credentials;
mod deletion;
mod digest;
mod docker_config;
mod endpoint;
mod error;
mod forward_proxy;
mod image;
mod image_program;
mod links;
mod listing;
mod manifest;
mod manifest_transfer;
mod network;
mod policy;
mod public_address;
mod reference;
mod referrers;
mod remote_artifact;
mod resolver;
mod response;
mod retry;
mod stored_credentials;
mod streams;
mod token;
mod transport;
mod upload_session;

pub use access::{Access, Action};
pub use blob_push::Pushed;
pub use client::Client;
pub use credentials::{Credentials, Secret};
pub use deletion::Deleted;
pub use digest::{Digest, VerifyingReader};
pub use endpoint::{Endpoint, EndpointError};
pub use error::Error;
pub use image::{ImageConfig, Platform};
pub use image_program::ImageProgram;
pub use links::ManifestLinks;
pub use manifest::{Descriptor, EMPTY_CONFIG, Manifest, media_type};
pub use manifest_transfer::{EncodedManifest, FetchedManifest};
pub use network::Network;
pub use policy::TransferPolicy;
pub use reference::ArtifactReference;
pub use referrers::Referrer;
pub use remote_artifact::RemoteArtifact;
pub use response::REASON;
pub use streams::{ChannelReader, Sender, channel};
pub use transport::{Body, empty, full};
pub use upload_session::Blob;
pub use url::Url;

/// Names and values of a query, decoded (WHATWG URL, "application/x-www-form-urlencoded").
///
/// ```
/// let pairs: Vec<_> = oci_registry_client::query_pairs("mount=a%3Ab&from=c").collect();
/// assert_eq!(pairs[0], ("mount".to_owned(), "a:b".to_owned()));
/// ```
pub fn query_pairs(query: &str) -> impl Iterator<Item = (String, String)> + '_ {
    url::form_urlencoded::parse(query.as_bytes()).into_owned()
}
