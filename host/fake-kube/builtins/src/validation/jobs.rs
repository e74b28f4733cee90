//! Jobs and cron jobs.

use fake_kube_apimachinery::status::Cause;
use serde_json::Value;

use super::causes::{immutable, invalid, unsupported};
use super::numbers::not_negative;
use super::{pods, selectors};
use crate::json::{Fields, copy, ensure, items};

/// The longest name of a CronJob. The controller appends eleven characters to it, for the time of a
/// Job, and the name of a Job has at most 63.
const CRON_JOB_NAME: usize = 52;

pub(super) fn job(object: &Value, causes: &mut Vec<Cause>) {
    let spec = object.at("spec");
    if spec.has("selector") {
        selectors::label_selector(spec.at("selector"), "spec.selector", causes);
        selectors::check_template(spec.at("selector"), spec, causes);
    } else {
        causes.push(Cause::required("spec.selector", ""));
    }
    job_spec(spec, "spec", causes);
}

fn job_spec(spec: &Value, path: &str, causes: &mut Vec<Cause>) {
    for field in
        ["parallelism", "completions", "activeDeadlineSeconds", "backoffLimit", "ttlSecondsAfterFinished"]
    {
        not_negative(spec, field, path, causes);
    }
    match spec.text("completionMode") {
        "" | "NonIndexed" => {}
        "Indexed" => {
            if !spec.has("completions") {
                causes
                    .push(Cause::required(format!("{path}.completions"), "when completion mode is Indexed"));
            }
        }
        other => {
            causes.push(unsupported(format!("{path}.completionMode"), other, &["Indexed", "NonIndexed"]))
        }
    }
    let replacement = spec.text("podReplacementPolicy");
    if !matches!(replacement, "" | "Failed" | "TerminatingOrFailed") {
        let allowed = &["Failed", "TerminatingOrFailed"];
        causes.push(unsupported(format!("{path}.podReplacementPolicy"), replacement, allowed));
    }
    let template = format!("{path}.template");
    pods::template(spec.at("template"), &template, causes);
    match spec.path(&["template", "spec"]).text("restartPolicy") {
        // `Always` is the default of pods, so the field was most likely left out.
        "Always" => causes.push(Cause::required(
            format!("{template}.spec.restartPolicy"),
            "valid values: \"OnFailure\", \"Never\"",
        )),
        "OnFailure" if spec.has("podFailurePolicy") => causes.push(Cause::invalid(
            format!("{template}.spec.restartPolicy"),
            &"OnFailure".into(),
            "only \"Never\" is supported when podFailurePolicy is specified",
        )),
        "OnFailure" | "Never" => {}
        other => {
            causes.push(unsupported(
                format!("{template}.spec.restartPolicy"),
                other,
                &["Never", "OnFailure"],
            ));
        }
    }
}

/// Validates that an update changes only what may change in a job.
pub(super) fn job_update(new: &Value, old: &Value, causes: &mut Vec<Cause>) {
    let (new_spec, old_spec) = (new.at("spec"), old.at("spec"));
    let indexed = new_spec.text("completionMode") == "Indexed";
    // An indexed Job can be scaled: both numbers change together.
    if !indexed || new_spec.at("completions") != new_spec.at("parallelism") {
        causes.extend(immutable("spec.completions", new_spec.at("completions"), old_spec.at("completions")));
    }
    causes.extend(immutable("spec.selector", new_spec.at("selector"), old_spec.at("selector")));
    let mut template = new_spec.at("template").clone();
    let never_ran = !old.at("status").has("startTime") && old_spec.flag("suspend");
    if never_ran {
        keep_scheduling(old_spec.at("template"), &mut template);
    }
    causes.extend(immutable("spec.template", &template, old_spec.at("template")));
    for field in ["completionMode", "podFailurePolicy", "backoffLimitPerIndex", "managedBy", "successPolicy"]
    {
        let field_path = format!("spec.{field}");
        causes.extend(immutable(&field_path, new_spec.at(field), old_spec.at(field)));
    }
}

/// Takes the scheduling fields out of the comparison: they may change in a suspended Job that never
/// ran.
fn keep_scheduling(old: &Value, template: &mut Value) {
    for field in ["labels", "annotations"] {
        if let Some(metadata) = ensure(template, "metadata") {
            copy(old.at("metadata"), metadata, field);
        }
    }
    if let Some(spec) = ensure(template, "spec") {
        for field in ["nodeSelector", "tolerations", "schedulingGates", "affinity"] {
            copy(old.at("spec"), spec, field);
        }
        for (container, before) in items(spec, "containers").zip(old.at("spec").list("containers")) {
            copy(before, container, "resources");
        }
    }
}

pub(super) fn cron_job(object: &Value, causes: &mut Vec<Cause>) {
    let name = object.at("metadata").text("name");
    if name.len() > CRON_JOB_NAME {
        let sentence = format!("must be no more than {CRON_JOB_NAME} characters");
        causes.push(invalid("metadata.name".to_owned(), name, &sentence));
    }
    let spec = object.at("spec");
    let schedule = spec.text("schedule");
    if schedule.is_empty() {
        causes.push(Cause::required("spec.schedule", ""));
    } else if !schedule.starts_with('@') {
        let fields = schedule.split_whitespace().count();
        if fields != 5 {
            let sentence = format!("expected exactly 5 fields, found {fields}: {schedule:?}");
            causes.push(invalid("spec.schedule".to_owned(), schedule, &sentence));
        }
    }
    let allowed = ["Allow", "Forbid", "Replace"];
    match spec.text("concurrencyPolicy") {
        "" => causes.push(Cause::required("spec.concurrencyPolicy", "")),
        known if allowed.contains(&known) => {}
        other => causes.push(unsupported("spec.concurrencyPolicy".to_owned(), other, &allowed)),
    }
    for field in ["startingDeadlineSeconds", "successfulJobsHistoryLimit", "failedJobsHistoryLimit"] {
        not_negative(spec, field, "spec", causes);
    }
    job_spec(spec.path(&["jobTemplate", "spec"]), "spec.jobTemplate.spec", causes);
}
