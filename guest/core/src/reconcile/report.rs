//! What the status of a cache says, which events are recorded, and when the cache is looked at
//! again.

use super::writes::Writes;
use super::{RELATED, Situation};
use crate::desired::Defaults;
use crate::diagnosis::{Claim, Symptoms};
use crate::issue::{Issue, Reason};
use crate::issues;
use crate::json::Json;
use crate::kinds::{RESOURCE_QUOTA, STATEFUL_SET};
use crate::observed::{self, Object, Objects};
use crate::primary::Primary;
use crate::registry_pod::RegistryPod;
use crate::roll_out::{RollOut, Wait};
use crate::rotation::Rotations;
use crate::seen::Seen;
use crate::status::{Facts, Network, foreign_fields};
use crate::status_of_tasks::TaskStatus;
use crate::task_runs::TaskRuns;
use orascache_contract::{Error, Plan};

/// Adds the status, events, replaced Secrets and the next look to a plan.
///
/// # Errors
/// When a related object cannot be read.
pub(super) fn add(
    situation: &Situation<'_, '_>,
    writes: Writes<'_, '_>,
    plan: &mut Plan,
) -> Result<(), Error> {
    let Situation { seen, primary, settings, owned, former, .. } = *situation;
    let Writes { mut issues, wanted, tasks, changes_stateful_set, may_rotate, certificate_at } = writes;
    let stateful_set = owned.find(&STATEFUL_SET, primary.metadata.name);
    let related_trees = observed_around(seen, primary, stateful_set)?;
    let around = Objects::of_namespace(primary.metadata.namespace, &related_trees, RELATED)?;
    // What becomes of pods of the former operator is not told as if they were pods of this one.
    let own_set = stateful_set.filter(|_| !former.serves());
    let pods = own_set.map(|set| RegistryPod::of(set, &around)).unwrap_or_default();
    issues.extend(issues::of_renewal(primary, owned, &pods, seen.now));
    let left_to_others = issues.iter().any(|issue| issue.reason == Reason::FieldOwnedByOther);
    let roll_out = RollOut {
        primary,
        stateful_set,
        pods: &pods,
        outdated: changes_stateful_set && !left_to_others,
        replicas: match stateful_set
            .filter(|_| left_to_others || primary.spec.suspend() || former.serves())
            .and_then(|set| set.spec?.get("replicas"))
        {
            Some(Json::Int(replicas)) => *replicas,
            _ => primary.spec.replicas(),
        },
    };
    let runs = TaskRuns::of(seen, primary.metadata.namespace, &tasks)?;
    issues.extend(issues::of_jobs_without_pods(&runs.without_pods.names));
    let job_at = runs.without_pods.look_at;
    let claim = Claim::of(primary, owned, &around);
    // What blocks the roll-out is the reason. The deadline begins when it is gone.
    let is_under_way = primary.spec.deploy()
        && !primary.spec.suspend()
        && !roll_out.is_complete()
        && !issues.iter().any(Issue::blocks);
    let wait = is_under_way.then(|| {
        let symptoms = Symptoms {
            set: stateful_set.filter(|_| !roll_out.outdated),
            pods: &pods,
            claim,
            related: &around,
            replicas: roll_out.replicas,
            now: seen.now,
        };
        Wait::of(&roll_out, symptoms.diagnose(), seen.now)
    });
    issues.extend(wait.as_ref().and_then(|wait| wait.issue(&roll_out)));
    // Blocking issues come first. Otherwise the order of discovery stays.
    let (blocking, others): (Vec<_>, Vec<_>) = issues.into_iter().partition(Issue::blocks);
    let issues = [blocking, others].concat();
    let children = wanted.as_ref().map(|wanted| wanted.children.as_slice()).unwrap_or_default();
    let wanted_set = children.iter().find(|child| *child.kind == STATEFUL_SET);
    let facts = Facts {
        primary,
        roll_out: &roll_out,
        wait: wait.as_ref(),
        claim,
        issues: &issues,
        foreign_fields: wanted_set.zip(own_set).and_then(|(wanted, set)| foreign_fields(wanted, set)),
        defaults_wait: wanted.as_ref().is_some_and(|wanted| wanted.defaults != Defaults::Current),
        network: Network::of(primary, wanted.as_ref(), owned, seen.failures),
        operator_namespace: settings.operator_namespace,
        cluster_domain: settings.cluster_domain,
        tasks: TaskStatus { primary, objects: tasks, runs, now: seen.now },
        now: seen.now,
    };
    (plan.status, plan.events) = facts.changes();
    let mut rotations = Rotations::default();
    if may_rotate {
        rotations = Rotations::of(primary, owned, &pods, settings.cluster_domain, seen.now);
    }
    plan.rotate = rotations.steps;
    plan.events.extend(rotations.events);
    let seconds = |at: u64| u32::try_from(at.saturating_sub(seen.now)).unwrap_or(u32::MAX);
    let times = [
        wait.and_then(|wait| wait.look_after),
        rotations.look_after,
        certificate_at.map(seconds),
        job_at.map(seconds),
    ];
    plan.requeue_after = times.into_iter().flatten().min();
    Ok(())
}

/// The related objects that the status depends on: the pods of the StatefulSet, the claim that the
/// spec names, and quotas while pods are missing.
fn observed_around<'o>(
    seen: &Seen<'o>,
    primary: &Primary<'_>,
    set: Option<&Object<'_>>,
) -> Result<Vec<Json<'o>>, Error> {
    let mut names: Vec<&str> = set.map(|set| set.uid).filter(|uid| !uid.is_empty()).into_iter().collect();
    names.extend(primary.spec.storage.as_ref().and_then(|storage| storage.existing_claim));
    if set.is_some_and(|set| set.status.replicas < primary.spec.replicas()) {
        names.push(&RESOURCE_QUOTA.kind);
    }
    observed::parse_mentioning(&seen.related, &names, RELATED)
}
