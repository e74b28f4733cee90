//! How a manifest names its inputs.

use oci_registry_client::{ArtifactReference, Digest};
use orascache_api::reference::{Image, is_host, names_a_host, split_scheme};

use crate::graph::{Leaf, Reason};

/// An input, as a manifest names it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Input {
    /// An artifact of this registry.
    Here(ArtifactReference, Digest),
    /// A text that names no artifact which could be asked for.
    Unknown(Leaf),
}

impl Input {
    /// Reads a text. `registry` is the host of the registry that the manifest is in: a reference
    /// may begin with it.
    pub(crate) fn parse(text: &str, registry: &str) -> Self {
        let leaf = |reason, sentence: &str| Input::Unknown(Leaf { reason, sentence: sentence.to_owned() });
        let own = text.strip_prefix(registry).and_then(|rest| rest.strip_prefix('/'));
        let here = own.unwrap_or(text);
        match ArtifactReference::parse(here) {
            Ok(reference) => match reference.digest.as_deref().and_then(Digest::parse) {
                Some(digest) => Input::Here(reference, digest),
                None => leaf(
                    Reason::Unpinned,
                    "is named without a digest, so that its tag may mean another artifact now",
                ),
            },
            Err(_) if is_elsewhere(here) => {
                leaf(Reason::Elsewhere, "is in another registry, which is not asked")
            }
            Err(why) => leaf(Reason::Invalid, &format!("is no reference: {why}")),
        }
    }
}

/// Whether a text that is no reference of this registry names an artifact of another one.
fn is_elsewhere(text: &str) -> bool {
    let text = split_scheme(text).map_or(text, |(_, rest)| rest);
    Image::parse(text).is_some_and(|image| image.host.is_some_and(is_host))
}

/// Whether a repository may be one of another registry: its first part looks like a host. Such a
/// repository can exist here as well.
pub(crate) fn may_be_elsewhere(repository: &str) -> bool {
    repository.split_once('/').is_some_and(|(first, _)| names_a_host(first))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn references_with_digests_are_followed_and_other_texts_say_why_not() {
        let digest = Digest::of(b"a");
        let here = |text: &str| match Input::parse(text, "cache.lab.svc:5000") {
            Input::Here(reference, _) => reference.repository,
            Input::Unknown(leaf) => format!("{:?}", leaf.reason),
        };
        for (text, wanted) in [
            ("flow/a:1@D", "flow/a"),
            ("flow/a@D", "flow/a"),
            ("cache.lab.svc:5000/flow/a@D", "flow/a"),
            ("v1.0/a@D", "v1.0/a"),
            ("flow/a:1", "Unpinned"),
            ("flow/a", "Unpinned"),
            ("other.lab.svc:5000/flow/a@D", "Elsewhere"),
            ("oci://ghcr.io/flow/a@D", "Elsewhere"),
            ("https://ghcr.io/flow/a:1", "Elsewhere"),
            ("", "Invalid"),
            ("Flow/a@D", "Invalid"),
            ("flow/a@sha256:1", "Invalid"),
            ("<script>", "Invalid"),
        ] {
            assert_eq!(here(&text.replace('D', digest.as_str())), wanted, "{text}");
        }
    }
}
