//! Patterns for images. They end where a part of an image ends, so that a pattern never matches a
//! longer name, another host or another port.

use orascache_api::reference::{self, DEFAULT_TAG, Image, Reference};

/// A pattern for images.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct ImagePattern<'a> {
    /// The pattern as the administrator wrote it.
    text: &'a str,
    /// An image without a host matches patterns without one only: the node decides which registry
    /// such an image comes from.
    host: Option<&'a str>,
    version: Version<'a>,
}

/// Which images of a host match.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Version<'a> {
    /// Everything on the host: `host/`.
    Everything,
    /// Every repository below: `host/team/`.
    Below(&'a str),
    /// Every tag and digest of a repository: `host/name`.
    Any(&'a str),
    /// Every tag of a repository: `host/name:`.
    Tagged(&'a str),
    /// Every digest of a repository, with one tag where there is one: `host/name@`, `host/name:1@`.
    Pinned(Reference<'a>),
    /// One tag or digest: `host/name:1`, `host/name@sha256:...`.
    One(Reference<'a>),
}

impl<'a> ImagePattern<'a> {
    /// Reads an image, or the beginning of one that ends with `/`, `:` or `@`. `None` when the text
    /// is neither.
    pub(crate) fn parse(text: &'a str) -> Option<Self> {
        let of = |image: Image<'a>, version| Some(ImagePattern { text, host: image.host, version });
        if let Some(start) = text.strip_suffix('/') {
            if !start.contains('/') && reference::names_a_host(start) {
                let host = Some(start).filter(|host| reference::is_host(host))?;
                return Some(ImagePattern { text, host: Some(host), version: Version::Everything });
            }
            let image = Image::parse(start)?;
            return of(image, Version::Below(bare(image.reference)?));
        }
        if let Some(start) = text.strip_suffix(':') {
            let image = Image::parse(start)?;
            return of(image, Version::Tagged(bare(image.reference)?));
        }
        if let Some(start) = text.strip_suffix('@') {
            let image = Image::parse(start)?;
            return image
                .reference
                .digest
                .is_none()
                .then_some(())
                .and_then(|()| of(image, Version::Pinned(image.reference)));
        }
        let image = Image::parse(text)?;
        match bare(image.reference) {
            Some(repository) => of(image, Version::Any(repository)),
            None => of(image, Version::One(image.reference)),
        }
    }

    /// The pattern as it is written.
    pub(crate) fn as_str(&self) -> &'a str {
        self.text
    }

    /// Whether an image matches. A text that is not an image matches nothing.
    pub(crate) fn matches(&self, image: &str) -> bool {
        let Some(Image { host, reference: found }) = Image::parse(image) else { return false };
        // Upper and lower case are the same in host names (RFC 4343).
        let same_host = match (self.host, host) {
            (Some(wanted), Some(host)) => wanted.eq_ignore_ascii_case(host),
            (wanted, host) => wanted == host,
        };
        same_host
            && match self.version {
                Version::Everything => true,
                Version::Below(path) => {
                    found.repository.strip_prefix(path).is_some_and(|rest| rest.starts_with('/'))
                }
                Version::Any(repository) => found.repository == repository,
                Version::Tagged(repository) => found.repository == repository && found.tag.is_some(),
                Version::Pinned(wanted) => {
                    found.repository == wanted.repository
                        && found.digest.is_some()
                        && (wanted.tag.is_none() || found.tag == wanted.tag)
                }
                Version::One(wanted) => found.repository == wanted.repository && is_version(found, wanted),
            }
    }
}

/// The repository of a reference that has neither tag nor digest.
fn bare(reference: Reference<'_>) -> Option<&str> {
    (reference.tag.is_none() && reference.digest.is_none()).then_some(reference.repository)
}

/// Whether a reference has the wanted tag or digest. Where it has a digest, the digest decides what
/// runs and the tag means nothing: the pattern must have that digest.
fn is_version(found: Reference<'_>, wanted: Reference<'_>) -> bool {
    match (wanted.digest, found.digest) {
        (None, None) => found.tag.unwrap_or(DEFAULT_TAG) == wanted.tag.unwrap_or(DEFAULT_TAG),
        (wanted_digest, digest) => {
            wanted_digest == digest && (wanted.tag.is_none() || wanted.tag == found.tag)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::ImagePattern;

    const DIGEST: &str = "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
    const OTHER: &str = "sha256:0000000000000000000000000000000000000000000000000000000000000000";

    fn matches(pattern: &str, image: &str) -> bool {
        let fill = |text: &str| text.replace("DIGEST", DIGEST).replace("OTHER", OTHER);
        let (pattern, image) = (fill(pattern), fill(image));
        ImagePattern::parse(&pattern).unwrap_or_else(|| panic!("{pattern}")).matches(&image)
    }

    #[test]
    fn patterns_match_the_images_that_they_describe() {
        for (pattern, image) in [
            ("ghcr.io/", "ghcr.io/oras-project/registry:latest"),
            ("GHCR.io/", "ghcr.IO/a"),
            ("localhost:5000/", "localhost:5000/a"),
            ("lab.example/team/", "lab.example/team/agent:1"),
            ("lab.example/team/", "lab.example/team/a/b@DIGEST"),
            ("team/", "team/agent"),
            ("ghcr.io/oras-project/registry", "ghcr.io/oras-project/registry"),
            ("ghcr.io/oras-project/registry", "ghcr.io/oras-project/registry:latest"),
            ("ghcr.io/oras-project/registry", "ghcr.io/oras-project/registry@DIGEST"),
            ("ghcr.io/oras-project/registry", "ghcr.io/oras-project/registry:1@DIGEST"),
            ("registry", "registry:3"),
            ("lab.example/agent:", "lab.example/agent:1"),
            ("lab.example/agent@", "lab.example/agent@DIGEST"),
            ("lab.example/agent:1@", "lab.example/agent:1@DIGEST"),
            ("lab.example/agent:1", "lab.example/agent:1"),
            ("lab.example/agent:latest", "lab.example/agent"),
            ("lab.example/agent@DIGEST", "lab.example/agent@DIGEST"),
            ("lab.example/agent@DIGEST", "lab.example/agent:1@DIGEST"),
            ("lab.example/agent:1@DIGEST", "lab.example/agent:1@DIGEST"),
        ] {
            assert!(matches(pattern, image), "{pattern} and {image}");
        }
    }

    #[test]
    fn patterns_end_where_a_part_of_an_image_ends() {
        for (pattern, image) in [
            // A host with a port, where the pattern means a tag.
            ("agent:", "agent:5000/evil"),
            ("agent:5000", "agent:5000/evil"),
            ("ghcr.io:", "ghcr.io:5000/evil"),
            ("ghcr.io/", "ghcr.io:5000/evil"),
            ("ghcr.io/", "ghcr.io.evil.org/a"),
            ("ghcr.io/", "xghcr.io/a"),
            // Another name with the same beginning.
            ("lab.example/team/", "lab.example/teamwork/a"),
            ("lab.example/team/", "lab.example/team"),
            ("lab.example/team", "lab.example/team/a"),
            ("lab.example/team", "lab.example/teamwork"),
            ("lab.example/agent:", "lab.example/agent/evil:1"),
            ("lab.example/agent:1", "lab.example/agent:12"),
            // Another host, or none.
            ("registry", "evil.example/registry"),
            ("team/", "evil.example/team/a"),
            ("docker.io/library/", "registry:3"),
            ("evil.example/registry", "registry"),
            // Another version.
            ("lab.example/agent:", "lab.example/agent"),
            ("lab.example/agent@", "lab.example/agent:1"),
            ("lab.example/agent:1@", "lab.example/agent:2@DIGEST"),
            ("lab.example/agent:1", "lab.example/agent"),
            ("lab.example/agent:1", "lab.example/agent:1@DIGEST"),
            ("lab.example/agent@DIGEST", "lab.example/agent@OTHER"),
            ("lab.example/agent@DIGEST", "lab.example/agent"),
            ("lab.example/agent:1@DIGEST", "lab.example/agent:2@DIGEST"),
            ("lab.example/agent:1@DIGEST", "lab.example/agent:1"),
            // Not an image.
            ("lab.example/team/", "lab.example/team/../evil"),
            ("lab.example/team/", "lab.example/team//evil"),
            ("lab.example/", "lab.example/"),
        ] {
            assert!(!matches(pattern, image), "{pattern} and {image}");
        }
    }

    #[test]
    fn texts_that_end_within_a_part_are_not_patterns() {
        for text in
            ["", "/", ":", "@", "lab.example/*", "*", "a..b/", "lab.example/a:1/", "a:1:", "http://a/"]
        {
            assert_eq!(ImagePattern::parse(text), None, "{text}");
        }
    }
}
