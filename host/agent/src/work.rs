//! What the commands that Jobs run (`copy` and `prune`) have in common: their patience, their
//! connections, and how they end.

use crate::commands;
use crate::log::Log;
use crate::network::{NetworkArgs, trusting_file};
use crate::step_args::DEFAULT_TERMINATION_MESSAGE;
use crate::termination;
use crate::transfer::TransferFailure;
use clap::Args;
use oci_registry_client::{Client, Credentials, Endpoint, TransferPolicy};
use serde_json::Value;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// The arguments of such a command.
#[derive(Args, Debug)]
pub struct WorkArgs {
    /// A request is given up when nothing was transferred for this number of seconds.
    #[arg(long, value_name = "SECONDS", require_equals = true, default_value_t = 120)]
    patience: u32,
    /// File for the termination message, which says what was done.
    #[arg(long, value_name = "PATH", require_equals = true, default_value = DEFAULT_TERMINATION_MESSAGE)]
    termination_message: PathBuf,
    #[command(flatten)]
    network: NetworkArgs,
}

/// What is known about one registry alone.
#[derive(Clone, Copy, Debug, Default)]
pub struct Access<'a> {
    /// Directory with the credentials. Without it those of `docker login` count.
    pub credentials: Option<&'a Path>,
    /// File with the certificates of authorities that are trusted for this registry, and the flag that
    /// names it.
    pub authority: Option<(&'static str, &'a Path)>,
}

/// How a command ended.
pub struct Ended {
    /// What was done, or why it failed.
    pub done: Result<String, TransferFailure>,
    /// What was done in numbers, as a JSON object. `None` where nothing was begun, or nothing was to be
    /// changed.
    pub numbers: Option<Value>,
}

impl From<TransferFailure> for Ended {
    fn from(failure: TransferFailure) -> Self {
        Ended { done: Err(failure), numbers: None }
    }
}

impl WorkArgs {
    /// A client for a repository, or for the repositories below a path.
    ///
    /// # Errors
    /// A sentence, where credentials or certificates cannot be used.
    pub fn client(&self, endpoint: &Endpoint, path: &str, access: Access<'_>) -> Result<Client, String> {
        let mut network = self.network.network(|name| std::env::var_os(name))?;
        if let Some((flag, file)) = access.authority {
            network = trusting_file(network, flag, file)?;
        }
        let policy = TransferPolicy::patient(Duration::from_secs(self.patience.into())).through_collections();
        let Some(directory) = access.credentials else {
            let credentials = Credentials::of_docker_config(endpoint, path)?;
            return Ok(Client::with_network(endpoint.clone(), credentials, policy, network));
        };
        // The account may be replaced while the Job runs.
        let (directory, asked, path) = (directory.to_owned(), endpoint.clone(), path.to_owned());
        let read = move || Credentials::of_secret(&directory, &asked, &path);
        Client::rereading(endpoint.clone(), read, policy, network)
    }

    /// Says what was done, also in the termination message. Returns the exit code.
    pub fn finish(&self, ended: Ended, log: &Log) -> u8 {
        let Ended { done, numbers } = ended;
        if let Ok(sentence) | Err(TransferFailure::BadRequest(sentence) | TransferFailure::Failed(sentence)) =
            &done
        {
            let (path, sentence) = (&self.termination_message, sentence.trim_end());
            match &numbers {
                Some(numbers) => termination::write_with_numbers(path, sentence, numbers, log),
                None => termination::write(path, sentence, log),
            }
        }
        commands::finish(done)
    }
}

/// Reads a pattern of tags.
///
/// # Errors
/// The rest of a sentence about the argument.
pub fn tag_pattern(text: &str) -> Result<String, String> {
    let is_pattern = orascache_api::pattern::is_tag_pattern(text);
    is_pattern.then(|| text.to_owned()).ok_or_else(|| format!("it {}", orascache_api::pattern::TAG_PATTERN))
}
