//! Who a person is to a registry.

use clap::Args;
use oci_registry_client::{Credentials, Endpoint, Secret};
use std::io::Read;

/// Credentials; otherwise those of ORAS_USER with ORAS_PULL_PASS and ORAS_PUSH_PASS, or of `docker login` and `oras login`.
#[derive(Args, Debug)]
pub struct Login {
    /// User name.
    #[arg(long, requires = "password_stdin")]
    username: Option<String>,
    /// Reads the password or token from standard input, so that it shows up nowhere.
    #[arg(long, requires = "username")]
    password_stdin: bool,
}

impl Login {
    /// Credentials for a registry.
    ///
    /// # Errors
    /// A sentence, when there are some that cannot be used.
    pub fn credentials(&self, endpoint: &Endpoint) -> Result<Credentials, String> {
        if let Some(user) = &self.username {
            let mut password = String::new();
            std::io::stdin()
                .read_to_string(&mut password)
                .map_err(|error| format!("the password cannot be read from standard input: {error}"))?;
            let password = password.trim_end_matches(['\r', '\n']).to_owned();
            return Ok(Credentials::both(Secret::Password(user.clone(), password)));
        }
        Credentials::stored(endpoint)
    }
}
