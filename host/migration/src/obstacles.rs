//! What is in the way of a migration.

use crate::observed::{Observed, Whose};
use crate::step::Wishes;
use serde_json::Value;

/// What is in the way before the artifacts are moved, as sentences.
pub(crate) fn before_move(observed: &Observed, wishes: Wishes) -> Vec<String> {
    let mut found = of_spec(observed);
    found.extend(of_operators(observed));
    let steps = observed.running_steps();
    if !steps.is_empty() && !wishes.ignore_running_steps {
        found.push(format!(
            "Pods with steps of the former operator run, and fail when their registry is replaced: {}. Wait until they have ended, or delete them; --ignore-running-steps goes on all the same.",
            steps.join(", ")
        ));
    }
    found
}

/// What of the spec is in the way of copying.
fn of_spec(observed: &Observed) -> Vec<String> {
    let mut found = Vec::new();
    if !observed.deploys() {
        found.push(
            "spec.deploy is false, so that there would be no registry for the artifacts. Set it to true; or delete the StatefulSet, and the artifacts with it.".to_owned(),
        );
    }
    for field in ["auth", "tls", "proxy"] {
        if observed.spec(field).is_some() {
            found.push(format!(
                "spec.{field} is set, and the copies need a registry that takes pushes by HTTP from everybody. Add it after the migration."
            ));
        }
    }
    for field in ["suspend", "readOnly"] {
        if observed.spec(field) == Some(&Value::Bool(true)) {
            found.push(format!(
                "spec.{field} is true, so that nothing can be moved. Set it to false until the migration is done."
            ));
        }
    }
    if observed.spec("replicas").and_then(Value::as_i64) == Some(0) {
        found.push("spec.replicas is 0, so that nothing can be moved. Set it to 1.".to_owned());
    }
    found
}

/// What operators are in the way, or missing.
fn of_operators(observed: &Observed) -> Vec<String> {
    let operators = &observed.operators;
    let mut found = Vec::new();
    for name in &operators.former {
        let (namespace, deployment) = name.split_once('/').unwrap_or(("default", name));
        found.push(format!(
            "The former operator runs, and makes its objects again when they are replaced: kubectl scale -n {namespace} deployment/{deployment} --replicas=0."
        ));
    }
    for name in &operators.former_webhooks {
        found.push(format!(
            "The webhook of the former operator is registered, which no pod of the cluster can be made without: kubectl delete mutatingwebhookconfiguration {name}."
        ));
    }
    if !observed.is_attended() {
        found.push(
            "This operator has not said in the status of the cache that it leaves the objects of the former operator alone. Install it, and wait for the condition Degraded with the reason FormerOperator.".to_owned(),
        );
    }
    found
}

/// Objects of the cache's name that are neither operator's, as sentences.
pub(crate) fn foreign(observed: &Observed) -> Vec<String> {
    let name = observed.name();
    let mut found = Vec::new();
    for (kind, whose) in
        [("StatefulSet", observed.whose_stateful_set()), ("Service", observed.whose_service())]
    {
        if whose == Whose::Foreign {
            found.push(format!(
                "{kind} {name} is not controlled by OrasCache {name}, so that it is nobody's whom a migration knows. Rename or delete it, or give the cache another name."
            ));
        }
    }
    if observed.holding.is_some() && observed.own_holding().is_none() {
        found.push(format!(
            "OrasCache {} exists and was not made by a migration of this cache. Rename or delete it.",
            crate::names::holding(name)
        ));
    }
    found
}
