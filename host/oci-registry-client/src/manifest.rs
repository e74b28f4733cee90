//! Manifests as ORAS writes and reads them (OCI image-spec 1.1, image manifest).

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::digest::Digest;
use crate::error::Error;

/// Media types.
pub mod media_type {
    /// An image manifest; artifacts use it too.
    pub const MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";
    /// A list of manifests.
    pub const INDEX: &str = "application/vnd.oci.image.index.v1+json";
    /// As [`MANIFEST`], by Docker.
    pub const DOCKER_MANIFEST: &str = "application/vnd.docker.distribution.manifest.v2+json";
    /// As [`INDEX`], by Docker.
    pub const DOCKER_LIST: &str = "application/vnd.docker.distribution.manifest.list.v2+json";
    /// The content `{}`.
    pub const EMPTY: &str = "application/vnd.oci.empty.v1+json";
    /// Artifact type where nobody names one, as ORAS does.
    pub const UNKNOWN_ARTIFACT: &str = "application/vnd.unknown.artifact.v1";
}

/// The content that [`media_type::EMPTY`] stands for.
pub const EMPTY_CONFIG: &[u8] = b"{}";

/// Points to content.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Descriptor {
    /// What the content is.
    pub media_type: String,
    /// Its digest.
    pub digest: String,
    /// Its size in bytes.
    pub size: u64,
    /// Annotations, such as the file's name.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub annotations: BTreeMap<String, String>,
}

impl Descriptor {
    /// The digest, checked.
    ///
    /// # Errors
    /// When it is not a digest that can be verified here.
    pub fn checked_digest(&self) -> Result<Digest, Error> {
        Digest::parse(&self.digest).ok_or_else(|| {
            let what = format!("the descriptor of {}", self.media_type);
            Error::protocol(&what, format!("\"{}\" is no digest that can be verified", self.digest))
        })
    }
}

/// An artifact.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Manifest {
    /// Always 2.
    pub schema_version: u32,
    /// What this manifest is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub media_type: Option<String>,
    /// What the artifact is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub artifact_type: Option<String>,
    /// Configuration.
    pub config: Descriptor,
    /// Contents.
    #[serde(default)]
    pub layers: Vec<Descriptor>,
    /// Annotations.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub annotations: BTreeMap<String, String>,
}

impl Manifest {
    /// An artifact of layers without a configuration. Nothing in it depends on when it was made, so that equal contents have
    /// equal digests.
    pub fn of_layers(
        artifact_type: &str,
        layers: Vec<Descriptor>,
        annotations: BTreeMap<String, String>,
    ) -> Self {
        Manifest {
            schema_version: 2,
            media_type: Some(media_type::MANIFEST.to_owned()),
            artifact_type: Some(artifact_type.to_owned()),
            config: Descriptor {
                media_type: media_type::EMPTY.to_owned(),
                digest: Digest::of(EMPTY_CONFIG).to_string(),
                size: EMPTY_CONFIG.len() as u64,
                annotations: BTreeMap::new(),
            },
            layers,
            annotations,
        }
    }

    /// Reads a manifest from a registry.
    ///
    /// # Errors
    /// When it is none, or a list of manifests.
    pub fn parse(what: &str, content_type: &str, bytes: &[u8]) -> Result<Self, Error> {
        let is_list = |name: &str| matches!(name, media_type::INDEX | media_type::DOCKER_LIST);
        let wrong =
            |error: serde_json::Error| Error::protocol(what, format!("its manifest cannot be read: {error}"));
        let value: serde_json::Value = serde_json::from_slice(bytes).map_err(wrong)?;
        let named = value.get("mediaType").and_then(serde_json::Value::as_str).unwrap_or(content_type);
        if is_list(named) || value.get("manifests").is_some() {
            return Err(Error::protocol(
                what,
                "it is an index of several manifests: name one of them by its digest",
            ));
        }
        serde_json::from_value(value).map_err(wrong)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_and_rubbish_are_refused() {
        let index = br#"{"schemaVersion":2,"manifests":[]}"#;
        let error = Manifest::parse("a:1", media_type::INDEX, index).unwrap_err().to_string();
        assert!(error.contains("index of several manifests"), "{error}");
        let error = Manifest::parse("a:1", media_type::MANIFEST, b"<html>").unwrap_err().to_string();
        assert!(error.starts_with("a:1: its manifest cannot be read"), "{error}");
    }

    #[test]
    fn the_empty_configuration_is_that_of_the_specification() {
        // image-spec 1.1, "Guidance for an Empty Descriptor".
        let manifest = Manifest::of_layers(media_type::UNKNOWN_ARTIFACT, Vec::new(), BTreeMap::new());
        assert_eq!(
            manifest.config.digest,
            "sha256:44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a"
        );
        let text = serde_json::to_string(&manifest).unwrap();
        assert_eq!(Manifest::parse("x", "", text.as_bytes()).unwrap(), manifest);
    }
}
