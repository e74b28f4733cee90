//! Package URLs of artifacts in registries (package-url/purl-spec, type `oci`).

use oci_registry_client::{ArtifactReference, Digest};

/// The package URL of a manifest in a registry, whose host this is.
pub(crate) fn of(host: &str, reference: &ArtifactReference, digest: &Digest) -> String {
    let repository = &reference.repository;
    let name = repository.rsplit('/').next().unwrap_or(repository);
    let at = encoded(&format!("{host}/{repository}"));
    let tag = reference.tag.as_ref().map(|tag| format!("&tag={}", encoded(tag))).unwrap_or_default();
    format!("pkg:oci/{}@{}?repository_url={at}{tag}", encoded(name), encoded(digest.as_str()))
}

/// Percent-encoding of what is not allowed everywhere ("Character encoding" in the specification).
/// The slash is left as in the examples of the type.
fn encoded(text: &str) -> String {
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~/".contains(&byte);
    text.bytes().fold(String::new(), |mut all, byte| {
        if is_plain(byte) {
            all.push(char::from(byte));
        } else {
            all.push_str(&format!("%{byte:02X}"));
        }
        all
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn manifests_are_named_as_in_the_examples_of_the_specification() {
        let digest = Digest::of(b"");
        let hex = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
        let of = |text: &str| of("cache.lab.svc:5000", &text.parse().unwrap(), &digest);
        assert_eq!(
            of("flow/words:run-1"),
            format!("pkg:oci/words@sha256%3A{hex}?repository_url=cache.lab.svc%3A5000/flow/words&tag=run-1")
        );
        assert_eq!(of("a"), format!("pkg:oci/a@sha256%3A{hex}?repository_url=cache.lab.svc%3A5000/a"));
    }
}
