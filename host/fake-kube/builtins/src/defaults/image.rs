//! Defaults that depend on the name of an image.

/// The default of `imagePullPolicy`: `Always` for images without a tag or with the tag `latest`.
pub(super) fn pull_policy(image: &str) -> &'static str {
    if image.contains('@') {
        let before = image.split('@').next().unwrap_or_default();
        return if tag(before) == Some("latest") { "Always" } else { "IfNotPresent" };
    }
    match tag(image) {
        None | Some("latest") => "Always",
        Some(_) => "IfNotPresent",
    }
}

/// The part after the colon of the last path segment. An earlier colon belongs to a port.
fn tag(image: &str) -> Option<&str> {
    image.rsplit('/').next().and_then(|segment| segment.split_once(':')).map(|(_, tag)| tag)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_pull_policy_follows_the_tag() {
        for (image, policy) in [
            ("i", "Always"),
            ("registry:5000/i", "Always"),
            ("ghcr.io/oras/i:latest", "Always"),
            ("registry:5000/i:1", "IfNotPresent"),
            ("i@sha256:0123", "IfNotPresent"),
            ("i:1@sha256:0123", "IfNotPresent"),
        ] {
            assert_eq!(pull_policy(image), policy, "{image}");
        }
    }
}
