//! The syntax of references to images and artifacts (distribution's grammar, OCI distribution-spec
//! 1.1, "Pulling manifests").

/// The tag that is meant where neither a tag nor a digest is written.
pub const DEFAULT_TAG: &str = "latest";

/// Longest name that registries must accept, host excluded.
const MAX_REPOSITORY: usize = 255;
/// Longest tag.
const MAX_TAG: usize = 128;

/// A repository with what selects a manifest in it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Reference<'a> {
    /// Path of the repository, without the host.
    pub repository: &'a str,
    /// Behind the colon.
    pub tag: Option<&'a str>,
    /// Behind the `@`, as `algorithm:hex`.
    pub digest: Option<&'a str>,
}

impl<'a> Reference<'a> {
    /// Reads `repository[:tag][@digest]`, without a host.
    ///
    /// # Errors
    /// What is wrong with it, as the rest of a sentence that begins with the text.
    pub fn parse(text: &'a str) -> Result<Self, &'static str> {
        let (name, digest) = match text.split_once('@') {
            Some((name, digest)) => (name, Some(digest)),
            None => (text, None),
        };
        let last = name.rfind('/').map_or(0, |slash| slash + 1);
        let (repository, tag) = match name.get(last..).and_then(|part| part.find(':')) {
            Some(colon) => (
                name.get(..last + colon).unwrap_or_default(),
                Some(name.get(last + colon + 1..).unwrap_or_default()),
            ),
            None => (name, None),
        };
        if repository.is_empty() || !repository.split('/').all(is_path_component) {
            return Err(
                "its repository may hold lower case letters and digits, separated by '.', '_', '-' and '/'",
            );
        }
        if repository.len() > MAX_REPOSITORY {
            return Err("its repository is longer than 255 characters");
        }
        if tag.is_some_and(|tag| !is_tag(tag)) {
            return Err(
                "its tag may hold up to 128 letters, digits, '_', '.' and '-', and starts with none of the last two",
            );
        }
        if digest.is_some_and(|digest| !is_digest(digest)) {
            return Err("its digest is not like sha256: with 64 hexadecimal digits");
        }
        Ok(Reference { repository, tag, digest })
    }
}

/// An image: a reference with an optional host in front.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Image<'a> {
    /// Host of the registry with its port, where the image names one.
    pub host: Option<&'a str>,
    /// Repository, tag and digest on that host.
    pub reference: Reference<'a>,
}

impl<'a> Image<'a> {
    /// Reads `[host/]repository[:tag][@digest]`. `None` when the text is not an image.
    ///
    /// ```
    /// use orascache_api::reference::Image;
    ///
    /// let image = Image::parse("localhost:5000/team/registry:3").unwrap();
    /// assert_eq!((image.host, image.reference.repository), (Some("localhost:5000"), "team/registry"));
    /// assert_eq!(Image::parse("registry:3").unwrap().host, None);
    /// ```
    pub fn parse(text: &'a str) -> Option<Self> {
        let (host, path) = match text.split_once('/') {
            Some((host, path)) if names_a_host(host) => (Some(host), path),
            _ => (None, text),
        };
        if !host.is_none_or(is_host) {
            return None;
        }
        Some(Image { host, reference: Reference::parse(path).ok()? })
    }
}

/// Whether the part of an image in front of the first `/` is a host, and not the beginning of a
/// repository (distribution's rule: it has a dot or a port, or is `localhost`).
pub fn names_a_host(first: &str) -> bool {
    first.contains(['.', ':']) || first == "localhost"
}

/// Whether this can be an image: a reference with an optional host in front.
pub fn is_image(image: &str) -> bool {
    Image::parse(image).is_some()
}

/// The texts before and behind `://`, where there is one.
pub fn split_scheme(text: &str) -> Option<(&str, &str)> {
    let (scheme, rest) = text.split_once(':')?;
    Some((scheme, rest.strip_prefix("//")?))
}

/// A host name, IPv4 address or bracketed IPv6 address with an optional port.
pub fn is_host(text: &str) -> bool {
    let (host, port) = match text.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
        Some((address, rest)) => {
            let is_hex = |byte: u8| byte.is_ascii_hexdigit() || byte == b':' || byte == b'.';
            if !address.contains(':') || !address.bytes().all(is_hex) {
                return false;
            }
            match rest.strip_prefix(':') {
                Some(port) => ("a", Some(port)),
                None if rest.is_empty() => ("a", None),
                None => return false,
            }
        }
        None => match text.split_once(':') {
            Some((host, port)) => (host, Some(port)),
            None => (text, None),
        },
    };
    let is_label = |label: &str| {
        let inside = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-';
        !label.is_empty()
            && label.len() <= 63
            && !label.starts_with('-')
            && !label.ends_with('-')
            && label.bytes().all(inside)
    };
    host.split('.').all(is_label)
        && port.is_none_or(|port| {
            port.bytes().all(|byte| byte.is_ascii_digit())
                && port.parse::<u16>().is_ok_and(|number| number > 0)
        })
}

/// Letters and digits, with one dot, one or two underscores, or any number of dashes between them.
fn is_path_component(text: &str) -> bool {
    let inner = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
    let is_separator =
        |run: &str| matches!(run, "" | "." | "_" | "__") || run.bytes().all(|byte| byte == b'-');
    text.bytes().next().is_some_and(inner)
        && text.bytes().last().is_some_and(inner)
        && text.split(|c: char| c.is_ascii_lowercase() || c.is_ascii_digit()).all(is_separator)
}

fn is_tag(text: &str) -> bool {
    let word = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_';
    text.len() <= MAX_TAG
        && text.bytes().next().is_some_and(word)
        && text.bytes().all(|byte| word(byte) || byte == b'.' || byte == b'-')
}

/// `algorithm:encoded` (OCI image-spec, descriptor). Lengths are checked where they are known.
pub fn is_digest(text: &str) -> bool {
    let Some((algorithm, encoded)) = text.split_once(':') else { return false };
    let hex = |length| {
        encoded.len() == length && encoded.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
    };
    match algorithm {
        "sha256" => hex(64),
        "sha512" => hex(128),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const DIGEST: &str = "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";

    #[test]
    fn references_are_split_into_their_parts() {
        let full = format!("flow/words:run-1@{DIGEST}");
        let parsed = Reference::parse(&full).unwrap();
        assert_eq!(parsed, Reference { repository: "flow/words", tag: Some("run-1"), digest: Some(DIGEST) });
        assert_eq!(Reference::parse("a").unwrap().tag, None);
        assert_eq!(Reference::parse("a__b/c--d/e.f:X").unwrap().tag, Some("X"));
    }

    #[test]
    fn references_that_registries_refuse_are_refused() {
        for wrong in [
            "",
            ":1",
            "A",
            "a//b",
            "/a",
            "a/",
            "a..b",
            "a___b",
            "-a",
            "a.",
            "a:",
            "a:.x",
            "a:-x",
            "a b",
            "a:b:c",
            "a@",
            "a@sha256:12",
            "a@md5:00",
            "http://a",
            "host:5000/a",
            "é",
        ] {
            assert!(Reference::parse(wrong).is_err(), "{wrong}");
        }
        assert!(Reference::parse(&"a".repeat(256)).is_err());
        assert!(Reference::parse(&format!("a:{}", "b".repeat(129))).is_err());
    }

    #[test]
    fn images_may_have_a_host() {
        for right in [
            "busybox",
            "busybox:1",
            "ghcr.io/oras-project/registry:latest",
            "localhost:5000/a/b",
            "Example.org/a:1",
            "10.0.0.1:5000/a",
            "[fd00::1]:5000/a",
            "library/busybox",
            "localhost/a",
        ] {
            assert!(is_image(right), "{right}");
        }
        assert!(is_image(&format!("ghcr.io/a@{DIGEST}")));
        for wrong in [
            "",
            "Busybox",
            "a:b:c",
            "ghcr.io/",
            "ghcr.io:x/a",
            "ghcr.io:70000/a",
            "-a.b/c",
            "http://a.b/c",
            "a b",
            "ghcr.io/a:",
            "[xyz]:1/a",
            "[fd00::1]x/a",
        ] {
            assert!(!is_image(wrong), "{wrong}");
        }
    }
}
