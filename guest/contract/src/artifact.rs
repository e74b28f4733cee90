//! Questions about artifacts in OCI registries, and their answers.

use crate::ObjectRef;

/// What a question about an artifact asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "camelCase"))]
pub enum ArtifactAspect {
    /// Whether the manifest exists, and its digest.
    Digest,
    /// The image's configuration (image-spec `application/vnd.oci.image.config.v1+json`).
    ImageConfig,
}

/// A question about an artifact in an OCI registry. The guest asks; the host looks and answers.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "camelCase"))]
pub struct ArtifactQuestion {
    /// Host name, with a port where it is not the scheme's own.
    pub registry: String,
    /// Whether the registry speaks HTTP without TLS.
    pub plain_http: bool,
    /// As in `flow/words`.
    pub repository: String,
    /// A tag, or a digest such as `sha256:...`.
    pub reference: String,
    /// The Secret whose credentials the host may use for this question. None asks anonymously.
    pub credentials: Option<ObjectRef>,
    /// What is asked.
    pub aspect: ArtifactAspect,
}

/// What the host found.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "camelCase"))]
pub enum ArtifactFinding {
    /// The manifest exists and has this digest.
    Digest(String),
    /// The image's configuration, JSON text: at least `config.Entrypoint` and `config.Cmd`, where they
    /// are the same on every processor that the image is for.
    ImageConfig(String),
    /// The registry says that there is no such artifact.
    Missing,
    /// The host did not look or got no answer; the sentence says why. Never a guess.
    Unknown(String),
}

/// A question with what the host found.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "camelCase"))]
pub struct ArtifactAnswer {
    /// As the guest asked it.
    pub question: ArtifactQuestion,
    /// The answer.
    pub finding: ArtifactFinding,
}
