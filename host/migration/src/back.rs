//! The next step on the way back to the former operator.
//!
//! Until the former StatefulSet is deleted, a migration can be taken back without a trace. After
//! that, the registry of this operator stays: the former operator only asks whether a StatefulSet
//! and a Service of the cache's name exist, and their owner references are the ones that it sets.

use crate::action::Action;
use crate::names;
use crate::observed::{Observed, Whose};
use crate::obstacles;
use crate::step::Step;
use orascache_api::names::{
    APPLIED_GENERATION_ANNOTATION, APPLIED_HASH_ANNOTATION, CONSENT_ANNOTATION, TEMPLATE_REVISION_ANNOTATION,
};
use std::collections::BTreeMap;

/// Annotations by which this operator knows what it made.
pub(crate) const OWN_ANNOTATIONS: [&str; 4] = [
    CONSENT_ANNOTATION,
    APPLIED_HASH_ANNOTATION,
    APPLIED_GENERATION_ANNOTATION,
    TEMPLATE_REVISION_ANNOTATION,
];

/// The next step.
pub fn next_back(observed: &Observed) -> Step {
    let foreign = obstacles::foreign(observed);
    if !foreign.is_empty() {
        return Step::Refuse(foreign);
    }
    if observed.whose_stateful_set() == Whose::Former {
        return take_back(observed);
    }
    if observed.own_holding().is_some() {
        return Step::refuse(format!(
            "The StatefulSet of the former operator is gone, and OrasCache {} has the artifacts. Go forward first (--apply), and then back.",
            names::holding(observed.name())
        ));
    }
    hand_over(observed)
}

/// The former registry serves.
fn take_back(observed: &Observed) -> Step {
    if observed.is_closed() {
        return Step::Do(Action::OpenService);
    }
    if observed.own_holding().is_some() {
        return Step::Do(Action::RemoveHolding);
    }
    Step::Done
}

/// The registry of this operator serves.
fn hand_over(observed: &Observed) -> Step {
    let has = |annotations: Option<&BTreeMap<String, String>>| {
        annotations.is_some_and(|all| OWN_ANNOTATIONS.iter().any(|key| all.contains_key(*key)))
    };
    let set = observed.stateful_set.as_ref().and_then(|set| set.metadata.annotations.as_ref());
    let service = observed.service.as_ref().and_then(|service| service.metadata.annotations.as_ref());
    if !has(set) && !has(service) {
        return Step::Done;
    }
    if let Some(leader) = &observed.operators.leader {
        return Step::refuse(format!(
            "This operator runs ({leader}), and writes its annotations again. Stop it first: kubectl scale -n orascache-system deployment/orascache --replicas=0."
        ));
    }
    Step::Do(if has(set) { Action::ReleaseStatefulSet } else { Action::ReleaseService })
}
