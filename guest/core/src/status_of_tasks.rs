//! What the status says of retention, seeds and export: what their Jobs and CronJobs tell, and the
//! numbers of runs that ended.
//!
//! Numbers outlive the pods that told them: they are taken from the written status until a newer run
//! has ended.

use crate::json::Json;
use crate::observed::Object;
use crate::primary::{Flavor, Primary};
use crate::task_runs::{
    BYTES_REFERENCED, MAX_CLOCK_DIFFERENCE, OF_COPIES, OF_RETENTION, SKIPPED, TaskObjects, TaskRun, TaskRuns,
    count,
};
use orascache_contract::time::{parse_rfc3339, rfc3339};

/// When the run with the numbers ended.
const LAST_FINISHED: &str = "lastFinished";

/// The status of all work on a registry.
pub(crate) struct TaskStatus<'f, 'a> {
    pub(crate) primary: &'f Primary<'a>,
    pub(crate) objects: TaskObjects<'f, 'a>,
    pub(crate) runs: TaskRuns,
    /// Seconds since the Unix epoch.
    pub(crate) now: u64,
}

impl TaskStatus<'_, '_> {
    /// The members of the status.
    pub(crate) fn members<'s>(&'s self) -> [(&'static str, Option<Json<'s>>); 4] {
        let tasks = &self.primary.spec.tasks;
        let is_deployed = self.primary.spec.deploy();
        // zot deletes by itself, and tells nobody.
        let has_runs = self.objects.retention.is_some() || self.primary.spec.flavor() == Flavor::Distribution;
        let retains = tasks.retention.is_some() && is_deployed && has_runs;
        let exports = tasks.export.is_some() && is_deployed;
        let of_retention = || {
            self.scheduled("retention", self.objects.retention, self.runs.retention.as_ref(), OF_RETENTION)
        };
        let of_export =
            || self.scheduled("export", self.objects.export, self.runs.export.as_ref(), OF_COPIES);
        [
            (BYTES_REFERENCED, self.bytes_referenced().filter(|_| retains).map(Json::Int)),
            ("retention", retains.then(of_retention).flatten()),
            ("seed", self.seeds()),
            ("export", exports.then(of_export).flatten()),
        ]
    }

    fn written(&self, member: &str) -> Option<&Json<'_>> {
        self.primary.status?.member(member)
    }

    /// When the run ended whose numbers are in the written status.
    fn written_at(&self, member: &str) -> Option<u64> {
        let at = parse_rfc3339(self.written(member)?.member(LAST_FINISHED)?.as_str()?)?;
        (at <= self.now.saturating_add(MAX_CLOCK_DIFFERENCE)).then_some(at)
    }

    /// A run, if its numbers are not written yet.
    fn newer<'r>(&self, member: &str, run: Option<&'r TaskRun>) -> Option<&'r TaskRun> {
        let written = self.written_at(member);
        run.filter(|run| written.is_none_or(|written| run.at > written))
    }

    /// When a CronJob ran (batch/v1 CronJobStatus), and the numbers of the last run that ended.
    fn scheduled<'s>(
        &'s self,
        member: &str,
        object: Option<&Object<'s>>,
        run: Option<&TaskRun>,
        names: &[&'static str],
    ) -> Option<Json<'s>> {
        let written = self.written(member);
        let time = |name: &'static str, of_object| {
            let told = object.and_then(|object| object.raw_status?.member(of_object));
            let is_time = |value: &&Json<'_>| value.as_str().and_then(parse_rfc3339).is_some();
            let value = told.or_else(|| written?.member(name).filter(is_time))?;
            Some((name.into(), value.clone()))
        };
        let mut members: Vec<_> =
            [time("lastStarted", "lastScheduleTime"), time("lastSucceeded", "lastSuccessfulTime")]
                .into_iter()
                .flatten()
                .collect();
        let newer = self.newer(member, run);
        if let Some(at) = newer.map(|run| run.at).or_else(|| self.written_at(member)) {
            members.push((LAST_FINISHED.into(), rfc3339(at).into()));
            members.extend(names.iter().filter_map(|name| {
                let number = match newer {
                    Some(run) => run.number(name),
                    None => written.and_then(|written| count(written.get(name)?)),
                };
                Some(((*name).into(), Json::Int(number?)))
            }));
        }
        (!members.is_empty()).then_some(Json::Object(members))
    }

    /// What is kept refers to this many bytes. A run that could not look at everything tells nothing,
    /// so that an older number stays.
    fn bytes_referenced(&self) -> Option<i64> {
        let newer = self.newer("retention", self.runs.retention.as_ref());
        let written = || count(self.written(BYTES_REFERENCED)?);
        newer.and_then(|run| run.number(BYTES_REFERENCED)).or_else(written)
    }

    /// How far the seeds are (batch/v1 JobStatus).
    fn seeds(&self) -> Option<Json<'_>> {
        let spec = &self.primary.spec;
        let artifacts = spec.tasks.seed.as_ref().filter(|_| spec.wants_pods())?.artifacts.len();
        let job = self.objects.seed;
        let status = job.and_then(|job| job.raw_status);
        let succeeded = status.and_then(|status| count(status.get("succeeded")?)).unwrap_or_default();
        let failed = status.and_then(|status| status.member("failedIndexes")).cloned();
        // Pods may be gone by now. Those of another Job do not count.
        let is_same_job = |written: &&Json<'_>| {
            job.is_some_and(|job| written.get("job").and_then(Json::as_str) == Some(job.name))
        };
        let known = self.written("seed").filter(is_same_job);
        let known = known.and_then(|written| count(written.get(SKIPPED)?)).unwrap_or_default();
        let skipped = self.runs.skipped_seeds.max(known).min(succeeded);
        Some(Json::object([
            ("artifacts", Some(i64::try_from(artifacts).unwrap_or(i64::MAX).into())),
            ("copied", Some((succeeded - skipped).into())),
            ("failed", failed.filter(|failed| failed.as_str() != Some(""))),
            ("job", job.map(|job| job.name.into())),
            (SKIPPED, Some(skipped.into())),
        ]))
    }
}
