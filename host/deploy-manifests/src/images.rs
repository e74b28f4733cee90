//! All images that an installation runs, and their names in another registry, for clusters that
//! reach no other one.

use crate::options::ManifestOptions;
use orascache_api::names::DEFAULT_IMAGE;

/// The images that an installation runs: the operator, whose image carries the agent too, and the
/// registry of caches that name no image. Caches and steps may name further ones.
///
/// ```
/// use deploy_manifests::{ManifestOptions, images::images};
///
/// let options = ManifestOptions { registry: Some("mirror.example.org".to_owned()), ..Default::default() };
/// assert!(images(&options).iter().all(|image| image.starts_with("mirror.example.org/")));
/// ```
pub fn images(options: &ManifestOptions) -> Vec<String> {
    vec![options.operator_image(), options.mirrored(DEFAULT_IMAGE)]
}

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
    use super::{images, mirrored};
    use crate::objects::objects;
    use crate::options::ManifestOptions;
    use orascache_core::describe;
    use serde_json::Value;

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

    /// The strings of a value that name a registry of the project.
    fn images_in(value: &Value, found: &mut Vec<String>) {
        match value {
            Value::String(text) if text.contains("ghcr.io/") || text.starts_with("m.test/") => {
                found.push(text.clone());
            }
            Value::Array(items) => items.iter().for_each(|item| images_in(item, found)),
            Value::Object(members) => {
                let data = members.iter().filter(|(name, _)| *name != "description");
                data.for_each(|(_, member)| images_in(member, found));
            }
            _ => {}
        }
    }

    #[test]
    fn the_list_has_every_image_that_the_objects_name() {
        for registry in [None, Some("m.test/k8s".to_owned())] {
            let options = ManifestOptions { registry, ..ManifestOptions::default() };
            let mut found = Vec::new();
            objects(&options, &describe()).unwrap().iter().for_each(|object| images_in(object, &mut found));
            found.sort();
            found.dedup();
            let mut listed = images(&options);
            listed.sort();
            assert_eq!(found, listed);
        }
    }
}
