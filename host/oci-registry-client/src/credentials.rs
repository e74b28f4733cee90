//! The credentials that a registry gets.

use std::fmt;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use hyper::header::HeaderValue;

use crate::access::Action;

/// A proof of identity. `Debug` never shows it.
#[derive(Clone, PartialEq, Eq)]
pub enum Secret {
    /// A user, and a password or access token.
    Password(String, String),
    /// An identity token of a token service, as `docker login` stores it.
    Identity(String),
}

impl Secret {
    /// The `Authorization` header of HTTP Basic authentication (RFC 7617). None for an identity
    /// token.
    pub(crate) fn basic(&self) -> Option<HeaderValue> {
        let Secret::Password(user, password) = self else { return None };
        let encoded = STANDARD.encode(format!("{user}:{password}"));
        let mut value = HeaderValue::from_str(&format!("Basic {encoded}")).ok()?;
        value.set_sensitive(true);
        Some(value)
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Secret::Password(..) => "Password(..)",
            Secret::Identity(_) => "Identity(..)",
        })
    }
}

/// The credentials for one registry. Requests without a secret are anonymous.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Credentials {
    /// For reading.
    pub pull: Option<Secret>,
    /// For writing and deleting, and for reading the repository that is written.
    pub push: Option<Secret>,
}

impl Credentials {
    /// The same secret for reading and for writing.
    pub fn both(secret: Secret) -> Self {
        Credentials { pull: Some(secret.clone()), push: Some(secret) }
    }

    pub(crate) fn of(&self, action: Action) -> Option<&Secret> {
        match action {
            Action::Pull => self.pull.as_ref(),
            Action::Push | Action::Delete => self.push.as_ref(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn debug_output_shows_no_password() {
        let secret = Secret::Password("user".to_owned(), "hunter2".to_owned());
        assert!(!format!("{:?}", Credentials::both(secret.clone())).contains("hunter2"));
        assert!(!format!("{:?}", secret.basic()).contains("dXNlcj"));
    }

    #[test]
    fn basic_authentication_is_encoded_as_in_rfc_7617() {
        let secret = Secret::Password("user".to_owned(), "hunter2".to_owned());
        assert_eq!(secret.basic().unwrap(), "Basic dXNlcjpodW50ZXIy");
        assert_eq!(Secret::Identity("token".to_owned()).basic(), None);
    }
}
