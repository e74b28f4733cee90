//! The next step on the way from the former operator to this one.
//!
//! Each step follows from what is observed, so that a migration goes on where it was interrupted.
//! At every moment either the former registry or the holding cache, or the new registry, has all
//! artifacts that were pushed:
//!
//! 1. The holding cache gets a copy while the former registry serves.
//! 2. The Service is closed, and what was pushed since then is copied.
//! 3. The former StatefulSet is deleted. This operator makes its own, whose registry is empty.
//! 4. The new registry gets everything from the holding cache.
//! 5. The Service is given to the cache, and opens. The holding cache is deleted.

use crate::action::Action;
use crate::copy::{Copy, CopyState};
use crate::names;
use crate::observed::{Observed, Whose};
use crate::obstacles;
use crate::step::{Step, Wishes};
use serde_json::Value;

/// The next step.
pub fn next(observed: &Observed, wishes: Wishes) -> Step {
    if observed.is_being_deleted() {
        return Step::refuse(format!("OrasCache {} is being deleted.", observed.name()));
    }
    let foreign = obstacles::foreign(observed);
    if !foreign.is_empty() {
        return Step::Refuse(foreign);
    }
    match (observed.whose_stateful_set(), observed.whose_service()) {
        (Whose::Former, _) => from_former_registry(observed, wishes),
        _ if observed.own_holding().is_some() => to_new_registry(observed, wishes),
        (_, Whose::Former) => give_service(observed),
        _ => opened(observed).unwrap_or(Step::Done),
    }
}

/// The former registry has the artifacts.
fn from_former_registry(observed: &Observed, wishes: Wishes) -> Step {
    if observed.stateful_set.as_ref().is_some_and(|set| set.metadata.deletion_timestamp.is_some()) {
        return Step::Wait(format!("StatefulSet {} is being deleted", observed.name()));
    }
    let obstacles = obstacles::before_move(observed, wishes);
    if !obstacles.is_empty() {
        return Step::Refuse(obstacles);
    }
    if observed.literal_secret().is_some() && observed.applier_of_secret().is_none() {
        return Step::Do(Action::MoveSecret);
    }
    if observed.registry_pod().is_none() {
        return Step::Wait(format!(
            "the former registry is not ready: kubectl describe pod {} says more. If it has no artifacts that are needed, delete StatefulSet {}",
            names::registry_pod(observed.name()),
            observed.name()
        ));
    }
    if observed.own_holding().is_none() {
        return Step::Do(Action::CreateHolding);
    }
    if let Some(step) = holding_is_missing(observed) {
        return step;
    }
    if !observed.is_closed() {
        return copied(observed, Copy::First, wishes).unwrap_or(Step::Do(Action::CloseService));
    }
    copied(observed, Copy::Rest, wishes).unwrap_or(Step::Do(Action::DeleteStatefulSet))
}

/// The holding cache has the artifacts.
fn to_new_registry(observed: &Observed, wishes: Wishes) -> Step {
    let name = observed.name();
    if observed.copy_state(Copy::Back) != CopyState::Complete {
        if let Some(step) = back_cannot_start(observed) {
            return step;
        }
        if let Some(step) = copied(observed, Copy::Back, wishes) {
            return step;
        }
    }
    if observed.whose_service() == Whose::Former {
        return Step::Do(Action::GiveService);
    }
    if is_being_deleted(observed.own_holding()) {
        return Step::Wait(format!("OrasCache {} is being deleted", names::holding(name)));
    }
    opened(observed).unwrap_or(Step::Do(Action::RemoveHolding))
}

/// What has to happen before the last copy can start.
fn back_cannot_start(observed: &Observed) -> Option<Step> {
    let name = observed.name();
    if is_being_deleted(observed.own_holding()) {
        return Some(Step::Wait(format!("OrasCache {} is being deleted", names::holding(name))));
    }
    if observed.registry_pod().is_none() {
        return Some(Step::Wait(format!(
            "the new registry is not ready: kubectl describe oc {name} says more"
        )));
    }
    if let Some(step) = holding_is_missing(observed) {
        return Some(step);
    }
    (!observed.holds_everything()).then(|| {
        let holding = names::holding(name);
        Step::refuse(format!(
            "OrasCache {holding} has lost what it held: its pod is not the one to which the artifacts were copied. The new registry has what was copied to it until now. To go on without the rest: kubectl delete oc {holding}, and run this command again."
        ))
    })
}

/// Nothing is to be copied, and the Service is still the former operator's.
fn give_service(observed: &Observed) -> Step {
    if !observed.operators.former.is_empty() || !observed.is_attended() {
        return Step::Refuse(obstacles::before_move(
            observed,
            Wishes { ignore_running_steps: true, ..Wishes::default() },
        ));
    }
    Step::Do(Action::GiveService)
}

/// What has to happen before the Service leads to the new registry.
fn opened(observed: &Observed) -> Option<Step> {
    observed
        .selects_as_former()
        .then(|| Step::Wait(format!("the operator has not changed Service {} yet", observed.name())))
}

/// What has to happen before a copy is complete.
fn copied(observed: &Observed, copy: Copy, wishes: Wishes) -> Option<Step> {
    let job = copy.job(&names::holding(observed.name()));
    match observed.copy_state(copy) {
        CopyState::Complete => None,
        CopyState::Missing => Some(Step::Do(Action::StartCopy(copy))),
        CopyState::Outdated => Some(Step::Do(Action::RemoveCopy(copy))),
        CopyState::Failed if wishes.retries_copies => Some(Step::Do(Action::RemoveCopy(copy))),
        CopyState::Failed => Some(Step::refuse(format!(
            "Job {job} could not copy everything: kubectl logs job/{job} says why. Run this command again to try it again."
        ))),
        CopyState::Running => Some(Step::Wait(format!(
            "Job {job} copies artifacts: kubectl get pods -l job-name={job} shows how far it is, and kubectl describe job {job} why it has no pod"
        ))),
    }
}

/// What has to happen before the holding cache can be used.
fn holding_is_missing(observed: &Observed) -> Option<Step> {
    let holding = names::holding(observed.name());
    if is_being_deleted(observed.own_holding()) {
        return Some(Step::Wait(format!("OrasCache {holding} is being deleted")));
    }
    observed.holding_pod().is_none().then(|| {
        Step::Wait(format!("OrasCache {holding} is not ready: kubectl describe oc {holding} says more"))
    })
}

fn is_being_deleted(cache: Option<&Value>) -> bool {
    cache.is_some_and(|cache| cache.pointer("/metadata/deletionTimestamp").is_some())
}
