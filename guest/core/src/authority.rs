//! The authority of a private registry: a key of a ConfigMap or a Secret in the namespace of the
//! pod, which the container that connects to the registry mounts.

use crate::findings::Findings;
use crate::json::Json;
use crate::names;
use crate::primary::{Metadata, SYSTEM, Tls};
use orascache_api::steps::{
    ANNOTATION_PREFIX as PREFIX, AUTHORITY_DIRECTORY, AUTHORITY_FILE, AUTHORITY_VOLUME,
};
use std::borrow::Cow;

/// Key of the authority in a Secret with a certificate, as cert-manager and the operator write it.
const TLS_KEY: &str = "ca.crt";

/// Mode of the file: everybody may read certificates.
const MODE: i64 = 0o444;

/// Where the certificates come from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Authority<'a> {
    source: Source,
    name: Cow<'a, str>,
    key: &'a str,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Source {
    ConfigMap,
    Secret,
}

impl<'a> Authority<'a> {
    /// Reads the value of an annotation. Messages do not repeat the text: refusals name no Secret.
    pub(crate) fn read(annotation: &str, text: &'a str, findings: &mut Findings) -> Option<Self> {
        let authority = Self::parse(text);
        if authority.is_none() {
            findings.refuse(format!(
                "{PREFIX}{annotation} does not name a key with certificates: write configmap/NAME/KEY or secret/NAME/KEY, of the same namespace"
            ));
        }
        authority
    }

    /// Reads `configmap/NAME/KEY` or `secret/NAME/KEY`.
    pub(crate) fn parse(text: &'a str) -> Option<Self> {
        let mut parts = text.splitn(3, '/');
        let source = match parts.next() {
            Some("configmap") => Source::ConfigMap,
            Some("secret") => Source::Secret,
            _ => return None,
        };
        let name = parts.next().filter(|name| names::is_subdomain(name))?.into();
        let key = parts.next().filter(|key| names::is_data_key(key))?;
        Some(Authority { source, name, key })
    }

    /// The authority of a cache's registry; `None` where it is a public one. Of the Secret with the
    /// certificate, steps get the authority alone, and never the key.
    pub(crate) fn of_cache(tls: &Tls<'a>, metadata: &Metadata<'a>) -> Option<Self> {
        match tls.ca {
            Some(SYSTEM) => None,
            Some(text) => Self::parse(text),
            None => Some(Authority { source: Source::Secret, name: tls.secret(metadata), key: TLS_KEY }),
        }
    }

    /// The volume with the certificates as one file.
    pub(crate) fn volume(&self) -> Json<'a> {
        let item = Json::object([("key", Some(self.key.into())), ("path", Some(AUTHORITY_FILE.into()))]);
        let items = Some(Json::Array(vec![item]));
        let mode = Some(MODE.into());
        let (config_map, secret) = match self.source {
            Source::ConfigMap => (
                Some(Json::object([
                    ("name", Some(self.name.clone().into())),
                    ("items", items),
                    ("defaultMode", mode),
                ])),
                None,
            ),
            Source::Secret => (
                None,
                Some(Json::object([
                    ("secretName", Some(self.name.clone().into())),
                    ("items", items),
                    ("defaultMode", mode),
                ])),
            ),
        };
        Json::object([("name", Some(AUTHORITY_VOLUME.into())), ("configMap", config_map), ("secret", secret)])
    }

    /// The mount of that volume.
    pub(crate) fn mount() -> Json<'a> {
        Json::object([
            ("name", Some(AUTHORITY_VOLUME.into())),
            ("mountPath", Some(AUTHORITY_DIRECTORY.into())),
            ("readOnly", Some(true.into())),
        ])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_whole_places_are_authorities() {
        let read = |text| {
            let mut findings = Findings::default();
            let authority = Authority::read("registry-ca", text, &mut findings);
            assert_eq!(authority.is_none(), findings.problems.len() == 1, "{text}");
            assert!(findings.problems.iter().all(|problem| !problem.contains("hidden")), "{findings:?}");
            authority
        };
        for (text, source) in
            [("configmap/lab-ca/ca.crt", Source::ConfigMap), ("secret/lab-ca/ca.crt", Source::Secret)]
        {
            assert_eq!(read(text), Some(Authority { source, name: "lab-ca".into(), key: "ca.crt" }));
        }
        for text in [
            "hidden",
            "secret/hidden",
            "secret/hidden/",
            "secret/Hidden/a",
            "secret//hidden",
            "Secret/hidden/a",
            "pod/hidden/a",
            "secret/hidden/a/b",
            "secret/hidden/..",
            "secret/hidden/a b",
        ] {
            assert_eq!(read(text), None, "{text}");
        }
    }
}
