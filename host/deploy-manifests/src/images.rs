//! Names of images in another registry, for clusters that reach no other one.

/// The name that an image has in another registry: its own registry is replaced.
///
/// ```
/// use deploy_manifests::images::mirrored;
///
/// assert_eq!(mirrored("ghcr.io/team/tool:1", "mirror.example.org/k8s"), "mirror.example.org/k8s/team/tool:1");
/// ```
pub fn mirrored(image: &str, registry: &str) -> String {
    let path = match image.split_once('/') {
        // As container engines tell a host from the first part of a path.
        Some((host, path)) if host.contains(['.', ':']) || host == "localhost" => path,
        _ => image,
    };
    format!("{registry}/{path}")
}

/// Whether a text is a host with an optional port and path, to which the path of an image can be
/// appended.
pub(crate) fn is_registry(text: &str) -> bool {
    let mut parts = text.split('/');
    let host = parts.next().unwrap_or_default();
    let (name, port) = host.split_once(':').unwrap_or((host, "443"));
    let words = |text: &str, more: &[char]| {
        let inside = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || more.contains(&c);
        !text.is_empty() && text.chars().all(inside)
    };
    words(name, &['.', '-'])
        && port.parse::<u16>().is_ok_and(|port| port > 0)
        && parts.all(|part| words(part, &['.', '-', '_']))
}

#[cfg(test)]
mod tests {
    use super::mirrored;

    #[test]
    fn only_a_host_is_replaced() {
        for (image, wanted) in [
            ("ghcr.io/a/b:1", "m.test/a/b:1"),
            ("host:5000/b@sha256:0", "m.test/b@sha256:0"),
            ("localhost/b", "m.test/b"),
            ("team/b:1", "m.test/team/b:1"),
            ("busybox", "m.test/busybox"),
        ] {
            assert_eq!(mirrored(image, "m.test"), wanted);
        }
    }
}
