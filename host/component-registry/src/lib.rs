//! Components in OCI registries, so that a registry can serve the component that operates it.
//!
//! The layout is the CNCF's "Wasm OCI Artifact Layout": a configuration of its own media type, and
//! one layer with the component. A component is pulled by a digest, unless the caller allows a tag,
//! and can be required to have a signature that `cosign sign --key` made.
//!
//! # Example
//!
//! ```
//! use component_registry::{Description, Trust, pull, push};
//! use oci_registry_client::{ArtifactReference, Client, Credentials, Endpoint, TransferPolicy};
//!
//! # async fn example() -> Result<(), Box<dyn std::error::Error>> {
//! let registry = test_registries::Embedded::start();
//! let endpoint: Endpoint = format!("http://{}", registry.host()).parse()?;
//! let client = Client::new(endpoint, Credentials::default(), TransferPolicy::default());
//!
//! let tagged: ArtifactReference = "lab/orascache:1".parse()?;
//! let digest = push(&client, &tagged, b"\0asm\x0d\0\x01\0", &Description::default()).await?;
//! let pinned: ArtifactReference = tagged.pinned(digest.as_str()).parse()?;
//! let pulled = pull(&client, &pinned, &Trust::default()).await?;
//! assert_eq!((pulled.component.as_slice(), pulled.digest), (&b"\0asm\x0d\0\x01\0"[..], digest));
//!
//! // A tag alone may mean another component tomorrow.
//! assert!(pull(&client, &tagged, &Trust::default()).await.is_err());
//! # Ok(())
//! # }
//! # tokio::runtime::Runtime::new().unwrap().block_on(example()).unwrap();
//! ```
//!
//! # Layout
//! - `layout` pushes and pulls components;
//! - `signature` verifies signatures;
//! - `bounded_blob` pulls small blobs for both.

mod bounded_blob;
mod error;
mod layout;
mod signature;

pub use error::Error;
pub use layout::{Description, MAX_COMPONENT, PulledComponent, Trust, pull, push};
pub use signature::PublicKey;
