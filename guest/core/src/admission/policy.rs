//! Checks steps and caches against the administrator's settings.

use super::known::Known;
use super::step::Step;
use crate::findings::Findings;
use crate::json::Json;
use crate::kinds::NAMESPACE;
use crate::primary::Spec;
use crate::quantity;
use crate::settings::{ImagePattern, PLAIN_HTTP, RequiredAnnotation, Settings, host_matches, is_same_host};
use crate::step_annotations;
use orascache_api::endpoint::Endpoint;
use orascache_api::steps::{ANNOTATION_PREFIX as PREFIX, annotation};
use orascache_api::template::total;
use orascache_contract::Error;

/// Refuses registries and images that are not allowed, and more inputs than are allowed. The
/// cache's own registry is always allowed.
pub(crate) fn check_step(settings: &Settings<'_>, step: &Step<'_>, findings: &mut Findings) {
    if let (Some(registry), Some(allowed)) = (&step.registry, &settings.allowed_registries)
        && !allowed.iter().any(|pattern| host_matches(registry.host(), pattern))
    {
        refuse_value(annotation::REGISTRY, registry.host(), allowed, findings);
    }
    if let (Some(image), Some(allowed)) = (step.image, &settings.allowed_agent_images)
        && !allowed.iter().any(|pattern| pattern.matches(image))
    {
        let allowed: Vec<&str> = allowed.iter().map(ImagePattern::as_str).collect();
        refuse_value(annotation::ORAS_CONTAINER, image, &allowed, findings);
    }
    let (number, maximum) = (total(step.inputs.iter().map(|input| &input.input)), settings.maximum_inputs);
    if number > maximum {
        findings.refuse(format!(
            "the inputs are {number} artifacts together, and a step may pull {maximum}: push fewer artifacts with more files each, or ask the administrator for a greater maximumInputs"
        ));
    }
}

/// Refuses or warns of a step whose credentials travel in clear text. Where registries are limited,
/// the administrator has to allow this expressly.
pub(crate) fn check_plain_http(settings: &Settings<'_>, step: &Step<'_>, findings: &mut Findings) {
    let Some(endpoint) = step.registry.as_ref().filter(|endpoint| endpoint.is_plain_http()) else { return };
    let key = annotation::REGISTRY;
    let is_expressly_allowed = |pattern: &&str| {
        pattern.strip_prefix(PLAIN_HTTP).is_some_and(|pattern| is_same_host(endpoint.host(), pattern))
    };
    match &settings.allowed_registries {
        Some(patterns) if !patterns.iter().any(is_expressly_allowed) => findings.refuse(format!(
            "{PREFIX}{key} is {endpoint}, and the administrator does not allow that credentials travel to it in clear text: remove http:// where the registry has TLS, or ask for {endpoint} in the setting allowedRegistries"
        )),
        _ => findings.warn(format!(
            "{PREFIX}{key} begins with http://, so that credentials travel in clear text: remove http:// where the registry has TLS"
        )),
    }
}

/// Whether the administrator allows a registry by its name. Without the setting, no registry has a
/// name there.
pub(crate) fn names_registry(settings: &Settings<'_>, endpoint: &Endpoint<'_>) -> bool {
    let allowed = settings.allowed_registries.as_deref().unwrap_or_default();
    allowed.iter().any(|pattern| host_matches(endpoint.host(), pattern))
}

/// Whether the credentials of a cache are meant for the registry that a step names. `bound` is the
/// registry as the cache names it.
pub(crate) fn is_bound_to(endpoint: &Endpoint<'_>, bound: &str) -> bool {
    Endpoint::parse(bound).is_ok_and(|bound| {
        bound.is_plain_http() == endpoint.is_plain_http() && is_same_host(endpoint.host(), bound.host())
    })
}

/// Warns of a cache whose credentials no step gets.
pub(crate) fn warn_of_credentials(spec: &Spec<'_>, findings: &mut Findings) {
    if spec.oras_env.is_none() {
        return;
    }
    match spec.oras_env_registry {
        None => findings.warn("spec.secrets.orasEnv has no effect without spec.secrets.orasEnvRegistry: write the host that these credentials are for, like ghcr.io".to_owned()),
        Some(registry) if Endpoint::parse(registry).is_err() => findings.warn("spec.secrets.orasEnvRegistry is not a host with an optional port, so that no step gets the credentials: write one like ghcr.io".to_owned()),
        Some(_) => {}
    }
}

/// Whether the agent's image is one that a step may have: the one that is annotated, else the
/// operator's, or one that the settings allow.
pub(crate) fn allows_agent_image(settings: &Settings<'_>, annotated: Option<&str>, image: &str) -> bool {
    image == annotated.unwrap_or(settings.agent_image)
        || settings
            .allowed_agent_images
            .as_ref()
            .is_none_or(|patterns| patterns.iter().any(|pattern| pattern.matches(image)))
}

fn refuse_value(name: &str, value: &str, allowed: &[&str], findings: &mut Findings) {
    let remedy = match allowed {
        [] => "remove it".to_owned(),
        patterns => format!("write one of {}, or remove it", patterns.join(", ")),
    };
    findings.refuse(format!("{PREFIX}{name} is {value}, which the administrator does not allow: {remedy}"));
}

/// Refuses a step that lacks an annotation which the administrator requires in its namespace.
/// `annotations` are those of its pods. Returns whether labels of the namespace decide that, and
/// the host must look them up first.
pub(crate) fn check_required(
    settings: &Settings<'_>,
    annotations: &[Option<&Json<'_>>],
    known: &Known<'_>,
    namespace: &str,
    findings: &mut Findings,
) -> Result<bool, Error> {
    let refuse = |required: &RequiredAnnotation<'_>, findings: &mut Findings| {
        findings.refuse(format!(
            "{} is missing, which the administrator requires of steps in namespace {namespace}: give it a value",
            required.key
        ));
    };
    let mut selective = Vec::new();
    for required in settings.required_annotations.iter().filter(|required| !has(annotations, required.key)) {
        match &required.namespaces {
            None => refuse(required, findings),
            Some(selector) => selective.push((required, selector)),
        }
    }
    if selective.is_empty() {
        return Ok(false);
    }
    let candidates = known.candidates(namespace)?;
    let found = candidates.iter().find(|tree| {
        tree.get("kind").and_then(Json::as_str) == Some(&NAMESPACE.kind)
            && tree.member_of("metadata", "name").and_then(Json::as_str) == Some(namespace)
    });
    if found.is_none() {
        if !known.complete {
            return Ok(true);
        }
        findings.warn(format!("namespace {namespace} does not exist, so that what the administrator requires by its labels is judged as if it had none"));
    }
    let labels = found.and_then(|tree| tree.member_of("metadata", "labels"));
    for (required, selector) in selective {
        if selector.matches(labels) {
            refuse(required, findings);
        }
    }
    Ok(false)
}

/// Refuses a cache that is larger than allowed. A cache that was larger before may stay as it is.
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
        findings.refuse(format!(
            "spec.storage.size: this is more than the administrator allows: write at most {maximum}"
        ));
    }
}

/// Whether one of these maps has an annotation. For `input-uri` and `output-uri`, one with a number
/// counts too.
fn has(annotations: &[Option<&Json<'_>>], key: &str) -> bool {
    annotations.iter().any(|annotations| is_in(*annotations, key))
}

fn is_in(annotations: Option<&Json<'_>>, key: &str) -> bool {
    let is_set = |value: Option<&Json<'_>>| value.and_then(Json::as_str).is_some_and(|text| !text.is_empty());
    let name = key.strip_prefix(PREFIX).unwrap_or_default();
    is_set(annotations.and_then(|annotations| annotations.get(key)))
        || (matches!(name, annotation::INPUT_URI | annotation::OUTPUT_URI)
            && step_annotations::of(annotations)
                .any(|(other, value)| step_annotations::is_one_of(other, name) && is_set(Some(value))))
}
