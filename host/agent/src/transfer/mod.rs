//! Moves artifacts between a registry and the file system.
//!
//! - `pull` and `push` are the two ways; `progress` shows them to people;
//! - `run` is where the asynchronous part begins and ends, since everything else of the agent does without.

pub mod progress;
pub mod pull;
pub mod push;
mod run;

use crate::cancel::Cancel;
use crate::log::Log;
use oci_registry_client::{Client, Credentials, Endpoint, Policy, Reference};
use progress::Progress;
use std::path::{Path, PathBuf};
use std::time::Duration;

pub use run::run;

/// Where artifacts lie, and how to get there.
#[derive(Clone, Debug)]
pub struct Registry {
    /// `http://` or `https://` with a host.
    pub url: String,
    /// Socket of the credential proxy, if requests go through it.
    pub proxy: Option<PathBuf>,
    /// How long nothing may move before a transfer is given up.
    pub patience: Duration,
}

/// An artifact that was pulled.
#[derive(Clone, Debug)]
pub struct Input {
    /// Its URI, expanded.
    pub uri: String,
    /// Digest of its manifest.
    pub digest: String,
    /// Digests of its layers.
    pub layers: Vec<String>,
}

/// Why a transfer did not come to its end. The texts are sentences.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Failure {
    /// What was asked for cannot be, whatever is tried.
    BadRequest(String),
    /// The flag was set.
    Cancelled,
    /// It did not work.
    Failed(String),
}

impl Registry {
    /// Whether its address is one, so that a wrong one is found before anything is done.
    ///
    /// # Errors
    /// A sentence.
    pub fn check(&self) -> Result<(), String> {
        Endpoint::parse(&self.url).map(drop).map_err(|error| error.to_string())
    }

    /// A client of it. Credentials are the proxy's business where there is one.
    fn client(&self) -> Result<Client, Failure> {
        let endpoint = Endpoint::parse(&self.url).map_err(|error| Failure::BadRequest(error.to_string()))?;
        let endpoint = match &self.proxy {
            Some(socket) => endpoint.through(socket.clone()),
            None => endpoint,
        };
        Ok(Client::new(endpoint, Credentials::default(), Policy::patient(self.patience)))
    }
}

fn reference(uri: &str) -> Result<Reference, Failure> {
    Reference::parse(uri).map_err(|why| Failure::BadRequest(format!("\"{uri}\" is no artifact: {why}")))
}

/// Pulls artifacts into a folder. Where they clash, the later one wins. The folder changes only once all have arrived whole.
///
/// # Errors
/// See [`Failure`].
pub fn pull(
    registry: &Registry,
    uris: &[String],
    into: &Path,
    cancel: &Cancel,
    log: &Log,
) -> Result<Vec<Input>, Failure> {
    let references: Vec<_> = uris.iter().map(|uri| reference(uri)).collect::<Result<_, _>>()?;
    let client = registry.client()?;
    let pulled = run(cancel, async {
        pull::all(&client, &references, into, &pull::Options::default(), &Progress::hidden()).await
    })??;
    let inputs = pulled.into_iter().zip(uris).map(|(pulled, uri)| {
        log.info(format_args!("pulled {pulled}"));
        Input { uri: uri.clone(), digest: pulled.digest.to_string(), layers: pulled.layers }
    });
    Ok(inputs.collect())
}

/// Pushes a file or directory, and says in the manifest which inputs it was made of. Returns the digest of the manifest.
///
/// # Errors
/// See [`Failure`].
pub fn push(
    registry: &Registry,
    uri: &str,
    path: &Path,
    title: &str,
    unpack: bool,
    inputs: &[Input],
    log: &Log,
) -> Result<String, Failure> {
    let reference = reference(uri)?;
    let client = registry.client()?;
    let what = push::Artifact {
        files: vec![push::Source { path: path.to_owned(), title: title.to_owned() }],
        unpack,
        artifact_type: None,
        annotations: push::provenance(inputs),
        elsewhere: push::elsewhere(inputs),
    };
    // A push is not given up: what is half done would have been in vain.
    let pushed = run(&Cancel::default(), async {
        push::artifact(&client, &reference, what, &Progress::hidden()).await
    })??;
    log.info(format_args!("pushed {pushed}"));
    Ok(pushed.digest.to_string())
}
