//! A Job hands its step annotations to its pods, by its pod template. The template is not
//! rewritten: it is immutable, and applying the same manifest again would then fail.

use super::patch::Patch;
use super::step::{self, Step};
use super::step_warnings;
use crate::findings::Findings;
use crate::json::Json;
use crate::step_annotations::{self, MAX_ANNOTATIONS, Sorted};
use orascache_api::steps::ANNOTATION_PREFIX as PREFIX;
use orascache_api::template::{Placeholder, Template};
use std::borrow::Cow;

const TEMPLATE_METADATA: &str = "/spec/template/metadata";
const TEMPLATE_ANNOTATIONS: &str = "/spec/template/metadata/annotations";

/// The Job's own annotations.
fn of_job<'a>(job: &'a Json<'a>) -> Option<&'a Json<'a>> {
    job.member_of("metadata", "annotations")
}

/// The annotations of a Job's template.
pub(crate) fn of_template<'a>(job: &'a Json<'a>) -> Option<&'a Json<'a>> {
    job.member_of("spec", "template")?.member_of("metadata", "annotations")
}

/// Whether a Job has more step annotations than can be of any use. They are counted before anything
/// else is done with them.
fn has_too_many(job: &Json<'_>) -> bool {
    let number = step_annotations::of(of_template(job)).count() + step_annotations::of(of_job(job)).count();
    number > 2 * MAX_ANNOTATIONS
}

/// The step annotations that the Job's pods will have: the template's and the Job's.
pub(crate) fn of_pods<'a>(job: &'a Json<'a>, findings: &mut Findings) -> Json<'a> {
    let (template, own) = (of_template(job), of_job(job));
    if has_too_many(job) {
        // They are refused for their number: one of the two maps has too many.
        let number = |annotations| step_annotations::of(annotations).count();
        let longer = if number(own) > number(template) { own } else { template };
        return longer.cloned().unwrap_or(Json::Null);
    }
    merged(step_annotations::of(template), own, findings)
}

/// Step annotations of a template, and those of the Job that it lacks.
fn merged<'a>(
    template: impl Iterator<Item = (&'a str, &'a Json<'a>)> + Clone,
    own: Option<&'a Json<'a>>,
    findings: &mut Findings,
) -> Json<'a> {
    let mut all: Vec<(Cow<'a, str>, Json<'a>)> = Vec::new();
    let mut keep = |name: &str, value: &Json<'a>| all.push((full_key(name).into(), value.clone()));
    for (name, value) in template.clone() {
        keep(name, value);
    }
    let template: Sorted<'_> = template.collect();
    for (name, value) in step_annotations::of(own) {
        match template.get(name) {
            None => keep(name, value),
            Some(same) if same == value => {}
            Some(_) => findings.refuse(format!(
                "{PREFIX}{name} has one value on the Job and another one in spec.template: keep one of them"
            )),
        }
    }
    Json::Object(all)
}

fn full_key(name: &str) -> String {
    format!("{PREFIX}{name}")
}

/// Copies the Job's step annotations to its template.
pub(crate) fn copy<'a>(job: &'a Json<'a>) -> Patch<'a> {
    add_missing(job, step_annotations::of(of_job(job)))
}

/// Adds those step annotations that the template lacks.
fn add_missing<'a>(
    job: &'a Json<'a>,
    annotations: impl Iterator<Item = (&'a str, &'a Json<'a>)>,
) -> Patch<'a> {
    let mut patch = Patch::default();
    let template = of_template(job);
    let present = Sorted::of(template);
    let missing: Vec<(String, Json<'a>)> = annotations
        .filter(|(name, _)| present.get(name).is_none())
        .map(|(name, value)| (full_key(name), value.clone()))
        .collect();
    if template.is_some() {
        for (key, value) in missing {
            patch.set(TEMPLATE_ANNOTATIONS, true, &key, value);
        }
    } else if !missing.is_empty() {
        let template = job.member_of("spec", "template");
        let has_metadata = template.and_then(|template| template.member("metadata")).is_some();
        let members = missing.into_iter().map(|(key, value)| (key.into(), value)).collect();
        patch.set(TEMPLATE_METADATA, has_metadata, "annotations", Json::Object(members));
    }
    patch
}

/// Changes of a Job's template that follow from an update of the Job. The template of a Job that
/// has started keeps its annotations, since it is immutable. The template of a suspended one
/// follows the Job.
pub(crate) fn carry_over<'a>(job: &'a Json<'a>, old: &'a Json<'a>, findings: &mut Findings) -> Patch<'a> {
    if has_too_many(job) || has_too_many(old) {
        findings.warn(format!(
            "there are more than {} annotations under {PREFIX} on the Job and its template, so that they are not handed to its pods: pull one artifact with all files instead of many",
            2 * MAX_ANNOTATIONS
        ));
        return Patch::default();
    }
    let before = Sorted::of(of_job(old));
    if may_change_template(old) {
        // Nothing is refused on an update. Warnings say why the Job's pods will be refused.
        let mut later = Findings::default();
        let annotations = followed(job, &before, &mut later);
        if step_annotations::of(Some(&annotations)).next().is_some() {
            step::read(Some(&annotations), &mut later);
        }
        findings.warnings.extend(later.problems);
        findings.warnings.extend(later.warnings);
        return follow(job, &before);
    }
    let (now, in_template) = (Sorted::of(of_job(job)), Sorted::of(of_template(old)));
    let is_within = |all: Option<&Json<'_>>, other: &Sorted<'_>| {
        step_annotations::of(all).all(|(name, value)| other.get(name) == Some(value))
    };
    let is_same = is_within(of_job(job), &before) && is_within(of_job(old), &now);
    // Annotations that came after the template was made have no effect either.
    if !is_same || !is_within(of_job(job), &in_template) {
        findings.warn(format!(
            "the annotations under {PREFIX} are handed to a Job's pods when it is created: delete the Job and create it again for the new ones to count"
        ));
    }
    // Annotations that the template got from the Job stay. Its own are between the user and the API
    // server.
    add_missing(job, copied(&before, of_template(old)))
}

/// Annotations of a template that were copied from the Job: they have the values that the Job had
/// before the update.
fn copied<'a>(
    before: &Sorted<'a>,
    template: Option<&'a Json<'a>>,
) -> impl Iterator<Item = (&'a str, &'a Json<'a>)> {
    step_annotations::of(template).filter(|(name, value)| before.get(name) == Some(*value))
}

/// The step annotations that the pods of a suspended Job will have once its template has followed
/// it.
fn followed<'a>(job: &'a Json<'a>, before: &Sorted<'a>, findings: &mut Findings) -> Json<'a> {
    // What was copied follows the Job, so that it contradicts nothing.
    let own = step_annotations::of(of_template(job)).filter(|(name, value)| before.get(name) != Some(*value));
    merged(own, of_job(job), findings)
}

/// The annotations that were copied to the template follow the Job's. The template's own stay.
fn follow<'a>(job: &'a Json<'a>, before: &Sorted<'a>) -> Patch<'a> {
    let now = Sorted::of(of_job(job));
    let mut patch = copy(job);
    for (name, value) in copied(before, of_template(job)) {
        let key = full_key(name);
        match now.get(name) {
            Some(new) if new != value => patch.set(TEMPLATE_ANNOTATIONS, true, &key, new.clone()),
            Some(_) => {}
            None => patch.remove(TEMPLATE_ANNOTATIONS, &key),
        }
    }
    patch
}

/// Scheduling directives and annotations of the template may change before a suspended Job has
/// started (KEP-2926).
fn may_change_template(old: &Json<'_>) -> bool {
    old.member_of("spec", "suspend") == Some(&Json::Bool(true))
        && old.member_of("status", "startTime").is_none()
}

/// Rules that only a Job has.
pub(crate) fn check(job: &Json<'_>, step: &Step<'_>, findings: &mut Findings) {
    let spec = |name| job.member_of("spec", name);
    let is_indexed = spec("completionMode").and_then(Json::as_str) == Some("Indexed");
    let is_parallel = ["completions", "parallelism"]
        .into_iter()
        .any(|name| matches!(spec(name), Some(Json::Int(number)) if *number > 1));
    if step.placeholders().contains(Placeholder::Index) && !is_indexed {
        findings.refuse("the placeholder {index} is the number of a pod in an indexed Job: set spec.completionMode to Indexed, or write {pod}".to_owned());
    }
    if let Some(spec) = job.member("spec") {
        step_warnings::warn_of_deadline(spec, "spec", step, findings);
    }
    if !is_indexed && !is_parallel {
        return;
    }
    let differs = |output: &Template<'_>| {
        [Placeholder::Index, Placeholder::Pod].into_iter().any(|one| output.placeholders().contains(one))
    };
    let wanted = if is_indexed { "{index}" } else { "{pod}" };
    for output in step.outputs.iter().map(|output| output.output).filter(|output| !differs(output)) {
        findings.warn(format!(
            "every pod of this Job pushes to {} and the last one wins: write {wanted} into the URI",
            output.text()
        ));
    }
}
