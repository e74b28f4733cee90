//! Manifests as ORAS writes and reads them (OCI image-spec 1.1, "Image Manifest").

use std::collections::BTreeMap;

use serde::{Deserialize, Deserializer, Serialize};

use crate::digest::Digest;
use crate::error::Error;

/// Media types of manifests and their parts (OCI image-spec, "Media Types", where nothing else is
/// said).
pub mod media_type {
    /// An image manifest, which artifacts use too.
    pub const MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";
    /// A list of manifests.
    pub const INDEX: &str = "application/vnd.oci.image.index.v1+json";
    /// An image manifest of Docker (distribution, "Image Manifest V 2, Schema 2").
    pub const DOCKER_MANIFEST: &str = "application/vnd.docker.distribution.manifest.v2+json";
    /// A list of manifests of Docker (as [`DOCKER_MANIFEST`]).
    pub const DOCKER_LIST: &str = "application/vnd.docker.distribution.manifest.list.v2+json";
    /// An artifact manifest, which ORAS wrote before version 1.0 (a release candidate of OCI
    /// image-spec 1.1).
    pub const ARTIFACT_MANIFEST: &str = "application/vnd.oci.artifact.manifest.v1+json";
    /// The content `{}`.
    pub const EMPTY: &str = "application/vnd.oci.empty.v1+json";
    /// The artifact type that ORAS writes where none is given.
    pub const UNKNOWN_ARTIFACT: &str = "application/vnd.unknown.artifact.v1";
}

/// The content of media type [`media_type::EMPTY`].
pub const EMPTY_CONFIG: &[u8] = b"{}";

/// A pointer to content (OCI image-spec, "Descriptor"). Parts that are missing or null become
/// empty.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Descriptor {
    /// Media type of the content.
    #[serde(default, deserialize_with = "null_as_default")]
    pub media_type: String,
    /// Digest of the content.
    #[serde(default, deserialize_with = "null_as_default")]
    pub digest: String,
    /// Size of the content, in bytes.
    #[serde(default, deserialize_with = "null_as_default")]
    pub size: u64,
    /// Annotations, such as the name of a file.
    #[serde(default, deserialize_with = "annotations", skip_serializing_if = "BTreeMap::is_empty")]
    pub annotations: BTreeMap<String, String>,
}

impl Descriptor {
    /// The digest, checked.
    ///
    /// # Errors
    /// When it is not a digest that this client can verify.
    pub fn checked_digest(&self) -> Result<Digest, Error> {
        Digest::parse(&self.digest).ok_or_else(|| {
            let what = format!("the descriptor of {}", self.media_type);
            Error::protocol(&what, format!("\"{}\" is no digest that can be verified", self.digest))
        })
    }
}

/// The manifest of an artifact (OCI image-spec, "Image Manifest"). Parts that are missing or null
/// become empty.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Manifest {
    /// Always 2 in manifests that are written here. Manifests of type
    /// [`media_type::ARTIFACT_MANIFEST`] have none.
    #[serde(default)]
    pub schema_version: u32,
    /// Media type of this manifest.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub media_type: Option<String>,
    /// What kind of artifact this is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub artifact_type: Option<String>,
    /// The configuration. Manifests of type [`media_type::ARTIFACT_MANIFEST`] have none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub config: Option<Descriptor>,
    /// The contents. Manifests of type [`media_type::ARTIFACT_MANIFEST`] call them `blobs`.
    #[serde(default, alias = "blobs", deserialize_with = "null_as_default")]
    pub layers: Vec<Descriptor>,
    /// The manifest that this one refers to, as a signature refers to what it signs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub subject: Option<Descriptor>,
    /// Annotations.
    #[serde(default, deserialize_with = "annotations", skip_serializing_if = "BTreeMap::is_empty")]
    pub annotations: BTreeMap<String, String>,
}

/// Some clients write null where they have nothing to say.
pub(crate) fn null_as_default<'de, D, T>(deserializer: D) -> Result<T, D::Error>
where
    D: Deserializer<'de>,
    T: Default + Deserialize<'de>,
{
    Option::<T>::deserialize(deserializer).map(Option::unwrap_or_default)
}

/// Annotations, of which those that are null are left out.
pub(crate) fn annotations<'de, D>(deserializer: D) -> Result<BTreeMap<String, String>, D::Error>
where
    D: Deserializer<'de>,
{
    let all = Option::<BTreeMap<String, Option<String>>>::deserialize(deserializer)?.unwrap_or_default();
    Ok(all.into_iter().filter_map(|(name, value)| Some((name, value?))).collect())
}

impl Manifest {
    /// The manifest of an artifact that has layers and no configuration. It holds no time, so that
    /// equal contents have equal digests.
    ///
    /// ```
    /// use oci_registry_client::{Manifest, media_type};
    ///
    /// let manifest = Manifest::of_layers(media_type::UNKNOWN_ARTIFACT, Vec::new(), Default::default());
    /// let text = serde_json::to_string(&manifest).unwrap();
    /// assert_eq!(Manifest::parse("a:1", media_type::MANIFEST, text.as_bytes()).unwrap(), manifest);
    /// ```
    pub fn of_layers(
        artifact_type: &str,
        layers: Vec<Descriptor>,
        annotations: BTreeMap<String, String>,
    ) -> Self {
        Manifest {
            schema_version: 2,
            media_type: Some(media_type::MANIFEST.to_owned()),
            artifact_type: Some(artifact_type.to_owned()),
            config: Some(Descriptor {
                media_type: media_type::EMPTY.to_owned(),
                digest: Digest::of(EMPTY_CONFIG).to_string(),
                size: EMPTY_CONFIG.len() as u64,
                annotations: BTreeMap::new(),
            }),
            layers,
            subject: None,
            annotations,
        }
    }

    /// Reads a manifest from a registry. `what` names it in errors; `content_type` is the type that
    /// the registry says.
    ///
    /// # Errors
    /// When the bytes are no manifest, or a list of manifests.
    pub fn parse(what: &str, content_type: &str, bytes: &[u8]) -> Result<Self, Error> {
        let is_list = |name: &str| matches!(name, media_type::INDEX | media_type::DOCKER_LIST);
        let wrong =
            |error: serde_json::Error| Error::protocol(what, format!("its manifest cannot be read: {error}"));
        let value: serde_json::Value = serde_json::from_slice(bytes).map_err(wrong)?;
        if !value.is_object() {
            return Err(Error::protocol(what, "its manifest cannot be read: it is no JSON object"));
        }
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
    fn lists_and_other_content_are_refused() {
        let index = br#"{"schemaVersion":2,"manifests":[]}"#;
        let error = Manifest::parse("a:1", media_type::INDEX, index).unwrap_err().to_string();
        assert!(error.contains("index of several manifests"), "{error}");
        for content in [&b"<html>"[..], b"[]", b"null", br#"{"layers":1}"#] {
            let error = Manifest::parse("a:1", media_type::MANIFEST, content).unwrap_err().to_string();
            assert!(error.starts_with("a:1: its manifest cannot be read"), "{error}");
        }
    }

    #[test]
    fn missing_and_null_parts_are_empty() {
        let layer = r#"{"digest":"sha256:1","size":2,"mediaType":null,"annotations":null}"#;
        for text in [
            format!(r#"{{"schemaVersion":2,"config":null,"annotations":null,"layers":[{layer}]}}"#),
            format!(r#"{{"layers":[{layer}],"annotations":{{"a":null}}}}"#),
        ] {
            let manifest = Manifest::parse("a:1", "", text.as_bytes()).unwrap();
            assert_eq!((manifest.config, manifest.annotations.len()), (None, 0));
            assert_eq!(manifest.layers.first().unwrap().digest, "sha256:1");
        }
        let empty = Manifest::parse("a:1", "", br#"{"schemaVersion":2,"layers":null}"#).unwrap();
        assert!(empty.layers.is_empty());
    }

    #[test]
    fn blobs_of_an_artifact_manifest_are_its_layers() {
        let text = r#"{"mediaType":"application/vnd.oci.artifact.manifest.v1+json","artifactType":"x","blobs":[{"mediaType":"y","digest":"sha256:1","size":2}]}"#;
        let manifest = Manifest::parse("a:1", media_type::ARTIFACT_MANIFEST, text.as_bytes()).unwrap();
        assert_eq!(manifest.layers.first().unwrap().media_type, "y");
    }

    #[test]
    fn the_empty_configuration_is_that_of_the_specification() {
        // image-spec 1.1, "Guidance for an Empty Descriptor".
        let manifest = Manifest::of_layers(media_type::UNKNOWN_ARTIFACT, Vec::new(), BTreeMap::new());
        assert_eq!(
            manifest.config.as_ref().unwrap().digest,
            "sha256:44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a"
        );
        let text = serde_json::to_string(&manifest).unwrap();
        assert_eq!(Manifest::parse("x", "", text.as_bytes()).unwrap(), manifest);
    }
}
