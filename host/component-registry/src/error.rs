//! Why a component cannot be pushed or pulled.

use thiserror::Error;

/// Why a component cannot be used. The texts are sentences for people.
#[derive(Debug, Error)]
pub enum Error {
    /// A request to the registry failed.
    #[error(transparent)]
    Registry(#[from] oci_registry_client::Error),
    /// The reference has no digest: the name, and the name with the digest that the tag has now.
    #[error(
        "{0} names a tag, which may mean another component tomorrow: write {1}, or allow it with --allow-unpinned"
    )]
    Unpinned(String, String),
    /// The artifact is no component: its name, and why.
    #[error("{0} is no component: {1}")]
    NotAComponent(String, String),
    /// The content differs from the digest in the manifest: the name, and what differs.
    #[error("{0}: {1}")]
    Damaged(String, String),
    /// A public key that cannot be used, and why.
    #[error(
        "the public key cannot be used: {0}: it must be a PEM file as `cosign generate-key-pair` writes it (ECDSA, P-256)"
    )]
    Key(String),
    /// There is no signature by the key for this component: its name, and what was found.
    #[error("{0} is not signed with the given key: {1}")]
    Unsigned(String, String),
}
