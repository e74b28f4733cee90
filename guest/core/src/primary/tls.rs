//! `spec.tls`: the certificate of a registry, and its authority.

use super::Metadata;
use crate::fields::Fields;
use orascache_contract::Error;
use std::borrow::Cow;

/// Value of `ca` where a public authority signed the certificate.
pub(crate) const SYSTEM: &str = "system";

/// `spec.tls`.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Tls<'a> {
    /// Secret with a certificate that exists.
    pub(crate) secret_name: Option<&'a str>,
    /// Where the authorities are.
    pub(crate) ca: Option<&'a str>,
}

impl<'a> Tls<'a> {
    pub(crate) fn read(tls: Fields<'a>) -> Result<Self, Error> {
        Ok(Tls { secret_name: tls.text("secretName")?, ca: tls.text("ca")? })
    }

    /// The Secret with the certificate and its key: the one that is named, or the one that is
    /// generated.
    pub(crate) fn secret(&self, metadata: &Metadata<'a>) -> Cow<'a, str> {
        match self.secret_name {
            Some(name) => name.into(),
            None => generated_certificate(metadata).into(),
        }
    }
}

/// Name of the Secret with a generated certificate.
pub(crate) fn generated_certificate(metadata: &Metadata<'_>) -> String {
    format!("{}-tls", metadata.name)
}
