//! What a manifest names: blobs, other manifests, and the manifest that it refers to.

use std::collections::BTreeMap;

use serde::Deserialize;

use crate::error::Error;
use crate::manifest::{Descriptor, annotations, null_as_default};
use crate::manifest_transfer::EncodedManifest;

/// The annotation with the time at which an artifact was made (OCI image-spec, "Pre-Defined
/// Annotation Keys").
const CREATED: &str = "org.opencontainers.image.created";

/// What a manifest or an index names.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ManifestLinks {
    /// The configuration and the layers. Layers that no registry may distribute are left out.
    pub blobs: Vec<Descriptor>,
    /// The manifests of an index.
    pub manifests: Vec<Descriptor>,
    /// The manifest that this one refers to.
    pub subject: Option<Descriptor>,
    /// When the artifact was made, as its annotation says.
    pub created: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Parts {
    #[serde(default)]
    config: Option<Descriptor>,
    #[serde(default, alias = "blobs", deserialize_with = "null_as_default")]
    layers: Vec<Descriptor>,
    #[serde(default, deserialize_with = "null_as_default")]
    manifests: Vec<Descriptor>,
    #[serde(default)]
    subject: Option<Descriptor>,
    #[serde(default, deserialize_with = "annotations")]
    annotations: BTreeMap<String, String>,
    #[serde(default)]
    fs_layers: Option<serde::de::IgnoredAny>,
}

impl EncodedManifest {
    /// What the manifest names.
    ///
    /// # Errors
    /// When its bytes are no manifest, or one of Docker's first version, whose blobs no registry
    /// keeps today. `what` names it in the message.
    ///
    /// ```
    /// use oci_registry_client::{EncodedManifest, Manifest, media_type};
    ///
    /// let manifest = Manifest::of_layers(media_type::UNKNOWN_ARTIFACT, Vec::new(), Default::default());
    /// let links = EncodedManifest::of(&manifest).unwrap().links("a:1").unwrap();
    /// assert_eq!((links.blobs.len(), links.manifests.len()), (1, 0), "the configuration");
    /// ```
    pub fn links(&self, what: &str) -> Result<ManifestLinks, Error> {
        // A list would be read as the members in their order.
        if !self.bytes().trim_ascii_start().starts_with(b"{") {
            return Err(Error::protocol(what, "its manifest cannot be read: it is no JSON object"));
        }
        let parts: Parts = serde_json::from_slice(self.bytes())
            .map_err(|error| Error::protocol(what, format!("its manifest cannot be read: {error}")))?;
        if parts.fs_layers.is_some() {
            return Err(Error::protocol(
                what,
                "its manifest is of Docker's first version: pull the image and push it again with a current Docker",
            ));
        }
        let blobs = parts.config.into_iter().chain(parts.layers).filter(|blob| !is_foreign(&blob.media_type));
        Ok(ManifestLinks {
            blobs: blobs.collect(),
            manifests: parts.manifests,
            subject: parts.subject,
            created: parts.annotations.get(CREATED).cloned(),
        })
    }
}

/// Whether a layer is fetched from elsewhere than the registry (OCI image-spec, "Non-Distributable
/// Layers"; distribution, "Image Manifest V 2, Schema 2").
fn is_foreign(media_type: &str) -> bool {
    media_type.contains(".nondistributable.") || media_type.contains(".foreign.")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::media_type;

    fn links(text: &str) -> Result<ManifestLinks, Error> {
        EncodedManifest::of_bytes(text.as_bytes().to_vec(), media_type::MANIFEST).links("a:1")
    }

    #[test]
    fn blobs_manifests_and_subject_are_told_apart() {
        let found = links(
            r#"{"config":{"digest":"c"},"layers":[{"digest":"l"},{"digest":"f","mediaType":"application/vnd.oci.image.layer.nondistributable.v1.tar"}],
                "subject":{"digest":"s"},"annotations":{"org.opencontainers.image.created":"2026-01-02T03:04:05Z","x":null}}"#,
        )
        .unwrap();
        let digests = |all: &[Descriptor]| all.iter().map(|one| one.digest.clone()).collect::<Vec<_>>();
        assert_eq!(digests(&found.blobs), ["c", "l"]);
        assert_eq!(found.subject.unwrap().digest, "s");
        assert_eq!(found.created.as_deref(), Some("2026-01-02T03:04:05Z"));
        let index = links(r#"{"manifests":[{"digest":"a"},{"digest":"b"}],"layers":null}"#).unwrap();
        assert_eq!((digests(&index.manifests).len(), index.blobs.len()), (2, 0));
    }

    #[test]
    fn other_content_is_refused_with_a_sentence() {
        for (text, why) in
            [("[]", "cannot be read"), ("<html>", "cannot be read"), (r#"{"fsLayers":[]}"#, "first version")]
        {
            let sentence = links(text).unwrap_err().to_string();
            assert!(sentence.starts_with("a:1: its manifest") && sentence.contains(why), "{sentence}");
        }
    }
}
