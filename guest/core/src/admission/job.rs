//! A Job hands its annotations to its pods. Its template is not rewritten: a rewritten one would clash with the
//! template's immutability whenever the same manifest is applied again.

use super::PREFIX;
use super::findings::Findings;
use super::patch::Patch;
use super::pod::{member, member_of};
use super::step::{self, Step, ours};
use super::template::{fill, joined, quoted};
use crate::json::Json;
use std::borrow::Cow;

const TEMPLATE_METADATA: &str = "/spec/template/metadata";

/// The Job's own annotations.
fn of_job<'a>(job: &'a Json<'a>) -> Option<&'a Json<'a>> {
    member_of(job, "metadata", "annotations")
}

/// The annotations of a Job's template.
pub(crate) fn of_template<'a>(job: &'a Json<'a>) -> Option<&'a Json<'a>> {
    member_of(member_of(job, "spec", "template")?, "metadata", "annotations")
}

/// The annotations under our prefix as its pods will have them: the template's, and the Job's.
pub(crate) fn of_pods<'a>(job: &'a Json<'a>, findings: &mut Findings) -> Json<'a> {
    let said = ours(of_template(job)).count() + ours(of_job(job)).count();
    if said > 2 * step::MAX_ANNOTATIONS {
        // Enough to be refused for their number, without comparing all of them.
        return of_template(job).or_else(|| of_job(job)).cloned().unwrap_or(Json::Null);
    }
    let mut all: Vec<(Cow<'a, str>, Json<'a>)> = Vec::new();
    let mut keep = |key: &str, value: &Json<'a>| {
        all.push((Cow::Owned([PREFIX, key].concat()), value.clone()));
    };
    for (key, value) in ours(of_template(job)) {
        keep(key, value);
    }
    for (key, value) in ours(of_job(job)) {
        match ours(of_template(job)).find(|(other, _)| *other == key) {
            None => keep(key, value),
            Some((_, same)) if same == value => {}
            Some(_) => findings.refuse(
                "@% has one value on the Job and another one in spec.template: keep one of them",
                &[key],
            ),
        }
    }
    Json::Object(all)
}

/// Copies the Job's annotations to its template.
pub(crate) fn copy(job: &Json<'_>) -> Patch {
    hand_on(job, ours(of_job(job)))
}

/// Adds those annotations, named without our prefix, that the template lacks.
fn hand_on<'j>(job: &Json<'_>, annotations: impl Iterator<Item = (&'j str, &'j Json<'j>)>) -> Patch {
    let mut patch = Patch::default();
    let template = of_template(job);
    let missing: Vec<(String, String)> = annotations
        .filter(|(key, _)| !ours(template).any(|(other, _)| other == *key))
        .map(|(key, value)| (fill("@%", &[key]), value.to_text()))
        .collect();
    let map = [TEMPLATE_METADATA, "/annotations"].concat();
    if template.is_some() {
        for (key, value) in missing {
            patch.set(&map, true, &key, &value);
        }
    } else if !missing.is_empty() {
        let has_metadata =
            member_of(job, "spec", "template").and_then(|template| member(template, "metadata")).is_some();
        let members: Vec<String> =
            missing.iter().map(|(key, value)| fill("%:%", &[&quoted(key), value])).collect();
        patch.set(TEMPLATE_METADATA, has_metadata, "annotations", &fill("{%}", &[&joined(&members)]));
    }
    patch
}

/// On an update the template keeps what it has: it cannot change any more, except while the Job waits for its
/// first start.
pub(crate) fn carry_over(job: &Json<'_>, old: &Json<'_>, findings: &mut Findings) -> Patch {
    if may_change_template(old) {
        // Nothing is refused on an update, but what its pods will be refused for can be said.
        let mut later = Findings::default();
        let annotations = of_pods(job, &mut later);
        if ours(Some(&annotations)).next().is_some() {
            step::read(Some(&annotations), &mut later);
        }
        findings.warnings.extend(later.problems);
        findings.warnings.extend(later.warnings);
        return follow(job, old);
    }
    let same = |new: Option<&Json<'_>>, old: Option<&Json<'_>>| {
        let within = |all: Option<&Json<'_>>, other: Option<&Json<'_>>| {
            ours(all).all(|pair| ours(other).any(|candidate| candidate == pair))
        };
        within(new, old) && within(old, new)
    };
    // A template that was annotated too late, or by hand, is as good as a change.
    let kept = ours(of_job(job)).all(|pair| ours(of_template(old)).any(|candidate| candidate == pair));
    if !same(of_job(job), of_job(old)) || !kept {
        findings.warn("the annotations under @ are handed to a Job's pods when it is created: delete the Job and create it again for the new ones to count", &[]);
    }
    // What the template was handed stays; what it says by itself is between the user and the API server.
    hand_on(job, handed(old, of_template(old)))
}

/// Those annotations of a template that have the values of the old Job's own.
fn handed<'j>(
    old: &'j Json<'j>,
    template: Option<&'j Json<'j>>,
) -> impl Iterator<Item = (&'j str, &'j Json<'j>)> {
    ours(template).filter(|pair| ours(of_job(old)).any(|own| own == *pair))
}

/// What the template was handed follows the Job's annotations; what it says by itself stays.
fn follow(job: &Json<'_>, old: &Json<'_>) -> Patch {
    let annotations = of_job(job);
    let map = [TEMPLATE_METADATA, "/annotations"].concat();
    let mut patch = copy(job);
    for (key, value) in handed(old, of_template(job)) {
        let name = fill("@%", &[key]);
        match ours(annotations).find(|(other, _)| *other == key) {
            Some((_, new)) if new != value => patch.set(&map, true, &name, &new.to_text()),
            Some(_) => {}
            None => patch.remove(&map, &name),
        }
    }
    patch
}

/// Scheduling directives and annotations of the template may change before a suspended Job has started
/// (KEP-2926).
fn may_change_template(old: &Json<'_>) -> bool {
    member_of(old, "spec", "suspend") == Some(&Json::Bool(true))
        && member_of(old, "status", "startTime").is_none()
}

/// Rules that only a Job has.
pub(crate) fn check(job: &Json<'_>, step: &Step<'_>, findings: &mut Findings) {
    let spec = |name| member_of(job, "spec", name);
    let is_indexed = spec("completionMode").and_then(Json::as_str) == Some("Indexed");
    let is_parallel = ["completions", "parallelism"]
        .into_iter()
        .any(|name| matches!(spec(name), Some(Json::Int(number)) if *number > 1));
    if step.placeholders().index && !is_indexed {
        findings.refuse("the placeholder {index} is the number of a pod in an indexed Job: set spec.completionMode to Indexed, or write {pod}", &[]);
    }
    let Some(output) = step.output else { return };
    let differs = output.placeholders.index || output.placeholders.pod;
    if !differs && (is_indexed || is_parallel) {
        let wanted = if is_indexed { "{index}" } else { "{pod}" };
        findings.warn(
            "every pod of this Job pushes to % and the last one wins: write % into the URI",
            &[output.uri, wanted],
        );
    }
}
