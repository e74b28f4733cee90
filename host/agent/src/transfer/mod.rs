//! Transfers of artifacts between a registry and the file system.
//!
//! - `pull` and `push` are the two directions; `progress` shows them on a terminal;
//! - `run` runs the asynchronous part: everything else in the agent blocks;
//! - `lost` says for how long blobs are sent again that a registry lost;
//! - `open_files` lets a pull into many directories open many files.

mod lost;
mod open_files;
pub mod progress;
pub mod pull;
pub mod push;
mod run;

use crate::cancel::Cancel;
use crate::log::Log;
use oci_archive::SamePath;
use oci_registry_client::{
    ArtifactReference, Client, Credentials, Digest, Endpoint, Error, Network, TransferPolicy,
};
use open_files::OpenFiles;
use progress::Progress;
use std::path::PathBuf;
use std::time::Duration;

pub use lost::Lost;
pub use run::run;

/// A registry, and how to access it.
#[derive(Clone, Debug)]
pub struct RegistryAccess {
    /// Where it is.
    pub endpoint: Endpoint,
    /// Credentials. A step has none: they are added by the credential proxy, where the endpoint has
    /// one.
    pub credentials: Credentials,
    /// The network on the way to it.
    pub network: Network,
    /// A transfer is given up when nothing was transferred for this long.
    pub patience: Duration,
}

/// Longest patience where the step can do without an answer.
const HASTE: Duration = Duration::from_secs(10);

impl RegistryAccess {
    /// The same registry for requests that the step can do without: they are given up early.
    pub fn hasty(&self) -> Self {
        RegistryAccess { patience: self.patience.min(HASTE), ..self.clone() }
    }

    /// A client. Each run has one of its own, since connections do not outlive the runtime of a
    /// run.
    pub fn client(&self) -> Client {
        let policy = TransferPolicy::patient(self.patience);
        // Who is in haste does not wait for the end of a garbage collection either.
        let policy = if self.patience > HASTE { policy.through_collections() } else { policy };
        Client::with_network(self.endpoint.clone(), self.credentials.clone(), policy, self.network.clone())
    }
}

/// An artifact to pull.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Wanted {
    /// Its reference.
    pub reference: ArtifactReference,
    /// The manifest that is pulled, where it is known already. The tag may have moved meanwhile.
    pub found: Option<Digest>,
    /// The directory that it is pulled into.
    pub into: PathBuf,
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
    /// Number of bytes of its layers.
    pub size: u64,
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

/// The sentence for an artifact that cannot be pulled.
pub fn cannot_pull(client: &Client, reference: &ArtifactReference, error: &Error) -> String {
    format!("cannot pull {reference} from {}: {}", client.endpoint(), reason(error, reference))
}

/// An error in a sentence that names the artifact already.
fn reason(error: &Error, reference: &ArtifactReference) -> String {
    let (text, name) = (error.to_string(), reference.to_string());
    match text.strip_prefix(&name).and_then(|rest| rest.split_at_checked(1)) {
        Some((":", rest)) => rest.trim_start().to_owned(),
        Some((" ", rest)) => format!("it {rest}"),
        _ => text,
    }
}

/// Pulls the inputs of a step. Their directories change only when all have arrived completely.
/// `same` says what happens where two inputs hold the same file.
///
/// # Errors
/// See [`TransferFailure`].
pub fn pull(
    registry: &RegistryAccess,
    wanted: &[Wanted],
    same: SamePath,
    cancel: &Cancel,
    log: &Log,
) -> Result<Vec<PulledInput>, TransferFailure> {
    let client = registry.client();
    let options = pull::PullOptions { same_path: same, ..pull::PullOptions::default() };
    let _raised = OpenFiles::raise();
    let pulled =
        run(cancel, async { pull::artifacts(&client, wanted, &options, &Progress::hidden()).await })??;
    pull::notes_about_modes(&pulled).into_iter().for_each(|note| log.info(note));
    let inputs = pulled.into_iter().map(|pulled| {
        log.info(format_args!("pulled {pulled}"));
        PulledInput {
            reference: pulled.reference,
            digest: pulled.digest,
            layers: pulled.layers,
            size: pulled.size,
        }
    });
    Ok(inputs.collect())
}

/// Pushes the outputs of a step, all or none: no tag moves before everything else is in the
/// registry.
///
/// # Errors
/// See [`TransferFailure`].
pub fn push(
    registry: &RegistryAccess,
    outputs: Vec<(ArtifactReference, push::PushedContent)>,
    log: &Log,
) -> Result<Vec<push::PushedArtifact>, TransferFailure> {
    let client = registry.client();
    // A push is not cancelled: the command has run, and its result would be lost.
    let pushed =
        run(&Cancel::default(), async { push::artifacts(&client, outputs, &Progress::hidden()).await })??;
    pushed.iter().for_each(|pushed| log.info(format_args!("pushed {pushed}")));
    Ok(pushed)
}

#[cfg(test)]
mod tests {
    use super::*;
    use oci_registry_client::Error;

    #[test]
    fn an_artifact_is_named_once() {
        let reference = ArtifactReference::parse("flow/a:1").unwrap();
        let what = reference.to_string();
        let missing = Error::NotFound { what: what.clone(), detail: String::new() };
        assert_eq!(reason(&missing, &reference), "it is not in the registry");
        let wrong = Error::Protocol { what, why: "it is no manifest".to_owned() };
        assert_eq!(reason(&wrong, &reference), "it is no manifest");
        let other = Error::NotFound { what: "flow/a:12".to_owned(), detail: String::new() };
        assert_eq!(reason(&other, &reference), "flow/a:12 is not in the registry");
    }
}
