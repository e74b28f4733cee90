//! Reviews of Jobs: a new Job hands its annotations to its pods, and an update keeps them there.

use super::cache_lookup::{self, Found, need};
use super::decision::Decision;
use super::image_program::{self, Program};
use super::known::Known;
use super::network::Network;
use super::pod::{Pod, PodSource};
use super::request::Request;
use super::step_container::{self, check_connection};
use super::step_warnings::warn_idle;
use super::{foreign_caches, job, near_misses, policy, reuse, size, step};
use crate::findings::Findings;
use crate::settings::Settings;
use crate::step_annotations;
use orascache_api::names::KIND;
use orascache_contract::Error;

pub(crate) fn create_job(
    request: &Request<'_>,
    known: &Known<'_>,
    settings: &Settings<'_>,
    findings: &mut Findings,
) -> Result<Decision, Error> {
    let Some(job) = request.object else { return Ok(Decision::default()) };
    near_misses::warn(job, "", findings);
    if let Some(template) = job.member_of("spec", "template") {
        near_misses::warn(template, "spec.template.", findings);
    }
    let annotations = job::of_pods(job, findings);
    if step_annotations::of(Some(&annotations)).next().is_none() {
        return Ok(Decision::default());
    }
    if size::refuse_too_large("Job", request, findings) {
        return Ok(Decision::default());
    }
    let pod = match job.member_of("spec", "template") {
        Some(template) => Pod::read(template, PodSource::JobTemplate, findings),
        None => {
            findings.refuse("spec.template is missing: write the pod that the Job runs".to_owned());
            None
        }
    };
    let step = step::read(Some(&annotations), findings);
    let Some(pod) = pod else { return Ok(Decision::default()) };
    if step.is_idle() && findings.problems.is_empty() {
        warn_idle(findings);
        return Ok(Decision::default());
    }
    if step_container::takes_no_part(&pod, &step, findings) {
        return Ok(Decision::patch(job::copy(job), "annotations handed to the template"));
    }
    let container = step_container::prepare(&pod, &step, findings);
    let program = container.and_then(|container| {
        reuse::check(&pod, container, &step, settings, findings);
        image_program::find(&pod, container, known, settings, findings)
    });
    let question = program.as_ref().and_then(Program::question);
    job::check(job, &step, findings);
    let namespace = request.namespace;
    policy::check_step(settings, &step, findings);
    foreign_caches::check(settings, &step, &pod, namespace, findings);
    // The Job's pods get the step annotations among the Job's own annotations.
    let of_pods = [Some(&annotations), job::of_template(job)];
    let needs_namespace = policy::check_required(settings, &of_pods, known, namespace, findings)?;
    if step.cache.is_empty() || !findings.problems.is_empty() {
        return Ok(Decision::default());
    }
    let candidates = known.candidates(step.cache)?;
    let found = cache_lookup::find(&candidates, known, step.cache, namespace);
    if let Some(needed) = need(&found, &step, namespace, needs_namespace, question) {
        return Ok(needed);
    }
    match found {
        Found::Need => return Ok(Decision::default()),
        Found::Cache(cache) => {
            let credentials = cache_lookup::check(&pod, container, &step, &cache, settings, findings);
            let network = Network::of(&step, &cache, settings);
            if let Some(container) = container {
                check_connection(&pod, container, &credentials, &network, findings);
            }
        }
        Found::Unusable(why) => findings.warn(why),
        // The Job's controller tries again and again, so that the cache may come later.
        Found::Missing => findings.warn(format!(
            "{KIND} {} does not exist in namespace {namespace} yet: the pods of this Job are refused until it does",
            step.cache
        )),
    }
    Ok(Decision::patch(job::copy(job), "annotations handed to the template"))
}

pub(crate) fn update_job(request: &Request<'_>, findings: &mut Findings) -> Decision {
    match (request.object, request.old_object) {
        (Some(new), Some(old)) if new.member("spec").is_some() => {
            Decision::patch(job::carry_over(new, old, findings), "annotations carried over")
        }
        _ => Decision::default(),
    }
}
