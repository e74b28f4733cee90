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
    /// Who issues the certificate.
    pub(crate) issuer: Option<Issuer<'a>>,
    /// Where the authorities are.
    pub(crate) ca: Option<&'a str>,
}

/// `spec.tls.issuerRef`: an issuer of cert-manager.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Issuer<'a> {
    pub(crate) name: &'a str,
    kind: Option<&'a str>,
    group: Option<&'a str>,
}

// The defaults are those of the CRD's schema, for clusters whose CRD is older than this guest.
impl<'a> Issuer<'a> {
    pub(crate) fn kind(&self) -> &'a str {
        self.kind.unwrap_or("Issuer")
    }

    pub(crate) fn group(&self) -> &'a str {
        self.group.unwrap_or("cert-manager.io")
    }
}

impl<'a> Tls<'a> {
    pub(crate) fn read(tls: Fields<'a>) -> Result<Self, Error> {
        let issuer = match tls.object("issuerRef", "spec.tls.issuerRef")? {
            Some(issuer) => Some(Issuer {
                name: issuer.required_text("name")?,
                kind: issuer.text("kind")?,
                group: issuer.text("group")?,
            }),
            None => None,
        };
        Ok(Tls { secret_name: tls.text("secretName")?, issuer, ca: tls.text("ca")? })
    }

    /// Whether the operator makes the certificate.
    pub(crate) fn is_generated(&self) -> bool {
        self.secret_name.is_none() && self.issuer.is_none()
    }

    /// The Secret with the certificate and its key: the one that is named, the one that
    /// cert-manager fills, or the one that is generated. The last two have names of their own,
    /// since nobody may replace the other's.
    pub(crate) fn secret(&self, metadata: &Metadata<'a>) -> Cow<'a, str> {
        match (self.secret_name, self.issuer) {
            (Some(name), _) => name.into(),
            (None, Some(_)) => format!("{}-issued-tls", metadata.name).into(),
            (None, None) => generated_certificate(metadata).into(),
        }
    }
}

/// Name of the Secret with a generated certificate.
pub(crate) fn generated_certificate(metadata: &Metadata<'_>) -> String {
    format!("{}-tls", metadata.name)
}
