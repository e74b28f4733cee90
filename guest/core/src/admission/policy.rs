//! Holds steps and caches to the administrator's settings.

use super::Known;
use super::findings::Findings;
use super::lookup;
use super::pod::member_of;
use super::settings::{Required, Settings};
use super::step::{self, Step};
use crate::json::Json;
use crate::primary::Spec;
use crate::quantity;
use orascache_api::steps::{ANNOTATION_PREFIX, annotation};
use orascache_contract::Error;

/// Refuses registries and images that are not allowed. The cache's own registry always is.
pub(crate) fn check_step(settings: &Settings<'_>, step: &Step<'_>, findings: &mut Findings) {
    let refused = [
        (
            annotation::REGISTRY,
            step.registry.map(|registry| registry.host),
            &settings.allowed_registries,
            is_host_like as fn(&str, &str) -> bool,
        ),
        (annotation::ORAS_CONTAINER, step.image, &settings.allowed_agent_images, is_image_like),
    ];
    for (name, value, allowed, is_like) in refused {
        let (Some(value), Some(allowed)) = (value, allowed) else { continue };
        if !allowed.iter().any(|pattern| is_like(value, pattern)) {
            let (before, list) =
                if allowed.is_empty() { ("", String::new()) } else { ("write one of ", allowed.join(", ")) };
            let after = if allowed.is_empty() { "remove it" } else { ", or remove it" };
            findings.refuse(
                "@% is %, which the administrator does not allow: %%%",
                &[name, value, before, &list, after],
            );
        }
    }
}

/// Refuses a step without the annotations, of its pods, that the administrator requires in its namespace. Whether labels of the
/// namespace decide that, and are not in the context.
pub(crate) fn require(
    settings: &Settings<'_>,
    annotations: &[Option<&Json<'_>>],
    context: &Known<'_>,
    namespace: &str,
    findings: &mut Findings,
) -> Result<bool, Error> {
    let missing =
        || settings.required_annotations.iter().filter(|required| !has(annotations, required.annotation));
    let refuse = |required: &Required<'_>, findings: &mut Findings| {
        findings.refuse(
            "% is missing, which the administrator requires of steps in namespace %: give it a value",
            &[required.annotation, namespace],
        );
    };
    let (selective, plain): (Vec<_>, Vec<_>) = missing().partition(|required| required.is_selective);
    for required in plain {
        refuse(required, findings);
    }
    if selective.is_empty() {
        return Ok(false);
    }
    let candidates = lookup::candidates(context, namespace)?;
    let found = candidates.iter().find(|tree| {
        tree.get("kind").and_then(Json::as_str) == Some("Namespace")
            && member_of(tree, "metadata", "name").and_then(Json::as_str) == Some(namespace)
    });
    if found.is_none() {
        if !context.complete {
            return Ok(true);
        }
        findings.warn("namespace % does not exist, so that what the administrator requires by its labels is judged as if it had none", &[namespace]);
    }
    let labels = found.and_then(|tree| member_of(tree, "metadata", "labels"));
    for required in selective {
        if required.namespaces.matches(labels) {
            refuse(required, findings);
        }
    }
    Ok(false)
}

/// Refuses a cache that is larger than allowed. One that was before may stay as it is.
pub(crate) fn check_cache(
    settings: &Settings<'_>,
    new: &Spec<'_>,
    old: Option<&Spec<'_>>,
    findings: &mut Findings,
) {
    let size_of =
        |spec: &Spec<'_>| spec.storage.as_ref().and_then(|storage| storage.size).and_then(quantity::parse);
    let (Some(maximum), Some(size)) = (settings.maximum_storage, size_of(new)) else { return };
    if Some(size) > quantity::parse(maximum) && Some(size) > old.and_then(size_of) {
        findings.refuse(
            "spec.storage.size: this is more than the administrator allows: write at most %",
            &[maximum],
        );
    }
}

/// Whether an annotation is in one of these maps. Any number of input is one.
fn has(annotations: &[Option<&Json<'_>>], key: &str) -> bool {
    annotations.iter().any(|annotations| is_in(*annotations, key))
}

fn is_in(annotations: Option<&Json<'_>>, key: &str) -> bool {
    let is_there =
        |value: Option<&Json<'_>>| value.and_then(Json::as_str).is_some_and(|text| !text.is_empty());
    is_there(annotations.and_then(|annotations| annotations.get(key)))
        || (key.strip_prefix(ANNOTATION_PREFIX) == Some(annotation::INPUT_URI)
            && step::ours(annotations).any(|(name, value)| step::is_input(name) && is_there(Some(value))))
}

/// Host names are the same in upper and lower case (RFC 4343). A port must be the same too: another one is another
/// server.
fn is_host_like(host: &str, pattern: &str) -> bool {
    match pattern.strip_prefix('*') {
        Some(domain) => host
            .len()
            .checked_sub(domain.len())
            .filter(|at| *at > 0)
            .and_then(|at| host.get(at..))
            .is_some_and(|end| end.eq_ignore_ascii_case(domain)),
        None => host.eq_ignore_ascii_case(pattern),
    }
}

/// A prefix ends where a name does, so that `registry.example.org/team/` does not allow
/// `registry.example.org/teamwork`.
fn is_image_like(image: &str, pattern: &str) -> bool {
    image == pattern || (pattern.ends_with(['/', ':', '@']) && image.starts_with(pattern))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hosts_are_compared_whole() {
        for (host, pattern, wanted) in [
            ("ghcr.io", "ghcr.io", true),
            ("GHCR.io", "ghcr.IO", true),
            ("ghcr.io:443", "ghcr.io", false),
            ("xghcr.io", "ghcr.io", false),
            ("ghcr.io.evil.org", "ghcr.io", false),
            ("a.example.org", "*.example.org", true),
            ("a.b.Example.org", "*.example.org", true),
            ("example.org", "*.example.org", false),
            (".example.org", "*.example.org", false),
            ("evilexample.org", "*.example.org", false),
            ("a.example.org:5000", "*.example.org", false),
            ("a.example.org:5000", "*.example.org:5000", true),
        ] {
            assert_eq!(is_host_like(host, pattern), wanted, "{host} and {pattern}");
        }
    }

    #[test]
    fn images_are_compared_up_to_the_end_of_a_name() {
        for (image, pattern, wanted) in [
            ("lab.example/team/agent:1", "lab.example/team/", true),
            ("lab.example/team/a/b@sha256:00", "lab.example/team/", true),
            ("lab.example/teamwork", "lab.example/team", false),
            ("lab.example/team", "lab.example/team", true),
            ("lab.example/agent:1", "lab.example/agent:", true),
            ("lab.example/agent", "lab.example/agent:", false),
            ("lab.example/agent@sha256:00", "lab.example/agent@", true),
            ("lab.example/agent:1", "lab.example/agent:1", true),
            ("lab.example/agent:12", "lab.example/agent:1", false),
        ] {
            assert_eq!(is_image_like(image, pattern), wanted, "{image} and {pattern}");
        }
    }
}
