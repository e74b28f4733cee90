//! What the commands that Jobs run (`copy` and `prune`) have in common: their patience, their
//! connections, and how they end.

use crate::commands;
use crate::log::Log;
use crate::network::NetworkArgs;
use crate::step_args::DEFAULT_TERMINATION_MESSAGE;
use crate::termination;
use crate::transfer::TransferFailure;
use clap::Args;
use oci_registry_client::{Client, Credentials, Endpoint, TransferPolicy};
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

impl WorkArgs {
    /// A client for a repository, or for the repositories below a path. Without a directory of
    /// credentials those of `docker login` count.
    ///
    /// # Errors
    /// A sentence, where credentials or certificates cannot be used.
    pub fn client(
        &self,
        endpoint: &Endpoint,
        path: &str,
        credentials: Option<&Path>,
    ) -> Result<Client, String> {
        let network = self.network.network(|name| std::env::var_os(name))?;
        let policy = TransferPolicy::patient(Duration::from_secs(self.patience.into()));
        let Some(directory) = credentials else {
            let credentials = Credentials::of_docker_config(endpoint, path)?;
            return Ok(Client::with_network(endpoint.clone(), credentials, policy, network));
        };
        // The account may be replaced while the Job runs.
        let (directory, asked, path) = (directory.to_owned(), endpoint.clone(), path.to_owned());
        let read = move || Credentials::of_secret(&directory, &asked, &path);
        Client::rereading(endpoint.clone(), read, policy, network)
    }

    /// Says what was done, also in the termination message. Returns the exit code.
    pub fn finish(&self, done: Result<String, TransferFailure>, log: &Log) -> u8 {
        if let Ok(sentence) | Err(TransferFailure::BadRequest(sentence) | TransferFailure::Failed(sentence)) =
            &done
        {
            termination::write(&self.termination_message, sentence.trim_end(), log);
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
