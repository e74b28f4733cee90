//! Pauses before failed pods are replaced.

use k8s_openapi::api::core::v1::Pod;
use k8s_openapi::jiff::Timestamp;
use std::time::Duration;

use crate::pods;

/// The pause after the first failure: a tenth of what the Job controller of a cluster takes
/// (`DefaultJobPodFailureBackOff`), so that nobody waits long.
const FIRST: Duration = Duration::from_secs(1);
/// The longest pause, again a tenth.
const LONGEST: Duration = Duration::from_secs(60);

/// How long to wait until a pod of these may be replaced. The pause doubles with each failure after
/// the last success. Pods of which it is not known when they ended do not count.
pub(super) fn remaining<'p>(pods: impl Iterator<Item = &'p Pod> + Clone, now: Timestamp) -> Duration {
    let ended = |phase: &'static str| {
        let in_phase = pods.clone().filter(move |pod| pods::phase(pod) == phase);
        in_phase.filter_map(finished_at)
    };
    let last_success = ended("Succeeded").max();
    let failures = || ended("Failed").filter(|time| last_success.is_none_or(|success| *time > success));
    let (Some(last), Ok(count)) = (failures().max(), u32::try_from(failures().count())) else {
        return Duration::ZERO;
    };
    let pause = FIRST.saturating_mul(2u32.saturating_pow(count.saturating_sub(1))).min(LONGEST);
    let passed = Duration::try_from(now.duration_since(last)).unwrap_or_default();
    pause.saturating_sub(passed)
}

/// When the last container of a pod ended.
fn finished_at(pod: &Pod) -> Option<Timestamp> {
    let status = pod.status.as_ref()?;
    let containers = status.container_statuses.iter().flatten();
    let containers = containers.chain(status.init_container_statuses.iter().flatten());
    containers.filter_map(|one| Some(one.state.as_ref()?.terminated.as_ref()?.finished_at.as_ref()?.0)).max()
}

#[cfg(test)]
mod tests {
    use super::remaining;
    use k8s_openapi::api::core::v1::Pod;
    use k8s_openapi::jiff::Timestamp;
    use serde_json::json;
    use std::time::Duration;

    /// A pod that ended at a second of the epoch.
    fn pod(phase: &str, second: i64) -> Pod {
        let time = Timestamp::from_second(second).expect("a time").to_string();
        let status = json!({"phase": phase, "containerStatuses": [{
            "name": "c", "ready": false, "restartCount": 0, "image": "i", "imageID": "",
            "state": {"terminated": {"exitCode": 1, "finishedAt": time}},
        }]});
        serde_json::from_value(json!({"metadata": {}, "status": status})).expect("a pod")
    }

    #[test]
    fn the_pause_doubles_with_each_failure_since_the_last_success() {
        let after = |pods: &[Pod], second: i64| {
            remaining(pods.iter(), Timestamp::from_second(second).expect("a time")).as_secs()
        };
        assert_eq!(after(&[], 100), 0);
        assert_eq!(after(&[pod("Failed", 100)], 100), 1);
        assert_eq!(after(&[pod("Failed", 100)], 101), 0);
        let failures: Vec<Pod> = (0..4).map(|second| pod("Failed", 100 + second)).collect();
        assert_eq!(after(&failures, 103), 8);
        assert_eq!(after(&failures, 105), 6);
        let many: Vec<Pod> = (0..50).map(|second| pod("Failed", 100 + second)).collect();
        assert_eq!(after(&many, 149), 60);
        let mut succeeded = failures;
        succeeded.push(pod("Succeeded", 102));
        assert_eq!(after(&succeeded, 103), 1, "one failure came after the success");
        // A clock that was set back lengthens no pause.
        assert_eq!(after(&[pod("Failed", 100)], 50), 1);
        let untimed: Pod =
            serde_json::from_value(json!({"metadata": {}, "status": {"phase": "Failed"}})).expect("a pod");
        assert_eq!(remaining([&untimed].into_iter(), Timestamp::UNIX_EPOCH), Duration::ZERO);
    }
}
