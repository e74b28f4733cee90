//! The two registries of a copy.

use super::args::CopyArgs;
use super::pairs::{Pair, What};
use crate::work::Access;
use oci_registry_client::Client;

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
        let (work, authority) = (&arguments.work, |flag, file| Some((flag, Option::as_deref(file)?)));
        let of_source = Access {
            credentials: arguments.source_credentials.as_deref(),
            authority: authority("--source-ca-file", &arguments.source_ca_file),
        };
        let of_destination = Access {
            credentials: arguments.destination_credentials.as_deref(),
            authority: authority("--destination-ca-file", &arguments.destination_ca_file),
        };
        Ok(Sides {
            source: work.client(&pair.from, from, of_source)?,
            destination: work.client(&pair.to, to, of_destination)?,
            are_one: pair.from == pair.to,
        })
    }
}
