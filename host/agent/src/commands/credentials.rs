//! The credentials of the caller of `pull` and `push`.

use clap::Args;
use oci_registry_client::{Credentials, RemoteArtifact, Secret};
use std::io::Read;

/// Credentials. By default, those in ORAS_USER, ORAS_PULL_PASS and ORAS_PUSH_PASS, or of `docker
/// login` and `oras login`.
#[derive(Args, Debug)]
pub struct LoginArgs {
    /// User name.
    #[arg(long, requires = "password_stdin")]
    username: Option<String>,
    /// Reads the password or token from standard input, so that it is in no list of processes.
    #[arg(long, requires = "username")]
    password_stdin: bool,
}

impl LoginArgs {
    /// The credentials for an artifact.
    ///
    /// # Errors
    /// A sentence, when there are credentials that cannot be used.
    pub fn credentials(&self, remote: &RemoteArtifact) -> Result<Credentials, String> {
        let Some(user) = &self.username else {
            return Credentials::stored(&remote.endpoint, &remote.reference.repository);
        };
        let mut password = String::new();
        std::io::stdin()
            .read_to_string(&mut password)
            .map_err(|error| format!("the password cannot be read from standard input: {error}"))?;
        let password = password.trim_end_matches(['\r', '\n']).to_owned();
        Ok(Credentials::both(Secret::Password(user.clone(), password)))
    }
}
