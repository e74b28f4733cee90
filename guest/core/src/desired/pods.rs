//! What the spec adds to the registry pods.

use super::{TemplateRevision, not_empty, object_labels, selector_labels, with_members, zot};
use crate::json::Json;
use crate::primary::{Flavor, Primary};
use orascache_api::names::CERTIFICATE_ANNOTATION;

/// Metadata of the registry pods.
pub(super) fn metadata<'a>(primary: &'a Primary<'a>, revision: TemplateRevision) -> Json<'a> {
    let pods = &primary.spec.pods;
    let annotations = match primary.spec.flavor() {
        Flavor::Distribution => not_empty(pods.annotations),
        Flavor::Zot => Some(with_members(zot::annotation(primary, revision), pods.annotations)),
    };
    let certificate = primary.certificate.as_ref().map(|certificate| {
        let annotation = Json::object([(CERTIFICATE_ANNOTATION, Some(certificate.clone().into()))]);
        with_members(annotation, annotations.as_ref())
    });
    Json::object([
        ("annotations", certificate.or(annotations)),
        ("labels", Some(with_members(object_labels(primary), pods.labels))),
    ])
}

/// How the pods are spread: as the spec says, or over nodes where possible. A single pod has nothing
/// to be spread over, and a default for it would restart it at an upgrade of the operator.
pub(super) fn spread<'a>(primary: &'a Primary<'a>) -> Option<Json<'a>> {
    let Some(constraints) = primary.spec.pods.topology_spread_constraints else {
        return (primary.spec.replicas() > 1).then(|| Json::Array(vec![over_nodes(primary)]));
    };
    let constraints = constraints.as_array().unwrap_or_default();
    let completed = constraints.iter().map(|constraint| with_selector(primary, constraint)).collect();
    (!constraints.is_empty()).then_some(Json::Array(completed))
}

fn over_nodes<'a>(primary: &'a Primary<'a>) -> Json<'a> {
    Json::object([
        ("labelSelector", Some(pods_of(primary))),
        ("maxSkew", Some(1.into())),
        ("topologyKey", Some("kubernetes.io/hostname".into())),
        // Two pods on one node are better than one pod that runs.
        ("whenUnsatisfiable", Some("ScheduleAnyway".into())),
    ])
}

/// A constraint that counts no pods means those of the cache.
fn with_selector<'a>(primary: &'a Primary<'a>, constraint: &Json<'a>) -> Json<'a> {
    let mut constraint = constraint.clone();
    if constraint.member("labelSelector").is_none()
        && let Json::Object(members) = &mut constraint
    {
        members.retain(|(key, _)| key != "labelSelector");
        members.push(("labelSelector".into(), pods_of(primary)));
    }
    constraint
}

fn pods_of<'a>(primary: &'a Primary<'a>) -> Json<'a> {
    Json::object([("matchLabels", Some(selector_labels(primary)))])
}
