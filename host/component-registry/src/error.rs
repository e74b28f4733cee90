//! Why a component cannot be pushed or pulled.

use thiserror::Error;

/// Sentences for people.
#[derive(Debug, Error)]
pub enum Error {
    /// The registry did not do what it was asked for.
    #[error(transparent)]
    Registry(#[from] oci_registry_client::Error),
    /// A tag may mean another component tomorrow.
    #[error(
        "{0} names a tag, which may mean another component tomorrow: write {1}, or allow it with --allow-unpinned"
    )]
    Unpinned(String, String),
    /// The artifact is something else.
    #[error("{0} is no component: {1}")]
    NotAComponent(String, String),
    /// The content is not what the manifest promises.
    #[error("{0}: {1}")]
    Damaged(String, String),
    /// A key that cannot be used.
    #[error(
        "the public key cannot be used: {0}: it must be a PEM file as `cosign generate-key-pair` writes it (ECDSA, P-256)"
    )]
    Key(String),
    /// There is no signature that the key made.
    #[error("{0} is not signed with the given key: {1}")]
    Unsigned(String, String),
}
