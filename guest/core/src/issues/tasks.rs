//! Issues of the work on a registry: registries that are not allowed, and runs that failed.

use crate::issue::{Impact, Issue, Reason};
use crate::json::Json;
use crate::observed::Object;
use crate::primary::Primary;
use crate::settings::Settings;
use crate::tasks::split;
use orascache_api::endpoint::Endpoint;

/// The issue of registries that the administrator does not allow. Nothing is copied from or to any
/// while one is named.
pub(crate) fn of_registries(primary: &Primary<'_>, settings: &Settings<'_>) -> Option<Issue> {
    let tasks = &primary.spec.tasks;
    let artifacts = tasks.seed.iter().flat_map(|seed| &seed.artifacts);
    let sources = artifacts.map(|artifact| ("spec.seed.artifacts", artifact.source));
    let destination = tasks.export.iter().map(|export| ("spec.export.destination", export.destination));
    let refused = sources.chain(destination).find_map(|(field, text)| {
        let endpoint = Endpoint::parse(split(text).0).ok()?;
        let refusal = settings.refuse_registry(endpoint.host())?;
        Some(format!("{field} {refusal}."))
    })?;
    Some(Issue::new(Reason::RegistryNotAllowed, Impact::Warning, refused))
}

/// The issues of runs that failed.
pub(crate) fn of_runs(
    retention: Option<&Object<'_>>,
    export: Option<&Object<'_>>,
    seed: Option<&Object<'_>>,
) -> Vec<Issue> {
    let scheduled = [(retention, Reason::RetentionFailed), (export, Reason::ExportFailed)];
    let mut issues: Vec<Issue> = scheduled
        .into_iter()
        .filter_map(|(object, reason)| {
            let object = object?;
            let started = failed_run(object)?;
            let name = object.name();
            let message = format!(
                "The run of CronJob {name} that began at {started} did not succeed: kubectl logs of its pods says why. The next one follows by its schedule."
            );
            Some(Issue::new(reason, Impact::Warning, message))
        })
        .collect();
    issues.extend(seed.filter(|job| has_failed(job)).map(|job| {
        let message = format!(
            "Not all seeds could be copied: kubectl logs job/{} says why. Delete the Job to try again.",
            job.name()
        );
        Issue::new(Reason::SeedFailed, Impact::Warning, message)
    }));
    issues
}

/// The issues of Jobs that should run and have no pod.
pub(crate) fn of_jobs_without_pods(names: &[String]) -> Vec<Issue> {
    let issue = |name: &String| {
        let message = format!(
            "Job {name} gets no pod, and no later run begins before it ends. A quota, a limit range, a policy or a webhook may refuse the pod: kubectl describe job {name} shows why. spec.taskResources says what it asks for. The registry works all the same."
        );
        Issue::new(Reason::PodsNotCreated, Impact::Warning, message)
    };
    names.iter().map(issue).collect()
}

/// When the last run of a CronJob began, where it has ended without success (batch/v1 CronJobStatus).
fn failed_run<'a>(object: &Object<'a>) -> Option<&'a str> {
    let status = object.raw_status?;
    let time = |name| status.member(name).and_then(Json::as_str);
    let started = time("lastScheduleTime")?;
    // Both are written alike, so that their order is that of the texts.
    let succeeded = time("lastSuccessfulTime").is_some_and(|succeeded| succeeded >= started);
    (status.items("active").is_empty() && !succeeded).then_some(started)
}

/// Whether a Job has given up (batch/v1 JobStatus, conditions).
fn has_failed(job: &Object<'_>) -> bool {
    job.raw_status.is_some_and(|status| {
        status.items("conditions").iter().any(|condition| {
            let text = |member| condition.get(member).and_then(Json::as_str);
            text("type") == Some("Failed") && text("status") == Some("True")
        })
    })
}
