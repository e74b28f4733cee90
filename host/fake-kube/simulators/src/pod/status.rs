//! The status of a pod, from what its containers do.

use crate::runner::PodReport;
use k8s_openapi::api::core::v1::{ContainerStatus, Pod, PodCondition, PodIP, PodStatus};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use k8s_openapi::jiff::Timestamp;

/// The address of the only node and of all its pods.
const ADDRESS: &str = "127.0.0.1";

/// The status that the pod should have, or `None` when it says the same already. Times do not
/// count: the API server stores whole seconds, so a comparison of times would never be equal and
/// never end.
pub(super) fn wanted(pod: &Pod, report: PodReport) -> Option<PodStatus> {
    let old = pod.status.clone().unwrap_or_default();
    let now = Time(Timestamp::now());
    let is_ready = report.is_ready();
    let is_initialized = report.init_containers.iter().all(is_initialized);
    let pod_ip = report.pod_ip.map_or_else(|| ADDRESS.to_owned(), |address| address.to_string());
    let conditions = [
        ("PodScheduled", true),
        ("Initialized", is_initialized),
        ("ContainersReady", is_ready),
        ("Ready", is_ready),
    ];
    let conditions = conditions.map(|(type_, holds)| condition(&old, type_, holds, &now)).to_vec();
    let wanted = PodStatus {
        phase: Some(report.phase.name().to_owned()),
        reason: report.reason,
        message: report.message,
        host_ip: Some(ADDRESS.to_owned()),
        pod_ips: Some(vec![PodIP { ip: pod_ip.clone() }]),
        pod_ip: Some(pod_ip),
        start_time: Some(old.start_time.clone().unwrap_or(now)),
        conditions: Some(conditions),
        init_container_statuses: Some(report.init_containers)
            .filter(|statuses| !statuses.is_empty())
            .or(old.init_container_statuses.clone()),
        container_statuses: Some(report.containers),
        ..PodStatus::default()
    };
    (Summary::of(&wanted) != Summary::of(&old)).then_some(wanted)
}

/// Whether an init container does not hold up those behind it: it has succeeded, or it is a native
/// sidecar that has started.
fn is_initialized(status: &ContainerStatus) -> bool {
    let ended = status.state.as_ref().and_then(|state| state.terminated.as_ref());
    ended.map_or(status.started == Some(true), |ended| ended.exit_code == 0)
}

/// A condition. Its transition time stays as long as its status stays.
fn condition(old: &PodStatus, type_: &str, holds: bool, now: &Time) -> PodCondition {
    let status = if holds { "True" } else { "False" };
    let before = old.conditions.iter().flatten().find(|condition| condition.type_ == type_);
    let since = before.filter(|condition| condition.status == status);
    PodCondition {
        type_: type_.to_owned(),
        status: status.to_owned(),
        last_transition_time: since
            .and_then(|condition| condition.last_transition_time.clone())
            .or_else(|| Some(now.clone())),
        ..PodCondition::default()
    }
}

/// What a status says, without times.
#[derive(PartialEq)]
struct Summary<'s> {
    phase: Option<&'s str>,
    reason: &'s str,
    message: &'s str,
    pod_ip: Option<&'s str>,
    conditions: Vec<(&'s str, &'s str)>,
    init_containers: Vec<ContainerSummary<'s>>,
    containers: Vec<ContainerSummary<'s>>,
}

impl<'s> Summary<'s> {
    fn of(status: &'s PodStatus) -> Self {
        let containers = |statuses: &'s Option<Vec<ContainerStatus>>| {
            statuses.iter().flatten().map(ContainerSummary::of).collect()
        };
        let conditions = status.conditions.iter().flatten();
        Self {
            phase: status.phase.as_deref(),
            reason: text(&status.reason),
            message: text(&status.message),
            pod_ip: status.pod_ip.as_deref(),
            conditions: conditions.map(|one| (one.type_.as_str(), one.status.as_str())).collect(),
            init_containers: containers(&status.init_container_statuses),
            containers: containers(&status.container_statuses),
        }
    }
}

/// The API server drops empty texts.
fn text(text: &Option<String>) -> &str {
    text.as_deref().unwrap_or_default()
}

#[derive(PartialEq)]
struct ContainerSummary<'s> {
    name: &'s str,
    ready: bool,
    started: bool,
    restarts: i32,
    state: StateSummary<'s>,
}

#[derive(PartialEq)]
enum StateSummary<'s> {
    Unknown,
    Running,
    Waiting(&'s str, &'s str),
    Terminated(i32, &'s str, &'s str),
}

impl<'s> ContainerSummary<'s> {
    fn of(status: &'s ContainerStatus) -> Self {
        let state = status.state.as_ref();
        let state = if let Some(waiting) = state.and_then(|state| state.waiting.as_ref()) {
            StateSummary::Waiting(text(&waiting.reason), text(&waiting.message))
        } else if let Some(ended) = state.and_then(|state| state.terminated.as_ref()) {
            StateSummary::Terminated(ended.exit_code, text(&ended.reason), text(&ended.message))
        } else if state.is_some_and(|state| state.running.is_some()) {
            StateSummary::Running
        } else {
            StateSummary::Unknown
        };
        Self {
            name: &status.name,
            ready: status.ready,
            started: status.started == Some(true),
            restarts: status.restart_count,
            state,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::wanted;
    use crate::runner::PodReport;
    use k8s_openapi::api::core::v1::{Pod, PodStatus};
    use serde_json::json;

    fn pod(status: PodStatus) -> Pod {
        let mut pod: Pod = serde_json::from_value(json!({
            "metadata": {"name": "p"}, "spec": {"containers": [{"name": "c", "image": "i"}]},
        }))
        .expect("a pod");
        pod.status = Some(status);
        pod
    }

    #[test]
    fn a_ready_pod_is_written_once() {
        let new = pod(PodStatus::default());
        let status = wanted(&new, PodReport::running(&new)).expect("a status");
        assert_eq!(status.phase.as_deref(), Some("Running"));
        let ready = pod(status);
        assert_eq!(wanted(&ready, PodReport::running(&ready)), None);
    }

    #[test]
    fn another_message_is_written_and_the_same_is_not() {
        let new = pod(PodStatus::default());
        let missing = |pod: &Pod, name: &str| {
            PodReport::waiting(pod, "CreateContainerConfigError", &format!("secret {name:?} not found"))
        };
        let status = wanted(&new, missing(&new, "s")).expect("a status");
        assert_eq!(status.phase.as_deref(), Some("Pending"));
        let waiting = pod(status);
        assert_eq!(wanted(&waiting, missing(&waiting, "s")), None);
        assert!(wanted(&waiting, missing(&waiting, "t")).is_some());
        assert!(wanted(&waiting, PodReport::running(&waiting)).is_some());
    }

    #[test]
    fn transition_times_stay_while_the_condition_stays() {
        let new = pod(PodStatus::default());
        let mut status = wanted(&new, PodReport::waiting(&new, "r", "m")).expect("a status");
        for condition in status.conditions.iter_mut().flatten() {
            condition.last_transition_time = None;
        }
        let scheduled = "2026-11-23T20:10:19Z".parse().expect("a time");
        if let Some(condition) = status.conditions.iter_mut().flatten().next() {
            condition.last_transition_time =
                Some(k8s_openapi::apimachinery::pkg::apis::meta::v1::Time(scheduled));
        }
        let waiting = pod(status);
        let status = wanted(&waiting, PodReport::running(&waiting)).expect("a status");
        let times: Vec<_> = status
            .conditions
            .iter()
            .flatten()
            .map(|condition| condition.last_transition_time.as_ref().map(|time| time.0) == Some(scheduled))
            .collect();
        assert_eq!(times, [true, false, false, false]);
    }

    #[test]
    fn an_exit_code_other_than_0_fails_the_pod() {
        let new = pod(PodStatus::default());
        let status = wanted(&new, PodReport::ended(&new, 3)).expect("a status");
        assert_eq!(status.phase.as_deref(), Some("Failed"));
        assert_eq!(
            wanted(&new, PodReport::ended(&new, 0)).expect("a status").phase.as_deref(),
            Some("Succeeded")
        );
    }
}
