//! Rules for what a spec adds to the registry pods.

use super::report::Report;
use super::{env, repeated};
use crate::json::Json;
use crate::names;
use crate::primary::Pods;
use orascache_api::names::labels;

/// Labels of registry pods that the operator or Kubernetes sets.
const LABELS_OF_OTHERS: [&str; 7] = [
    labels::NAME,
    labels::INSTANCE,
    labels::COMPONENT,
    labels::MANAGED_BY,
    "controller-revision-hash",
    "statefulset.kubernetes.io/pod-name",
    "apps.kubernetes.io/pod-index",
];
/// Keys under groups that end with this one mean something to the operator.
const OUR_DOMAIN: &str = "converged-computing.github.io";

pub(super) fn problems(pods: &Pods<'_>, report: &mut Report) {
    if let Some(Json::Object(labels)) = pods.labels {
        label_problems("spec.podLabels", labels, report);
    }
    if let Some(Json::Object(annotations)) = pods.annotations {
        annotation_problems("spec.podAnnotations", annotations, report);
    }
    if let Some(constraints) = pods.topology_spread_constraints.and_then(Json::as_array) {
        spread_problems(constraints, report);
    }
    if let Some(variables) = pods.env.and_then(Json::as_array) {
        env::problems(variables, report);
    }
}

type Members<'a> = [(std::borrow::Cow<'a, str>, Json<'a>)];

/// Problems of labels of a child.
pub(super) fn label_problems(field: &'static str, labels: &Members<'_>, report: &mut Report) {
    for (key, value) in labels {
        key_problems(field, key, LABELS_OF_OTHERS.contains(&key.as_ref()), report);
        if !value.as_str().is_some_and(names::is_label_value) {
            report.add(
                field,
                format!(
                    "\"{key}\" has the value {}: write up to 63 letters, digits, '-', '_' and '.', with a letter or digit at both ends",
                    value.to_text()
                ),
            );
        }
    }
}

/// Problems of annotations of a child.
pub(super) fn annotation_problems(field: &'static str, annotations: &Members<'_>, report: &mut Report) {
    for (key, value) in annotations {
        key_problems(field, key, false, report);
        if value.as_str().is_none() {
            report.add(field, format!("\"{key}\" has {} as its value: write a string", value.type_name()));
        }
    }
}

fn key_problems(field: &'static str, key: &str, is_of_others: bool, report: &mut Report) {
    if !names::is_key(key) {
        report.add(
            field,
            format!(
                "\"{key}\" is no key: write a name of up to 63 letters, digits, '-', '_' and '.', with a domain and '/' in front where you like"
            ),
        );
    } else if is_of_others || key.split_once('/').is_some_and(|(domain, _)| domain.ends_with(OUR_DOMAIN)) {
        report.add(
            field,
            format!("\"{key}\" is set or read by the operator or by Kubernetes: choose another key"),
        );
    }
}

fn spread_problems(constraints: &[Json<'_>], report: &mut Report) {
    const FIELD: &str = "spec.topologySpreadConstraints";
    let mut places = Vec::with_capacity(constraints.len());
    for constraint in constraints {
        let text = |name| constraint.member(name).and_then(Json::as_str).unwrap_or_default();
        let (topology, otherwise) = (text("topologyKey"), text("whenUnsatisfiable"));
        if topology.is_empty() {
            report.say(
                FIELD,
                "topologyKey is missing: write the label of nodes, like topology.kubernetes.io/zone",
            );
        }
        if !matches!(otherwise, "DoNotSchedule" | "ScheduleAnyway") {
            report.add(
                FIELD,
                format!("whenUnsatisfiable is \"{otherwise}\": write DoNotSchedule or ScheduleAnyway"),
            );
        }
        if !matches!(constraint.member("maxSkew"), Some(Json::Int(1..))) {
            report.say(FIELD, "maxSkew must be at least 1");
        }
        places.push(format!("{topology} is there twice with {otherwise}"));
    }
    let places: Vec<&str> = places.iter().map(String::as_str).collect();
    for place in repeated(&places) {
        report.add(FIELD, format!("{place}: keep one of them"));
    }
}
