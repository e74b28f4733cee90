//! Jobs for work on a registry that should run and have no pod: a quota, a limit range, a policy or a
//! webhook refuses it. Their controller tries again for ever, and says so in Events alone, so that the
//! CronJob would wait without a word.

use crate::json::Json;
use crate::kinds::POD;
use crate::observed::{Object, Objects};
use orascache_contract::time::parse_rfc3339;

/// How long a Job may have no pod, in seconds. Its controller makes the first one at once.
const PATIENCE: u64 = 60;

/// What was found.
#[derive(Debug, Default)]
pub(crate) struct JobsWithoutPods {
    pub(crate) names: Vec<String>,
    /// When another Job may be one of these, in seconds since the Unix epoch.
    pub(crate) look_at: Option<u64>,
}

impl JobsWithoutPods {
    /// Adds those of these Jobs that should run.
    pub(crate) fn add<'j, 'a: 'j>(
        &mut self,
        jobs: impl Iterator<Item = &'j Object<'a>>,
        pods: &Objects<'_>,
        now: u64,
    ) {
        for job in jobs.filter(|job| !pods.of_kind(&POD).any(|pod| pod.is_controlled_by(job.uid))) {
            let made = job.metadata("creationTimestamp").and_then(Json::as_str).and_then(parse_rfc3339);
            let Some(due) = made.map(|made| made.saturating_add(PATIENCE)) else { continue };
            if due <= now {
                self.names.push(job.name().to_owned());
            } else {
                self.look_at = Some(self.look_at.map_or(due, |before| before.min(due)));
            }
        }
    }
}

/// Whether a CronJob counts a Job among those that run (batch/v1 CronJobStatus).
pub(crate) fn is_run_of(cron_job: &Object<'_>, job: &Object<'_>) -> bool {
    let active = cron_job.raw_status.map(|status| status.items("active")).unwrap_or_default();
    active.iter().any(|one| one.get("uid").and_then(Json::as_str) == Some(job.uid))
}

/// Whether a Job that has been looked at by its controller has had no pod, and has neither ended nor
/// been paused (batch/v1 JobStatus).
pub(crate) fn has_not_begun(job: &Object<'_>) -> bool {
    job.raw_status.is_some_and(|status| {
        let is_none = |counter| !matches!(status.get(counter), Some(Json::Int(1..)));
        status.items("conditions").is_empty() && ["active", "succeeded", "failed"].into_iter().all(is_none)
    })
}
