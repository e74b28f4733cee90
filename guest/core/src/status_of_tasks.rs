//! What the status says of retention, seeds and export: what their Jobs and CronJobs tell.

use crate::json::Json;
use crate::observed::Object;
use crate::primary::Primary;

/// The objects that are observed.
#[derive(Clone, Copy, Default)]
pub(crate) struct TaskObjects<'f, 'a> {
    pub(crate) retention: Option<&'f Object<'a>>,
    pub(crate) export: Option<&'f Object<'a>>,
    pub(crate) seed: Option<&'f Object<'a>>,
}

/// When a CronJob ran (batch/v1 CronJobStatus).
pub(crate) fn runs<'s>(object: Option<&Object<'s>>) -> Option<Json<'s>> {
    let status = object?.raw_status?;
    let time = |name| status.member(name).cloned();
    let (started, succeeded) = (time("lastScheduleTime"), time("lastSuccessfulTime"));
    started.as_ref().or(succeeded.as_ref())?;
    Some(Json::object([("lastStarted", started), ("lastSucceeded", succeeded)]))
}

/// How many seeds were copied (batch/v1 JobStatus).
pub(crate) fn seeds<'s>(primary: &Primary<'_>, job: Option<&Object<'s>>) -> Option<Json<'s>> {
    let artifacts = primary.spec.tasks.seed.as_ref().filter(|_| primary.spec.wants_pods())?.artifacts.len();
    let status = job.and_then(|job| job.raw_status);
    let copied = status.and_then(|status| status.member("succeeded")).cloned();
    let failed = status.and_then(|status| status.member("failedIndexes")).cloned();
    Some(Json::object([
        ("artifacts", Some(i64::try_from(artifacts).unwrap_or(i64::MAX).into())),
        ("copied", Some(copied.unwrap_or(Json::Int(0)))),
        ("failed", failed.filter(|failed| failed.as_str() != Some(""))),
    ]))
}
