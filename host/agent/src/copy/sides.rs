//! The two registries of a copy.

use super::args::CopyArgs;
use super::pairs::{Pair, What};
use oci_registry_client::{Client, Credentials, Endpoint, TransferPolicy};
use std::path::Path;
use std::time::Duration;

/// The registry that is read, and the one that is written.
pub struct Sides {
    /// The source.
    pub source: Client,
    /// The destination.
    pub destination: Client,
    /// Whether they are one registry, so that blobs need not be sent.
    pub are_one: bool,
}

impl Sides {
    /// The registries of a pair, with their credentials.
    ///
    /// # Errors
    /// A sentence, where credentials or certificates cannot be used.
    pub fn of(pair: &Pair, arguments: &CopyArgs) -> Result<Self, String> {
        let (from, to) = match &pair.what {
            What::Artifact { from, to } => (from.repository.as_str(), to.repository.as_str()),
            What::Tags { from, to } => (from.path.as_str(), to.as_str()),
        };
        let network = arguments.network.network(|name| std::env::var_os(name))?;
        let policy = TransferPolicy::patient(Duration::from_secs(arguments.patience.into()));
        let client = |endpoint: &Endpoint, directory: Option<&Path>, repository: &str| {
            let credentials = match directory {
                Some(directory) => Credentials::of_secret(directory, endpoint, repository)?,
                None => Credentials::of_docker_config(endpoint, repository)?,
            };
            Ok::<_, String>(Client::with_network(endpoint.clone(), credentials, policy, network.clone()))
        };
        Ok(Sides {
            source: client(&pair.from, arguments.source_credentials.as_deref(), from)?,
            destination: client(&pair.to, arguments.destination_credentials.as_deref(), to)?,
            are_one: pair.from == pair.to,
        })
    }
}
