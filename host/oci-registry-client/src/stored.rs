//! Credentials that were stored for people: in environment variables, or by `docker login` and `oras login`.

use docker_credential::{CredentialRetrievalError, DockerCredential};
use orascache_api::steps::env;

use crate::auth::{Credentials, Secret};
use crate::endpoint::Endpoint;

/// Docker Hub is known by this name to `docker login`.
const DOCKER_HUB: &str = "https://index.docker.io/v1/";

impl Credentials {
    /// Those of ORAS_USER with ORAS_PULL_PASS and ORAS_PUSH_PASS, or else of Docker's configuration; none where there are none.
    ///
    /// # Errors
    /// A sentence, when there are some that cannot be used.
    pub fn stored(endpoint: &Endpoint) -> Result<Self, String> {
        let found = of_environment(|name| std::env::var(name).ok());
        if found != Credentials::default() {
            return Ok(found);
        }
        of_docker(&endpoint.host())
    }
}

fn of_environment(variable: impl Fn(&str) -> Option<String>) -> Credentials {
    let Some(user) = variable(env::USER) else { return Credentials::default() };
    let secret = |name| variable(name).map(|password| Secret::Password(user.clone(), password));
    Credentials { pull: secret(env::PULL_PASSWORD), push: secret(env::PUSH_PASSWORD) }
}

fn of_docker(host: &str) -> Result<Credentials, String> {
    let server = match host {
        "docker.io" | "registry-1.docker.io" => DOCKER_HUB,
        host => host,
    };
    match docker_credential::get_credential(server) {
        Ok(DockerCredential::UsernamePassword(user, password)) => {
            Ok(Credentials::both(Secret::Password(user, password)))
        }
        Ok(DockerCredential::IdentityToken(token)) => Ok(Credentials::both(Secret::Identity(token))),
        Err(
            CredentialRetrievalError::ConfigNotFound
            | CredentialRetrievalError::ConfigReadError
            | CredentialRetrievalError::NoCredentialConfigured,
        ) => Ok(Credentials::default()),
        // What a helper printed may be secret.
        Err(CredentialRetrievalError::HelperFailure { helper, .. }) => {
            Err(format!("the credential helper {helper} of Docker's configuration fails for {host}"))
        }
        Err(error) => Err(format!("Docker's configuration holds no usable credentials for {host}: {error}")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_environment_has_a_password_for_each_way() {
        let variable = |name: &str| match name {
            "ORAS_USER" => Some("ann".to_owned()),
            "ORAS_PUSH_PASS" => Some("secret".to_owned()),
            _ => None,
        };
        let found = of_environment(variable);
        assert_eq!(found.pull, None);
        assert_eq!(found.push, Some(Secret::Password("ann".to_owned(), "secret".to_owned())));
        assert_eq!(of_environment(|_| None), Credentials::default());
    }
}
