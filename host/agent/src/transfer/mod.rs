//! Transfers of artifacts between a registry and the file system.
//!
//! - `pull` and `push` are the two directions; `progress` shows them on a terminal;
//! - `run` runs the asynchronous part: everything else in the agent blocks.

pub mod progress;
pub mod pull;
pub mod push;
mod run;

use crate::cancel::Cancel;
use crate::log::Log;
use oci_archive::SamePath;
use oci_registry_client::{
    ArtifactReference, Client, Credentials, Digest, Endpoint, Network, TransferPolicy,
};
use progress::Progress;
use push::Source;
use std::path::Path;
use std::time::Duration;

pub use run::run;

/// A registry, and how to access it. Credentials are added by the credential proxy, where the
/// endpoint has one.
#[derive(Clone, Debug)]
pub struct RegistryAccess {
    /// Where it is.
    pub endpoint: Endpoint,
    /// The network on the way to it.
    pub network: Network,
    /// A transfer is given up when nothing was transferred for this long.
    pub patience: Duration,
}

impl RegistryAccess {
    /// A client. Each run has one of its own, since connections do not outlive the runtime of a
    /// run.
    fn client(&self) -> Client {
        let policy = TransferPolicy::patient(self.patience);
        Client::with_network(self.endpoint.clone(), Credentials::default(), policy, self.network.clone())
    }
}

/// An input of a step that was pulled.
#[derive(Clone, Debug)]
pub struct PulledInput {
    /// Its reference.
    pub reference: ArtifactReference,
    /// Digest of its manifest.
    pub digest: Digest,
    /// Digests of its layers.
    pub layers: Vec<String>,
}

/// Why a transfer was not completed. The texts are sentences.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TransferFailure {
    /// The request itself is wrong, so that another attempt would fail too.
    BadRequest(String),
    /// The transfer was cancelled.
    Cancelled,
    /// The transfer failed.
    Failed(String),
}

/// Pulls the inputs of a step into a directory, which changes only when all have arrived
/// completely. `same` says what happens where two inputs hold the same file.
///
/// # Errors
/// See [`TransferFailure`].
pub fn pull(
    registry: &RegistryAccess,
    references: &[ArtifactReference],
    into: &Path,
    same: SamePath,
    cancel: &Cancel,
    log: &Log,
) -> Result<Vec<PulledInput>, TransferFailure> {
    let client = registry.client();
    let options = pull::PullOptions { same_path: same, ..pull::PullOptions::default() };
    let pulled = run(cancel, async {
        pull::artifacts(&client, references, into, &options, &Progress::hidden()).await
    })??;
    if let Some(note) = pull::note_about_modes(&pulled, into) {
        log.info(note);
    }
    let inputs = pulled.into_iter().map(|pulled| {
        log.info(format_args!("pulled {pulled}"));
        PulledInput { reference: pulled.reference, digest: pulled.digest, layers: pulled.layers }
    });
    Ok(inputs.collect())
}

/// Pushes the output of a step. The manifest names the inputs that it was made of. Returns the
/// digest of the manifest.
///
/// # Errors
/// See [`TransferFailure`].
pub fn push(
    registry: &RegistryAccess,
    reference: &ArtifactReference,
    source: Source,
    unpack: bool,
    inputs: &[PulledInput],
    log: &Log,
) -> Result<Digest, TransferFailure> {
    let client = registry.client();
    let content = push::PushedContent {
        files: vec![source],
        unpack,
        artifact_type: None,
        annotations: push::provenance(inputs),
        blob_sources: push::blob_sources(inputs),
    };
    // A push is not cancelled: the command has run, and its result would be lost.
    let pushed = run(&Cancel::default(), async {
        push::artifact(&client, reference, content, &Progress::hidden()).await
    })??;
    log.info(format_args!("pushed {pushed}"));
    Ok(pushed.digest)
}
