//! Whether a Job has completed or failed.

use super::counts::{Counts, Failures, number};
use super::failure_policy::Verdict;
use k8s_openapi::api::batch::v1::{Job, JobSpec};
use k8s_openapi::jiff::Timestamp;
use std::collections::BTreeSet;
use std::time::Duration;

/// How a Job ends.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Outcome {
    Complete,
    Failed { reason: &'static str, message: String },
}

impl Outcome {
    fn failed(reason: &'static str, message: &str) -> Self {
        Outcome::Failed { reason, message: message.to_owned() }
    }
}

/// How long a Job may still run, where it says so.
pub(super) fn until_deadline(job: &Job, spec: &JobSpec, now: Timestamp) -> Option<Duration> {
    let limit = u64::try_from(spec.active_deadline_seconds?).ok()?;
    let start = job.status.as_ref()?.start_time.as_ref()?.0;
    let passed = Duration::try_from(now.duration_since(start)).unwrap_or_default();
    Some(Duration::from_secs(limit).saturating_sub(passed))
}

/// How the Job ends; `None` while it goes on. `failed` are the indexes that failed, of a Job that has a
/// limit for each index.
pub(super) fn outcome(
    spec: &JobSpec,
    failures: &Failures<'_>,
    counts: &Counts,
    failed: Option<&BTreeSet<i32>>,
    until_deadline: Option<Duration>,
) -> Option<Outcome> {
    let message = failures.iter().find_map(|(_, verdict)| match verdict {
        Verdict::FailJob(message) => Some(message.clone()),
        _ => None,
    });
    if let Some(message) = message {
        return Some(Outcome::Failed { reason: "PodFailurePolicy", message });
    }
    let failed_count = failed.map_or(0, |failed| number(failed.len()));
    if spec.max_failed_indexes.is_some_and(|most| failed_count > most) {
        let message = "Job has exceeded the specified maximal number of failed indexes";
        return Some(Outcome::failed("MaxFailedIndexesExceeded", message));
    }
    let limit = spec.backoff_limit.unwrap_or(if failed.is_some() { i32::MAX } else { 6 });
    if counts.failed > limit {
        return Some(Outcome::failed("BackoffLimitExceeded", "Job has reached the specified backoff limit"));
    }
    if until_deadline == Some(Duration::ZERO) {
        let message = "Job was active longer than specified deadline";
        return Some(Outcome::failed("DeadlineExceeded", message));
    }
    match spec.completions {
        Some(completions) if counts.succeeded >= completions => Some(Outcome::Complete),
        Some(completions) if failed_count > 0 && counts.succeeded + failed_count >= completions => {
            Some(Outcome::failed("FailedIndexes", "Job has failed indexes"))
        }
        // A work queue: it is empty when a pod succeeds.
        None if counts.succeeded > 0 && counts.active == 0 => Some(Outcome::Complete),
        _ => None,
    }
}
