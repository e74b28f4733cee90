//! What can be chosen about an installation.

use crate::names::NAMESPACE;
use orascache_api::steps::DEFAULT_AGENT_IMAGE;

/// Who looks after the certificate of the webhook.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Certificates {
    /// The operator itself: it issues, rotates and publishes.
    #[default]
    Managed,
    /// cert-manager (cert-manager.io): it issues and rotates into a mounted Secret, and publishes.
    CertManager,
}

/// What can be chosen about an installation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    /// Image of the operator; init containers that are injected into pods run it too.
    pub image: String,
    /// Namespace of the operator.
    pub namespace: String,
    /// How many pods serve reviews. One of them writes, the others stand by.
    pub replicas: u16,
    /// Who looks after the certificate of the webhook.
    pub certificates: Certificates,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            image: DEFAULT_AGENT_IMAGE.to_owned(),
            namespace: NAMESPACE.to_owned(),
            replicas: 2,
            certificates: Certificates::default(),
        }
    }
}

/// Why there is no installation of that kind.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Not a name that a Namespace can have (RFC 1123 label).
    #[error(
        "\"{0}\" cannot name a namespace: use at most 63 lower case letters, digits and '-', with a letter or digit at both ends"
    )]
    Namespace(String),
    /// The webhook must not see pods of this namespace, so that the operator cannot live where users do.
    #[error(
        "the operator cannot be installed in {0}: pods in its namespace are not reviewed; use one of its own, such as orascache-system"
    )]
    SharedNamespace(String),
    /// No image, or one with spaces.
    #[error("\"{0}\" is no image: write a reference such as ghcr.io/converged-computing/orascache:1.0.0")]
    Image(String),
    /// No replica would ever answer a review.
    #[error(
        "replicas is 0: annotated pods would be refused until somebody answers their reviews; use 1 or more, 2 to survive the loss of a node"
    )]
    Replicas,
    /// An object has no YAML form.
    #[error("{what} cannot be written as YAML: {why}")]
    Render {
        /// The file or object.
        what: String,
        /// The serializer's message.
        why: String,
    },
}

impl Settings {
    /// Checks what the API server would otherwise refuse halfway through an installation.
    ///
    /// # Errors
    /// A sentence about the first setting that cannot be used.
    pub fn check(&self) -> Result<(), Error> {
        if !is_dns_label(&self.namespace) {
            return Err(Error::Namespace(self.namespace.clone()));
        }
        if self.namespace == "default" {
            return Err(Error::SharedNamespace(self.namespace.clone()));
        }
        if self.image.is_empty() || self.image.chars().any(|c| c.is_whitespace() || c.is_control()) {
            return Err(Error::Image(self.image.clone()));
        }
        if self.replicas == 0 {
            return Err(Error::Replicas);
        }
        Ok(())
    }
}

fn is_dns_label(name: &str) -> bool {
    let inside = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
    (1..=63).contains(&name.len())
        && name.chars().all(inside)
        && !name.starts_with('-')
        && !name.ends_with('-')
}

#[cfg(test)]
mod tests {
    use super::{Error, Settings};

    fn checked(change: impl FnOnce(&mut Settings)) -> Result<(), Error> {
        let mut settings = Settings::default();
        change(&mut settings);
        settings.check()
    }

    #[test]
    fn what_the_api_server_would_refuse() {
        assert!(checked(|_| {}).is_ok());
        assert!(checked(|settings| settings.namespace = "team-1".to_owned()).is_ok());
        for name in ["", "-a", "a-", "A", "a.b", "a b", &"a".repeat(64)] {
            let refused = checked(|settings| settings.namespace = name.to_owned());
            assert!(matches!(refused, Err(Error::Namespace(_))), "{name}");
        }
        assert!(matches!(
            checked(|settings| settings.namespace = "default".to_owned()),
            Err(Error::SharedNamespace(_))
        ));
        for image in ["", "a b", "a\n"] {
            let refused = checked(|settings| settings.image = image.to_owned());
            assert!(matches!(refused, Err(Error::Image(_))), "{image:?}");
        }
        assert!(matches!(checked(|settings| settings.replicas = 0), Err(Error::Replicas)));
    }
}
