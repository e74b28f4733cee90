//! How many pods of a Job are in which state, and which of its indexes have succeeded or failed.

use super::INDEX;
use super::failure_policy::Verdict;
use crate::pods;
use k8s_openapi::api::core::v1::Pod;
use kube::ResourceExt;
use std::collections::{BTreeMap, BTreeSet};

/// Counts of a Job's pods.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Counts {
    pub(super) active: i32,
    /// How many of the active ones are ready.
    pub(super) ready: i32,
    pub(super) succeeded: i32,
    /// Without those that the failure policy ignores.
    pub(super) failed: i32,
}

/// Pods that have failed, and what each of them means.
pub(super) type Failures<'p> = Vec<(&'p Pod, Verdict)>;

pub(super) fn count(owned: &[&Pod], failures: &Failures<'_>, completed: Option<&BTreeSet<i32>>) -> Counts {
    let mut counts = Counts::default();
    for pod in owned {
        match pods::phase(pod) {
            "Succeeded" => counts.succeeded += 1,
            "Failed" => {}
            _ if !pods::is_terminating(pod) => {
                counts.active += 1;
                counts.ready += i32::from(pods::is_ready(pod));
            }
            _ => {}
        }
    }
    if let Some(completed) = completed {
        counts.succeeded = number(completed.len());
    }
    counts.failed = number(failures.iter().filter(|(_, verdict)| *verdict != Verdict::Ignore).count());
    counts
}

pub(super) fn number(count: usize) -> i32 {
    i32::try_from(count).unwrap_or(i32::MAX)
}

/// The index of a pod of an indexed Job.
pub(super) fn index_of(pod: &Pod) -> Option<i32> {
    pod.annotations().get(INDEX)?.parse().ok()
}

pub(super) fn indexes_of<'p>(pods: impl Iterator<Item = &'p Pod>, phase: &str) -> BTreeSet<i32> {
    pods.filter(|pod| pods::phase(pod) == phase).filter_map(index_of).collect()
}

/// Indexes with more failures than their limit, or with one that fails the index at once.
pub(super) fn failed_indexes(failures: &Failures<'_>, limit: i32) -> BTreeSet<i32> {
    let mut counts: BTreeMap<i32, i32> = BTreeMap::new();
    for (pod, verdict) in failures {
        let Some(index) = index_of(pod) else { continue };
        let weight = match verdict {
            Verdict::Count => 1,
            Verdict::FailIndex => limit.saturating_add(1),
            Verdict::Ignore | Verdict::FailJob(_) => 0,
        };
        let count = counts.entry(index).or_default();
        *count = count.saturating_add(weight);
    }
    counts.into_iter().filter(|(_, count)| *count > limit).map(|(index, _)| index).collect()
}
