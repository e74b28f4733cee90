//! Jobs for work on a registry that should run and have no pod: a quota, a limit range, a policy or
//! a webhook refuses it. Their controller tries again for ever, and says so in Events alone, so that
//! the CronJob would wait without a word.

use crate::json::Json;
use crate::kinds::POD;
use crate::observed::{Object, Objects};
use orascache_contract::time::parse_rfc3339;

/// How long a Job may have no pod, in seconds. Its controller makes the first one at once.
const PATIENCE: u64 = 60;

/// Numbers of pods that run and that have ended.
const COUNTERS: [&str; 3] = ["active", "succeeded", "failed"];

/// Fields of a Job that the host keeps. A status without counters and conditions would not be kept
/// without its time.
pub(crate) const JOB_FIELDS: &[&str] =
    &["/status/active", "/status/conditions", "/status/failed", "/status/startTime", "/status/succeeded"];

/// What was found.
#[derive(Debug, Default)]
pub(crate) struct JobsWithoutPods {
    pub(crate) names: Vec<String>,
    /// When another Job may be one of these, in seconds since the Unix epoch.
    pub(crate) look_at: Option<u64>,
}

impl JobsWithoutPods {
    /// Adds those of these Jobs that should run and have no pod.
    pub(crate) fn add<'j, 'a: 'j>(
        &mut self,
        jobs: impl Iterator<Item = &'j Object<'a>>,
        pods: &Objects<'_>,
        now: u64,
    ) {
        for job in jobs {
            let Some(due) = waits_since(job).map(|started| started.saturating_add(PATIENCE)) else {
                continue;
            };
            if pods.of_kind(&POD).any(|pod| pod.is_controlled_by(job.uid)) {
                continue;
            }
            if due <= now {
                self.names.push(job.name().to_owned());
            } else {
                self.look_at = Some(self.look_at.map_or(due, |before| before.min(due)));
            }
        }
    }
}

/// When the controller of a Job began with it, where no pod has been counted since, and the Job has
/// neither ended nor been paused (batch/v1 JobStatus).
fn waits_since(job: &Object<'_>) -> Option<u64> {
    let status = job.raw_status.filter(|_| !job.is_being_deleted)?;
    let is_true = |condition: &Json<'_>| condition.get("status").and_then(Json::as_str) == Some("True");
    let is_some = |counter| matches!(status.get(counter), Some(Json::Int(1..)));
    if status.items("conditions").iter().any(is_true) || COUNTERS.into_iter().any(is_some) {
        return None;
    }
    parse_rfc3339(status.get("startTime")?.as_str()?)
}
