//! Reviews of pods: a new pod is rewritten so that the agent runs its step, and an update keeps that.

use super::cache_lookup::{self, Found, need};
use super::decision::Decision;
use super::image_program::{self, Program};
use super::injected::{self, Injected};
use super::injection::Injection;
use super::known::Known;
use super::network::Network;
use super::pod::{Pod, PodSource};
use super::request::Request;
use super::step_container::{self, check_connection};
use super::step_warnings::warn_idle;
use super::{carry_over, foreign_caches, gate, inject, near_misses, policy, reuse, size, step};
use crate::findings::Findings;
use crate::settings::Settings;
use crate::step_annotations;
use orascache_api::names::KIND;
use orascache_api::steps::{ANNOTATION_PREFIX as PREFIX, INJECTED_ANNOTATION, annotation};
use orascache_contract::Error;

pub(crate) fn create_pod(
    request: &Request<'_>,
    known: &Known<'_>,
    settings: &Settings<'_>,
    findings: &mut Findings,
) -> Result<Decision, Error> {
    let Some(object) = request.object else { return Ok(Decision::default()) };
    near_misses::warn(object, "", findings);
    let annotations = object.member_of("metadata", "annotations");
    if step_annotations::of(annotations).next().is_none() {
        return Ok(Decision::default());
    }
    if size::refuse_too_large("pod", request, findings) {
        return Ok(Decision::default());
    }
    let Some(pod) = Pod::read(object, PodSource::Pod, findings) else { return Ok(Decision::default()) };
    let injected = Injected::of(&pod);
    let step = step::read(annotations, findings);
    let container = if injected == Injected::No {
        if step.is_idle() && findings.problems.is_empty() {
            warn_idle(findings);
            return Ok(Decision::default());
        }
        if step_container::takes_no_part(&pod, &step, findings) {
            return Ok(Decision::default());
        }
        step_container::prepare(&pod, &step, findings)
    } else {
        None
    };
    let namespace = request.namespace;
    policy::check_step(settings, &step, findings);
    let program = container.and_then(|container| {
        reuse::check(&pod, container, &step, settings, findings);
        image_program::find(&pod, container, known, settings, findings)
    });
    let question = program.as_ref().and_then(Program::question);
    foreign_caches::check(settings, &step, &pod, namespace, findings);
    let needs_namespace = policy::check_required(settings, &[annotations], known, namespace, findings)?;
    if step.cache.is_empty() || !findings.problems.is_empty() {
        // A request that is refused anyway needs no lookup of its cache.
        return Ok(Decision::default());
    }
    let candidates = known.candidates(step.cache)?;
    let found = cache_lookup::find(&candidates, known, step.cache, namespace);
    if let Some(needed) = need(&found, &step, namespace, needs_namespace, question) {
        return Ok(needed);
    }
    let cache = match found {
        Found::Need => return Ok(Decision::default()),
        Found::Cache(cache) => cache,
        Found::Unusable(why) => {
            findings.refuse(why);
            return Ok(Decision::default());
        }
        Found::Missing => {
            findings.refuse(format!(
                "{KIND} {} does not exist in namespace {namespace}: create it first, or name another one in {PREFIX}{}",
                step.cache,
                annotation::CACHE
            ));
            return Ok(Decision::default());
        }
    };
    let credentials = cache_lookup::check(&pod, container, &step, &cache, settings, findings);
    let network = Network::of(&step, &cache, settings);
    let injection = Injection {
        step: &step,
        endpoint: match &step.registry {
            Some(registry) => registry.clone(),
            None => cache.endpoint.clone(),
        },
        credentials,
        image: step.image.unwrap_or(settings.agent_image),
        proxy_resources: settings.proxy_resources,
        network,
        provenance: settings.provenance,
    };
    if injected != Injected::No {
        // The author of the original pod has already got the warnings about its annotations.
        findings.warnings.clear();
        injected::check(&pod, &injection, settings, injected, findings);
        return Ok(Decision::default());
    }
    let (Some(container), Some(program)) = (container, program) else { return Ok(Decision::default()) };
    check_connection(&pod, container, &injection.credentials, &injection.network, findings);
    let mut patch = inject::patch(&pod, container, &injection, program);
    // The operator does not know the authorities of caches, so that it cannot look for the inputs.
    if step.registry.is_some() || !cache.has_tls() {
        gate::add(&pod, namespace, settings, &mut patch);
    }
    Ok(Decision::patch(patch, "injected"))
}

pub(crate) fn update_pod(
    request: &Request<'_>,
    settings: &Settings<'_>,
    findings: &mut Findings,
) -> Decision {
    let (Some(new), Some(old)) = (request.object, request.old_object) else { return Decision::default() };
    let marker = old.member_of("metadata", "annotations").and_then(|all| all.member(INJECTED_ANNOTATION));
    // An update that changes neither the spec nor the step is left alone however large the pod is:
    // finalizers must stay removable.
    if marker.is_none() || (size::is_too_large(request) && new.member("spec") == old.member("spec")) {
        return Decision::default();
    }
    if size::refuse_too_large("pod", request, findings) {
        return Decision::default();
    }
    // Wrong types in an update are left to the API server: finalizers must stay removable.
    let ignored = &mut Findings::default();
    let (Some(new), Some(old)) =
        (Pod::read(new, PodSource::Pod, ignored), Pod::read(old, PodSource::Pod, ignored))
    else {
        return Decision::default();
    };
    let injected = Injected::of(&old);
    if injected != Injected::No {
        carry_over::check_images(&new, &old, settings, findings);
    }
    if injected != Injected::Step {
        return Decision::default();
    }
    Decision::patch(carry_over::patch(&new, &old, findings), "carried over")
}
