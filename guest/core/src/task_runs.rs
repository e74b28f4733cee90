//! Runs of retention, seeds and exports: the numbers that the agent left in the termination
//! messages of pods that have ended, and Jobs that get no pod.

use crate::desired::TASK_CONTAINER;
use crate::fields;
use crate::jobs_without_pods::JobsWithoutPods;
use crate::json::Json;
use crate::kinds::{JOB, POD};
use crate::observed::{self, Object, Objects};
use crate::seen::Seen;
use orascache_contract::Error;
use orascache_contract::time::parse_rfc3339;

/// How messages call this list of the input.
const RELATED: &str = "related";
/// Longest line of numbers that is read, in bytes.
const MAX_LINE: usize = 512;
/// How far the clock of a node may be ahead of the operator's, in seconds. A later time is nobody's
/// clock, and would keep all later runs out of the status.
pub(crate) const MAX_CLOCK_DIFFERENCE: u64 = 600;

/// What retention counts (`orascache-agent prune`).
pub(crate) const OF_RETENTION: &[&str] = &["deletedTags", "deletedManifests", "keptTags", "freedBytes"];
/// What it sums up besides, where it could look at everything.
pub(crate) const BYTES_REFERENCED: &str = "bytesReferenced";
/// What copies count (`orascache-agent copy`).
pub(crate) const OF_COPIES: &[&str] = &["copied", SKIPPED, "failed"];
pub(crate) const SKIPPED: &str = "skipped";

/// The Jobs and CronJobs of a cache that are observed.
#[derive(Clone, Copy)]
pub(crate) struct TaskObjects<'f, 'a> {
    pub(crate) retention: Option<&'f Object<'a>>,
    pub(crate) export: Option<&'f Object<'a>>,
    pub(crate) seed: Option<&'f Object<'a>>,
}

/// What is known about runs.
#[derive(Debug, Default)]
pub(crate) struct TaskRuns {
    /// The last run of retention.
    pub(crate) retention: Option<TaskRun>,
    /// The last run of the export.
    pub(crate) export: Option<TaskRun>,
    /// How many seeds the registry had already.
    pub(crate) skipped_seeds: i64,
    pub(crate) without_pods: JobsWithoutPods,
}

/// A run that ended.
#[derive(Debug)]
pub(crate) struct TaskRun {
    /// When, in seconds since the Unix epoch.
    pub(crate) at: u64,
    /// Its numbers by their names.
    numbers: Vec<(&'static str, i64)>,
    /// Whether its container ended with success.
    is_success: bool,
}

impl TaskRun {
    pub(crate) fn number(&self, name: &str) -> Option<i64> {
        self.numbers.iter().find(|(known, _)| *known == name).map(|(_, number)| *number)
    }

    /// Reads what a pod says about its run. `None` while it runs, and where it says nothing that can be
    /// read.
    fn read(pod: &Object<'_>, now: u64) -> Option<Self> {
        let statuses = pod.raw_status?.items("containerStatuses");
        let container = statuses.iter().find(|status| status.name() == Some(TASK_CONTAINER))?;
        let ended = container.get("state")?.get("terminated")?;
        let text = |name| ended.get(name).and_then(Json::as_str);
        let at = parse_rfc3339(text("finishedAt")?)?;
        // The numbers are the last line. A sentence for people is in front of it.
        let line = text("message")?.lines().next_back()?;
        if at > now.saturating_add(MAX_CLOCK_DIFFERENCE) || line.len() > MAX_LINE {
            return None;
        }
        let tree = fields::parse(line, "").ok()?;
        let names = OF_RETENTION.iter().chain(OF_COPIES).chain(&[BYTES_REFERENCED]);
        let numbers: Vec<(&'static str, i64)> =
            names.filter_map(|name| Some((*name, count(tree.get(name)?)?))).collect();
        let is_success = ended.get("exitCode") == Some(&Json::Int(0));
        (!numbers.is_empty()).then_some(TaskRun { at, numbers, is_success })
    }
}

/// A number of things or of bytes.
pub(crate) fn count(value: &Json<'_>) -> Option<i64> {
    match value {
        Json::Int(number) if *number >= 0 => Some(*number),
        _ => None,
    }
}

impl TaskRuns {
    /// Finds the runs of a cache. Anybody can make pods with the labels of ours: what counts is that a
    /// Job of the cache controls the pod, or a Job that a CronJob of the cache controls.
    pub(crate) fn of(seen: &Seen<'_>, namespace: &str, tasks: &TaskObjects<'_, '_>) -> Result<Self, Error> {
        let cron_jobs = [tasks.retention, tasks.export].map(uid);
        let names: Vec<&str> = cron_jobs.into_iter().flatten().collect();
        let trees = observed::parse_mentioning(&seen.related, &names, RELATED)?;
        let objects = Objects::of_namespace(namespace, &trees, RELATED)?;
        let jobs_of = |cron_job: Option<&Object<'_>>| -> Vec<&Object<'_>> {
            let Some(owner) = uid(cron_job) else { return Vec::new() };
            objects.of_kind(&JOB).filter(|job| job.is_controlled_by(owner)).collect()
        };
        let (jobs_of_retention, jobs_of_export) = (jobs_of(tasks.retention), jobs_of(tasks.export));
        let [of_retention, of_export] = [&jobs_of_retention, &jobs_of_export]
            .map(|jobs| jobs.iter().map(|job| job.uid).collect::<Vec<&str>>());
        let of_seed: Vec<&str> = uid(tasks.seed).into_iter().collect();
        let all = [of_retention.as_slice(), &of_export, &of_seed].concat();
        if all.is_empty() {
            return Ok(TaskRuns::default());
        }
        let trees = observed::parse_mentioning(&seen.related, &all, RELATED)?;
        let pods = Objects::of_namespace(namespace, &trees, RELATED)?;
        let runs = |jobs: &[&str]| -> Vec<TaskRun> {
            let ours = pods.of_kind(&POD).filter(|pod| jobs.iter().any(|job| pod.is_controlled_by(job)));
            ours.filter_map(|pod| TaskRun::read(pod, seen.now)).collect()
        };
        let last = |jobs: &[&str]| runs(jobs).into_iter().max_by_key(|run| run.at);
        let is_skipped = |run: &&TaskRun| {
            run.is_success && run.number("copied") == Some(0) && run.number(SKIPPED).is_some_and(|n| n > 0)
        };
        let skipped = runs(&of_seed).iter().filter(is_skipped).count();
        let mut without_pods = JobsWithoutPods::default();
        // Where pods are not observed, none is missed.
        if ![seen.absent, seen.omitted].into_iter().any(|kinds| kinds.contains(&POD)) {
            let scheduled = jobs_of_retention.iter().chain(&jobs_of_export).copied();
            let seed = tasks.seed.filter(|job| !job.uid.is_empty());
            without_pods.add(scheduled.chain(seed), &pods, seen.now);
        }
        Ok(TaskRuns {
            retention: last(&of_retention),
            export: last(&of_export),
            skipped_seeds: i64::try_from(skipped).unwrap_or(i64::MAX),
            without_pods,
        })
    }
}

/// The UID of an object that is in a cluster.
fn uid<'a>(object: Option<&Object<'a>>) -> Option<&'a str> {
    object.map(|object| object.uid).filter(|uid| !uid.is_empty())
}
