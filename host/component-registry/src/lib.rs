//! Components as OCI artifacts, so that a registry can serve the module that operates it.
//!
//! The layout is that of the CNCF's "Wasm OCI Artifact": a configuration of its own media type and one layer with the
//! component. What is pulled is named by a digest, unless somebody says otherwise, and can be held to a signature that
//! `cosign sign --key` made.
//!
//! - [`artifact`](push) is the layout, both ways;
//! - [`PublicKey`] is what signatures are checked with.

mod artifact;
mod error;
mod signature;

pub use artifact::{Description, MAX_COMPONENT, Pulled, Trust, pull, push};
pub use error::Error;
pub use signature::PublicKey;
