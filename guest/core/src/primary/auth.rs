//! `spec.auth`: the accounts of a registry.

use super::Metadata;
use crate::fields::Fields;
use orascache_contract::Error;
use std::borrow::Cow;

/// `spec.auth`.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Auth<'a> {
    /// Secret with the htpasswd file of accounts that exist.
    pub(crate) htpasswd_secret: Option<&'a str>,
    /// Secret with one of these accounts, for steps.
    pub(crate) credentials_secret: Option<&'a str>,
    /// How old a generated account gets.
    pub(crate) rotate_after: Option<&'a str>,
}

impl<'a> Auth<'a> {
    pub(crate) fn read(auth: Fields<'a>) -> Result<Self, Error> {
        Ok(Auth {
            htpasswd_secret: auth.text("htpasswdSecret")?,
            credentials_secret: auth.text("credentialsSecret")?,
            rotate_after: auth.text("rotateAfter")?,
        })
    }

    /// Whether the account is generated.
    pub(crate) fn is_generated(&self) -> bool {
        self.htpasswd_secret.is_none()
    }

    /// The Secret with the htpasswd file.
    pub(crate) fn accounts(&self, metadata: &Metadata<'a>) -> Cow<'a, str> {
        match self.htpasswd_secret {
            Some(name) => name.into(),
            None => generated_accounts(metadata).into(),
        }
    }
}

/// Name of the Secret with a generated account.
pub(crate) fn generated_accounts(metadata: &Metadata<'_>) -> String {
    format!("{}-account", metadata.name)
}
