//! Keys in the registry: a key is a tag in the repository of an output.

use super::document::{Key, MEDIA_TYPE};
use crate::log::Log;
use crate::placeholders::Output;
use crate::transfer::cannot_pull;
use crate::transfer::progress::printable;
use futures::stream::{self, StreamExt, TryStreamExt};
use oci_registry_client::{
    ArtifactReference, Client, Digest, EncodedManifest, Error, FetchedManifest, Manifest,
};
use orascache_api::reuse::{annotation, key_tag};

/// Number of requests at the same time.
const REQUESTS: usize = 4;
/// Annotation with the time at which something was made (OCI image-spec, "Pre-Defined Annotation
/// Keys").
pub const CREATED: &str = "org.opencontainers.image.created";
/// Longest name of a pod, and longest time, that is shown.
const SHOWN: usize = 253;

/// The manifests that inputs have now.
///
/// # Errors
/// A sentence about an input that has none, or whose registry does not answer.
pub async fn manifests(client: &Client, inputs: &[ArtifactReference]) -> Result<Vec<Digest>, String> {
    let asking = inputs.iter().map(|input| async move {
        if let Some(digest) = input.digest.as_deref().and_then(Digest::parse) {
            return Ok(digest);
        }
        let found = client.manifest_digest(input).await;
        found.map_err(|error| cannot_pull(client, input, &error))
    });
    stream::iter(asking).buffered(REQUESTS).try_collect().await
}

/// What was pushed for these keys, where all outputs have it. Whatever else happens is logged, and
/// means that the step has to be done.
pub async fn find(
    client: &Client,
    outputs: &[Output],
    keys: &[Key],
    log: &Log,
) -> Option<Vec<FetchedManifest>> {
    let mut found = Vec::new();
    for (output, key) in outputs.iter().zip(keys) {
        let tagged = tagged(&output.reference, key);
        let fetched = match client.manifest(&tagged).await {
            Ok(fetched) => fetched,
            Err(Error::NotFound { .. }) => {
                log.debug(format_args!("there is no {tagged}"));
                return None;
            }
            Err(error) => {
                log.info(format_args!("warning: whether outputs can be reused is not known: {error}"));
                return None;
            }
        };
        if let Err(why) = agrees(&fetched.manifest, key) {
            log.info(format_args!("warning: {tagged} is ignored, since {why}"));
            return None;
        }
        found.push(fetched);
    }
    Some(found)
}

/// The tag of a key in the repository of an output.
fn tagged(output: &ArtifactReference, key: &Key) -> ArtifactReference {
    ArtifactReference { tag: Some(key_tag(key.text())), digest: None, ..output.clone() }
}

/// Whether a manifest says itself that it belongs to a key. The error is the end of a sentence.
fn agrees(manifest: &Manifest, key: &Key) -> Result<(), String> {
    match manifest.annotations.get(annotation::KEY) {
        None => return Err("its manifest names no key".to_owned()),
        Some(named) if named != key.text() => {
            return Err(format!("its manifest was pushed for the key {}", printable(&short(named))));
        }
        Some(_) => {}
    }
    match &manifest.config {
        Some(config) if config.media_type == MEDIA_TYPE && config.digest != key.digest().as_str() => {
            Err("its manifest has the document of another key".to_owned())
        }
        _ => Ok(()),
    }
}

/// Lets the tags of outputs point to manifests.
///
/// # Errors
/// A sentence about the first one for which that fails.
pub async fn take_over(
    client: &Client,
    outputs: &[Output],
    found: Vec<FetchedManifest>,
) -> Result<(), String> {
    for (output, fetched) in outputs.iter().zip(found) {
        let tagged = client.tag_manifest(&output.reference, &EncodedManifest::from(fetched)).await;
        tagged.map_err(|error| error.to_string())?;
    }
    Ok(())
}

/// Says what was reused.
pub fn sentence(outputs: &[Output], found: &[FetchedManifest]) -> String {
    let each = outputs.iter().zip(found).map(|(output, fetched)| {
        let said = |name: &str| fetched.manifest.annotations.get(name).map(|text| printable(&short(text)));
        let pod =
            said(annotation::POD).map_or_else(|| "another pod".to_owned(), |pod| format!("the pod {pod}"));
        let time = said(CREATED).map(|time| format!(" at {time}")).unwrap_or_default();
        format!("{} ({}), which {pod} pushed{time}", output.reference, fetched.digest)
    });
    format!("nothing was pulled or run: reused {}", each.collect::<Vec<_>>().join("; "))
}

fn short(text: &str) -> String {
    text.chars().take(SHOWN).collect()
}

/// Leaves keys for outputs that were pushed, unless the tag of an input points to another manifest
/// by now. `inputs` are those that were pulled, with their manifests.
///
/// # Errors
/// A sentence that says why no key is left.
pub async fn leave(
    client: &Client,
    inputs: Vec<(&ArtifactReference, &Digest)>,
    outputs: impl Iterator<Item = (&ArtifactReference, &EncodedManifest, &Key)>,
) -> Result<(), String> {
    let checking =
        inputs.into_iter().filter(|(input, _)| input.digest.is_none()).map(|(input, used)| async move {
            match client.manifest_digest(input).await {
                Ok(now) if now == *used => Ok(()),
                Ok(now) => Err(format!("{input} was {used} and is {now} by now")),
                Err(error) => Err(format!("whether {input} has moved is not known: {error}")),
            }
        });
    stream::iter(checking).buffer_unordered(REQUESTS).try_collect::<()>().await?;
    for (reference, manifest, key) in outputs {
        let tagged = client.tag_manifest(&tagged(reference, key), manifest).await;
        tagged.map_err(|error| error.to_string())?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use oci_registry_client::{Descriptor, media_type};

    fn key() -> Key {
        let text = r#"{"format":1,"image":null,"command":[],"directory":"/","inputs":[],"inputConflicts":"refuse","outputs":["x"],"output":0,"outputPipe":null,"unpack":true,"index":null,"variables":{},"namedVariables":[],"salt":null,"files":[]}"#;
        super::super::document::KeyDocument::parse(text.as_bytes()).unwrap().key(0)
    }

    fn manifest(annotations: &[(&str, &str)]) -> Manifest {
        let annotations = annotations.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
        Manifest::of_layers(media_type::UNKNOWN_ARTIFACT, Vec::new(), annotations.collect())
    }

    #[test]
    fn a_manifest_must_name_the_key_itself() {
        let key = key();
        let right = manifest(&[(annotation::KEY, key.text())]);
        assert_eq!(agrees(&right, &key), Ok(()));
        let config = |media_type: &str, digest: &str| {
            let config = Descriptor {
                media_type: media_type.to_owned(),
                digest: digest.to_owned(),
                ..Descriptor::default()
            };
            Manifest { config: Some(config), ..right.clone() }
        };
        assert_eq!(agrees(&config(MEDIA_TYPE, key.digest().as_str()), &key), Ok(()));
        for wrong in [
            manifest(&[]),
            manifest(&[(annotation::KEY, &"0".repeat(64))]),
            manifest(&[(annotation::KEY, "\u{1b}[2J")]),
            config(MEDIA_TYPE, &Digest::of(b"other").to_string()),
        ] {
            let why = agrees(&wrong, &key).unwrap_err();
            assert!(why.starts_with("its manifest ") && !why.contains('\u{1b}'), "{why}");
        }
    }

    #[test]
    fn the_pod_and_the_time_are_said() {
        let output = |reference: &str| Output {
            reference: ArtifactReference::parse(reference).unwrap(),
            path: "x".into(),
        };
        let fetched = |annotations: &[(&str, &str)]| FetchedManifest {
            digest: Digest::of(b"x"),
            bytes: bytes::Bytes::new(),
            manifest: manifest(annotations),
        };
        let known = fetched(&[(annotation::POD, "words-1"), (CREATED, "2026-01-02T03:04:05Z")]);
        let said = sentence(&[output("a:1"), output("b:1")], &[known, fetched(&[(CREATED, "\u{1b}")])]);
        let digest = Digest::of(b"x");
        let wanted = format!(
            "reused a:1 ({digest}), which the pod words-1 pushed at 2026-01-02T03:04:05Z; b:1 ({digest}), which another pod pushed at ?"
        );
        assert!(said.ends_with(&wanted), "{said}");
    }
}
