//! Which pods a StatefulSet creates and deletes next: a pure function of the set and its pods.

use crate::pods;
use k8s_openapi::api::apps::v1::{StatefulSet, StatefulSetStatus};
use k8s_openapi::api::core::v1::Pod;
use kube::ResourceExt;
use std::hash::{Hash, Hasher};
use std::sync::Arc;

/// apps/v1 `StatefulSetRevisionLabel`.
pub(super) const REVISION_LABEL: &str = "controller-revision-hash";

/// One change of the pods of a set.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum PodChange {
    Create(i32),
    Delete(String),
}

/// The next changes for a set. There are none when its pods are as they should be, or while a pod that has to
/// become ready first is not.
pub(super) fn next(set: &StatefulSet, revision: &str, pods: &[Arc<Pod>]) -> Vec<PodChange> {
    let name = set.name_any();
    let spec = set.spec.clone().unwrap_or_default();
    let wanted = spec.replicas.unwrap_or(1);
    let parallel = spec.pod_management_policy.as_deref() == Some("Parallel");
    let pod = |ordinal: i32| pods.iter().find(|pod| pod.name_any() == format!("{name}-{ordinal}"));
    let mut changes = Vec::new();

    for ordinal in 0..wanted {
        match pod(ordinal) {
            None => {
                changes.push(PodChange::Create(ordinal));
                if !parallel {
                    return changes;
                }
            }
            Some(pod) if !parallel && !is_settled(pod) && revision_of(pod) == revision => return changes,
            Some(_) => {}
        }
    }
    let mut surplus: Vec<(i32, &Arc<Pod>)> = pods
        .iter()
        .filter_map(|pod| ordinal(&name, pod).filter(|ordinal| *ordinal >= wanted).map(|o| (o, pod)))
        .collect();
    surplus.sort_by_key(|(ordinal, _)| -ordinal);
    for (_, pod) in surplus {
        if !pods::is_terminating(pod) {
            changes.push(PodChange::Delete(pod.name_any()));
        }
        if !parallel {
            return changes;
        }
    }
    if !changes.is_empty() {
        return changes;
    }
    let strategy = spec.update_strategy.unwrap_or_default();
    if strategy.type_.as_deref() == Some("OnDelete") {
        return changes;
    }
    let partition = strategy.rolling_update.and_then(|update| update.partition).unwrap_or(0);
    for ordinal in (partition..wanted).rev() {
        match pod(ordinal) {
            Some(pod) if revision_of(pod) != revision => {
                if !pods::is_terminating(pod) {
                    changes.push(PodChange::Delete(pod.name_any()));
                }
                return changes;
            }
            Some(pod) if is_settled(pod) => {}
            // One pod at a time: the next one is replaced when this one is ready.
            _ => return changes,
        }
    }
    changes
}

fn is_settled(pod: &Pod) -> bool {
    pods::is_ready(pod) && !pods::is_terminating(pod)
}

fn revision_of(pod: &Pod) -> &str {
    pod.labels().get(REVISION_LABEL).map(String::as_str).unwrap_or_default()
}

/// The ordinal of a pod that has the name of one of the set's pods.
pub(super) fn ordinal(set: &str, pod: &Pod) -> Option<i32> {
    pod.name_any().strip_prefix(set)?.strip_prefix('-')?.parse().ok()
}

/// The name of the ControllerRevision that the pod template would have: the name of the set, and ten characters
/// of a hash.
pub(super) fn revision(set: &StatefulSet) -> String {
    /// As apimachinery `rand.SafeEncodeString`: without vowels, so that no words appear.
    const ALPHABET: &[u8; 16] = b"bcdfghjklmnpqrst";
    let template = set.spec.as_ref().map(|spec| serde_json::to_string(&spec.template).unwrap_or_default());
    let mut hasher = std::hash::DefaultHasher::new();
    template.hash(&mut hasher);
    let hash = hasher.finish();
    let digits =
        (0..10).map(|place| ALPHABET.get((hash >> (place * 4) & 15) as usize).copied().unwrap_or(b'b'));
    format!("{}-{}", set.name_any(), digits.map(char::from).collect::<String>())
}

/// The status of a set with these pods.
pub(super) fn status(set: &StatefulSet, revision: &str, pods: &[Arc<Pod>]) -> StatefulSetStatus {
    let old = set.status.clone().unwrap_or_default();
    let alive: Vec<_> = pods.iter().filter(|pod| !pods::is_terminating(pod)).collect();
    let count = |condition: &dyn Fn(&Pod) -> bool| {
        i32::try_from(alive.iter().filter(|pod| condition(pod)).count()).unwrap_or(i32::MAX)
    };
    let replicas = count(&|_| true);
    let updated = count(&|pod| revision_of(pod) == revision);
    let ready = count(&pods::is_ready);
    let wanted = set.spec.as_ref().and_then(|spec| spec.replicas).unwrap_or(1);
    let complete = updated == wanted && replicas == wanted && ready == wanted;
    let current = match old.current_revision {
        Some(current) if !complete && !current.is_empty() => current,
        _ => revision.to_owned(),
    };
    StatefulSetStatus {
        available_replicas: Some(ready),
        collision_count: Some(old.collision_count.unwrap_or(0)),
        conditions: old.conditions,
        current_replicas: Some(count(&|pod| revision_of(pod) == current)),
        current_revision: Some(current),
        observed_generation: set.metadata.generation,
        ready_replicas: Some(ready),
        replicas,
        update_revision: Some(revision.to_owned()),
        updated_replicas: Some(updated),
    }
}

#[cfg(test)]
mod tests {
    use super::{PodChange, REVISION_LABEL, next, revision, status};
    use k8s_openapi::api::apps::v1::StatefulSet;
    use k8s_openapi::api::core::v1::Pod;
    use serde_json::json;
    use std::sync::Arc;

    fn set(replicas: i32, policy: &str) -> StatefulSet {
        serde_json::from_value(json!({
            "metadata": {"name": "s", "namespace": "n", "generation": 3},
            "spec": {"replicas": replicas, "podManagementPolicy": policy, "serviceName": "s", "selector": {}, "template": {}},
        }))
        .expect("a set")
    }

    fn pod(ordinal: i32, revision: &str, ready: bool) -> Arc<Pod> {
        let status = if ready { "True" } else { "False" };
        Arc::new(
            serde_json::from_value(json!({
                "metadata": {"name": format!("s-{ordinal}"), "labels": {REVISION_LABEL: revision}},
                "status": {"conditions": [{"type": "Ready", "status": status}]},
            }))
            .expect("a pod"),
        )
    }

    #[test]
    fn an_ordered_pod_is_created_when_the_one_before_it_is_ready() {
        assert_eq!(next(&set(2, "OrderedReady"), "r", &[]), [PodChange::Create(0)]);
        assert_eq!(next(&set(2, "OrderedReady"), "r", &[pod(0, "r", false)]), []);
        assert_eq!(next(&set(2, "OrderedReady"), "r", &[pod(0, "r", true)]), [PodChange::Create(1)]);
        assert_eq!(next(&set(2, "Parallel"), "r", &[]), [PodChange::Create(0), PodChange::Create(1)]);
    }

    #[test]
    fn scaling_down_deletes_the_highest_ordinal_first() {
        let pods = [pod(0, "r", true), pod(1, "r", true), pod(2, "r", true)];
        assert_eq!(next(&set(1, "OrderedReady"), "r", &pods), [PodChange::Delete("s-2".into())]);
        assert_eq!(
            next(&set(1, "Parallel"), "r", &pods),
            [PodChange::Delete("s-2".into()), PodChange::Delete("s-1".into())]
        );
    }

    #[test]
    fn a_rolling_update_replaces_one_pod_at_a_time() {
        let old = [pod(0, "o", true), pod(1, "o", true)];
        assert_eq!(next(&set(2, "Parallel"), "r", &old), [PodChange::Delete("s-1".into())]);
        let half = [pod(0, "o", true), pod(1, "r", false)];
        assert_eq!(next(&set(2, "Parallel"), "r", &half), []);
        let half = [pod(0, "o", true), pod(1, "r", true)];
        assert_eq!(next(&set(2, "Parallel"), "r", &half), [PodChange::Delete("s-0".into())]);
        let broken = [pod(0, "o", false)];
        assert_eq!(next(&set(1, "Parallel"), "r", &broken), [PodChange::Delete("s-0".into())]);
    }

    #[test]
    fn the_status_counts_pods_and_names_revisions() {
        let set = set(2, "Parallel");
        let status = status(&set, "r", &[pod(0, "o", true), pod(1, "r", true)]);
        assert_eq!((status.replicas, status.ready_replicas, status.updated_replicas), (2, Some(2), Some(1)));
        assert_eq!(status.observed_generation, Some(3));
        assert!(revision(&set).starts_with("s-") && revision(&set).len() == 12);
    }
}
