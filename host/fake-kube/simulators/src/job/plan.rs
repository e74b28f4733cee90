//! What is to be done for a Job, from its pods: a pure function.

use super::backoff;
use super::counts::{Counts, Failures, count, failed_indexes, index_of, indexes_of, number};
use super::failure_policy::verdict;
use super::outcome::{Outcome, outcome, until_deadline};
use crate::pods;
use k8s_openapi::api::batch::v1::{Job, JobSpec};
use k8s_openapi::api::core::v1::Pod;
use k8s_openapi::jiff::Timestamp;
use kube::ResourceExt;
use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

/// A pod to create. Its name is the first free one and not a random one: a cache that lags behind
/// then leads to the same name again, which the API refuses, and not to a second pod.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Missing {
    pub(super) name: String,
    pub(super) index: Option<i32>,
}

/// What is to be done.
#[derive(Debug, Default)]
pub(super) struct Plan {
    pub(super) counts: Counts,
    pub(super) missing: Vec<Missing>,
    pub(super) outcome: Option<Outcome>,
    /// Of an indexed Job.
    pub(super) completed: Option<BTreeSet<i32>>,
    /// Of an indexed Job with a limit for each index.
    pub(super) failed: Option<BTreeSet<i32>>,
    /// When to look again: pods that failed are replaced after a pause.
    pub(super) wait: Option<Duration>,
}

impl Plan {
    /// Whether the pods that still run are deleted.
    pub(super) fn has_failed(&self) -> bool {
        matches!(self.outcome, Some(Outcome::Failed { .. }))
    }
}

pub(super) fn plan(job: &Job, owned: &[Arc<Pod>], now: Timestamp) -> Plan {
    let spec = job.spec.clone().unwrap_or_default();
    let owned: Vec<&Pod> = owned.iter().map(AsRef::as_ref).collect();
    let failures: Failures<'_> = owned
        .iter()
        .filter(|pod| pods::phase(pod) == "Failed")
        .map(|pod| (*pod, verdict(spec.pod_failure_policy.as_ref(), pod)))
        .collect();
    let is_indexed = spec.completion_mode.as_deref() == Some("Indexed");
    let completed = is_indexed.then(|| indexes_of(owned.iter().copied(), "Succeeded"));
    let failed = spec.backoff_limit_per_index.filter(|_| is_indexed).map(|limit| {
        let mut failed = failed_indexes(&failures, limit);
        failed.retain(|index| completed.as_ref().is_none_or(|completed| !completed.contains(index)));
        failed
    });
    let mut plan =
        Plan { counts: count(&owned, &failures, completed.as_ref()), completed, failed, ..Plan::default() };
    let until_deadline = until_deadline(job, &spec, now);
    plan.outcome = outcome(&spec, &failures, &plan.counts, plan.failed.as_ref(), until_deadline);
    if spec.suspend != Some(true) && !plan.has_failed() {
        add_missing(job, &spec, &owned, now, &mut plan);
    }
    if plan.outcome.is_none() {
        plan.wait = plan.wait.into_iter().chain(until_deadline).min();
    }
    plan
}

/// The pods to create, and how long to wait for those that are created later.
fn add_missing(job: &Job, spec: &JobSpec, owned: &[&Pod], now: Timestamp, plan: &mut Plan) {
    let replaces_terminating = spec.pod_replacement_policy.as_deref() != Some("Failed");
    // A pod that is being deleted has the place of its successor until it has ended.
    let is_leaving = |pod: &&&Pod| pods::is_terminating(pod) && !pods::is_finished(pod);
    let leaving = if replaces_terminating { 0 } else { number(owned.iter().filter(is_leaving).count()) };
    let active = plan.counts.active + leaving;
    let failed = plan.failed.as_ref().map_or(0, |failed| number(failed.len()));
    let parallelism = spec.parallelism.unwrap_or(1);
    let left = match spec.completions {
        Some(completions) => completions - plan.counts.succeeded - failed - active,
        // A work queue: the first success says that no work is left, so no further pod starts.
        None if plan.counts.succeeded > 0 => 0,
        None => parallelism,
    };
    let most = usize::try_from((parallelism - active).min(left)).unwrap_or(0);
    if most == 0 {
        return;
    }
    let is_free = |name: &String| !owned.iter().any(|pod| pod.name_any() == *name);
    let name = job.name_any();
    let pause = backoff::remaining(owned.iter().copied(), now);
    let Some(completed) = &plan.completed else {
        if pause > Duration::ZERO {
            plan.wait = Some(pause);
            return;
        }
        let names = (0..).map(|number: u32| format!("{name}-{number}")).filter(is_free);
        plan.missing = names.take(most).map(|name| Missing { name, index: None }).collect();
        return;
    };
    let has_place =
        |pod: &&Pod| !pods::is_finished(pod) && (!pods::is_terminating(pod) || !replaces_terminating);
    let taken: BTreeSet<i32> = owned.iter().copied().filter(has_place).filter_map(index_of).collect();
    let is_over = |index: &i32| {
        completed.contains(index) || plan.failed.as_ref().is_some_and(|failed| failed.contains(index))
    };
    let indexes = 0..spec.completions.unwrap_or(1);
    for index in indexes.filter(|index| !taken.contains(index) && !is_over(index)) {
        if plan.missing.len() == most {
            break;
        }
        // With a limit of its own, each index has pauses of its own.
        let pause = match plan.failed {
            Some(_) => {
                let own = owned.iter().copied().filter(|pod| index_of(pod) == Some(index));
                backoff::remaining(own, now)
            }
            None => pause,
        };
        if pause > Duration::ZERO {
            plan.wait = Some(plan.wait.map_or(pause, |wait| wait.min(pause)));
            continue;
        }
        let names = (0..).map(|attempt: u32| format!("{name}-{index}-{attempt}"));
        plan.missing.extend(names.into_iter().find(is_free).map(|name| Missing { name, index: Some(index) }));
    }
}

#[cfg(test)]
mod tests {
    use super::super::INDEX;
    use super::{Missing, Outcome, Plan};
    use k8s_openapi::api::batch::v1::Job;
    use k8s_openapi::api::core::v1::Pod;
    use k8s_openapi::jiff::Timestamp;
    use serde_json::{Value, json};
    use std::sync::Arc;
    use std::time::Duration;

    fn job(mut spec: Value) -> Job {
        spec["template"] = json!({});
        serde_json::from_value(json!({"metadata": {"name": "j"}, "spec": spec})).expect("a job")
    }

    fn plan(job: &Job, pods: &[Arc<Pod>]) -> Plan {
        super::plan(job, pods, Timestamp::from_second(1_000).expect("a time"))
    }

    fn missing(job: &Job, pods: &[Arc<Pod>]) -> Vec<String> {
        plan(job, pods).missing.into_iter().map(|Missing { name, .. }| name).collect()
    }

    fn reason(job: &Job, pods: &[Arc<Pod>]) -> &'static str {
        match plan(job, pods).outcome {
            Some(Outcome::Failed { reason, .. }) => reason,
            Some(Outcome::Complete) => "Complete",
            None => "",
        }
    }

    fn parsed(pod: Value) -> Arc<Pod> {
        Arc::new(serde_json::from_value(pod).expect("a pod"))
    }

    fn indexed(index: u8, attempt: u8, phase: &str) -> Arc<Pod> {
        let name = format!("j-{index}-{attempt}");
        parsed(json!({
            "metadata": {"name": name, "annotations": {INDEX: index.to_string()}}, "status": {"phase": phase},
        }))
    }

    fn pod(number: u8, phase: &str) -> Arc<Pod> {
        parsed(json!({"metadata": {"name": format!("j-{number}")}, "status": {"phase": phase}}))
    }

    /// A pod of an index that ended with a code, a number of seconds ago.
    fn ended(index: u8, attempt: u8, code: i32, seconds_ago: i64) -> Arc<Pod> {
        let time = Timestamp::from_second(1_000 - seconds_ago).expect("a time").to_string();
        parsed(json!({
            "metadata": {"name": format!("j-{index}-{attempt}"), "namespace": "lab", "annotations": {INDEX: index.to_string()}},
            "status": {"phase": if code == 0 { "Succeeded" } else { "Failed" }, "containerStatuses": [{
                "name": "app", "ready": false, "restartCount": 0, "image": "i", "imageID": "",
                "state": {"terminated": {"exitCode": code, "finishedAt": time}},
            }]},
        }))
    }

    #[test]
    fn an_indexed_job_replaces_the_pods_of_missing_indexes() {
        let job = job(json!({"completionMode": "Indexed", "completions": 3, "parallelism": 2}));
        assert_eq!(missing(&job, &[]), ["j-0-0", "j-1-0"]);
        assert_eq!(missing(&job, &[indexed(0, 0, "Succeeded"), indexed(2, 0, "Pending")]), ["j-1-0"]);
        assert_eq!(missing(&job, &[indexed(0, 0, "Failed"), indexed(1, 0, "Pending")]), ["j-0-1"]);
    }

    #[test]
    fn a_new_pod_gets_the_first_free_name() {
        let two = job(json!({"completions": 2, "parallelism": 2}));
        assert_eq!(missing(&two, &[pod(1, "Pending")]), ["j-0"]);
        assert_eq!(missing(&two, &[pod(0, "Failed"), pod(1, "Pending")]), ["j-2"]);
    }

    #[test]
    fn a_work_queue_starts_no_pod_after_the_first_success() {
        let queue = job(json!({"parallelism": 3}));
        assert_eq!(missing(&queue, &[]), ["j-0", "j-1", "j-2"]);
        assert!(missing(&queue, &[pod(0, "Succeeded"), pod(1, "Pending")]).is_empty());
        assert_eq!(reason(&queue, &[pod(0, "Succeeded"), pod(1, "Pending")]), "");
        assert_eq!(reason(&queue, &[pod(0, "Succeeded"), pod(1, "Failed")]), "Complete");
    }

    #[test]
    fn suspended_and_failed_jobs_start_no_pod() {
        assert!(missing(&job(json!({"suspend": true})), &[]).is_empty());
        assert!(missing(&job(json!({"backoffLimit": 0})), &[pod(0, "Failed")]).is_empty());
        assert_eq!(missing(&job(json!({})), &[pod(0, "Failed")]), ["j-1"]);
        assert_eq!(
            plan(&job(json!({})), &[pod(0, "Failed"), pod(1, "Succeeded"), pod(2, "")]).counts.active,
            1
        );
    }

    #[test]
    fn ignored_failures_do_not_count_and_are_replaced() {
        let ignores =
            json!({"rules": [{"action": "Ignore", "onExitCodes": {"operator": "In", "values": [98]}}]});
        let job = job(json!({"completions": 1, "backoffLimit": 0, "podFailurePolicy": ignores}));
        let failures = [ended(0, 0, 98, 900), ended(0, 1, 98, 800)];
        assert_eq!((reason(&job, &failures), plan(&job, &failures).counts.failed), ("", 0));
        assert_eq!(missing(&job, &failures).len(), 1);
        let failures = [ended(0, 0, 98, 900), ended(0, 1, 97, 800)];
        assert_eq!(reason(&job, &failures), "BackoffLimitExceeded");
    }

    #[test]
    fn one_failure_can_fail_the_job() {
        let fails =
            json!({"rules": [{"action": "FailJob", "onExitCodes": {"operator": "In", "values": [98]}}]});
        let job =
            job(json!({"completions": 3, "parallelism": 3, "backoffLimit": 6, "podFailurePolicy": fails}));
        assert_eq!(reason(&job, &[ended(0, 0, 3, 900)]), "");
        let pods = [ended(0, 0, 98, 900), pod(1, "Running")];
        assert_eq!(reason(&job, &pods), "PodFailurePolicy");
        assert!(missing(&job, &pods).is_empty() && plan(&job, &pods).has_failed());
    }

    #[test]
    fn an_index_with_a_limit_of_its_own_fails_alone() {
        let fails =
            json!({"rules": [{"action": "FailIndex", "onExitCodes": {"operator": "In", "values": [98]}}]});
        let spec = json!({
            "completionMode": "Indexed", "completions": 3, "parallelism": 3, "backoffLimitPerIndex": 1,
            "podFailurePolicy": fails,
        });
        let job = job(spec.clone());
        let once = [ended(0, 0, 3, 900), ended(1, 0, 98, 900)];
        assert_eq!(missing(&job, &once), ["j-0-1", "j-2-0"], "index 1 is not tried again");
        assert_eq!(plan(&job, &once).failed, Some([1].into()));
        let all = [ended(0, 0, 3, 900), ended(0, 1, 3, 800), ended(1, 0, 98, 900), ended(2, 0, 0, 700)];
        let done = plan(&job, &all);
        assert_eq!((done.failed, done.completed), (Some([0, 1].into()), Some([2].into())));
        assert_eq!(reason(&job, &all), "FailedIndexes");
        let mut strict = spec;
        strict["maxFailedIndexes"] = json!(0);
        assert_eq!(reason(&super::tests::job(strict), &once), "MaxFailedIndexesExceeded");
    }

    #[test]
    fn a_failed_pod_is_replaced_after_a_pause() {
        let spec = json!({"completionMode": "Indexed", "completions": 2, "parallelism": 2});
        let failures = [ended(0, 0, 3, 1), ended(0, 1, 3, 0)];
        let waiting = plan(&job(spec.clone()), &failures);
        assert_eq!((waiting.missing.len(), waiting.wait), (0, Some(Duration::from_secs(2))));
        // An index with a limit of its own does not hold up the others.
        let mut own = spec;
        own["backoffLimitPerIndex"] = json!(3);
        let waiting = plan(&job(own), &failures);
        assert_eq!(waiting.missing.iter().map(|one| one.name.as_str()).collect::<Vec<_>>(), ["j-1-0"]);
        assert_eq!(waiting.wait, Some(Duration::from_secs(2)));
    }

    #[test]
    fn a_job_fails_at_its_deadline() {
        let mut job = job(json!({"activeDeadlineSeconds": 60}));
        assert_eq!(reason(&job, &[pod(0, "Running")]), "", "it has not started");
        let mut at = |second: i64| {
            let time = Timestamp::from_second(second).expect("a time").to_string();
            job.status = Some(serde_json::from_value(json!({"startTime": time})).expect("a status"));
            let plan = plan(&job, &[pod(0, "Running")]);
            (plan.wait, reason(&job, &[pod(0, "Running")]))
        };
        assert_eq!(at(950), (Some(Duration::from_secs(10)), ""));
        assert_eq!(at(940), (None, "DeadlineExceeded"));
    }

    #[test]
    fn a_pod_that_is_being_deleted_keeps_its_place_where_the_job_says_so() {
        let mut pod: Pod = (*indexed(0, 0, "Running")).clone();
        pod.metadata.deletion_timestamp =
            Some(k8s_openapi::apimachinery::pkg::apis::meta::v1::Time(Timestamp::UNIX_EPOCH));
        let pods = [Arc::new(pod)];
        let mut spec = json!({"completionMode": "Indexed", "completions": 1});
        assert_eq!(missing(&job(spec.clone()), &pods), ["j-0-1"]);
        spec["podReplacementPolicy"] = json!("Failed");
        assert!(missing(&job(spec), &pods).is_empty());
    }
}
