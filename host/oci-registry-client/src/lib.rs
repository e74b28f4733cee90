//! A client of OCI registries (distribution-spec 1.1) for transfers that survive restarts and cut connections.
//!
//! What can pass is tried again until nothing has moved for as long as [`Policy::patience`] says; what cannot is reported
//! at once. Blobs are streamed both ways in constant memory. Credentials are added when the registry asks for them, to
//! requests for its own address only.
//!
//! `oci-client` was looked at first: it neither speaks over a Unix socket nor goes on with a cut upload, and its requests
//! cannot be passed on by a proxy.

mod auth;
mod blob;
mod challenge;
mod client;
mod connect;
mod digest;
mod endpoint;
mod error;
mod manifest;
mod manifests;
mod reader;
mod reference;
mod remote;
mod retry;
mod stored;
mod upload;

pub use auth::{Access, Action, Credentials, Secret};
pub use client::{Body, Client, Policy, empty, full};
pub use digest::{Digest, VerifyingReader};
pub use endpoint::{Endpoint, EndpointError};
pub use error::Error;
pub use manifest::{Descriptor, EMPTY_CONFIG, Manifest, media_type};
pub use manifests::Fetched;
pub use reader::{ChannelReader, Sender, channel};
pub use reference::Reference;
pub use remote::Remote;
pub use upload::{Blob, Pushed};
pub use url::Url;

/// Names and values of a query, decoded.
pub fn query_pairs(query: &str) -> impl Iterator<Item = (String, String)> + '_ {
    url::form_urlencoded::parse(query.as_bytes()).into_owned()
}
