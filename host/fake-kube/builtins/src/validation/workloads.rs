//! Kinds that keep pods running: stateful sets, deployments, daemon sets, replica sets.

use fake_kube_apimachinery::status::Cause;
use serde_json::Value;

use super::causes::{immutable, invalid, unsupported};
use super::probes::not_negative;
use super::{pods, selectors};
use crate::json::{Fields, copy};

pub(super) fn stateful_set(object: &Value, causes: &mut Vec<Cause>) {
    let spec = object.at("spec");
    match spec.text("podManagementPolicy") {
        "" => causes.push(Cause::required("spec.podManagementPolicy", "")),
        "OrderedReady" | "Parallel" => {}
        other => {
            let sentence = "must be 'OrderedReady' or 'Parallel'";
            causes.push(invalid("spec.podManagementPolicy".to_owned(), other, sentence));
        }
    }
    let strategy = spec.at("updateStrategy");
    match strategy.text("type") {
        "RollingUpdate" => {
            not_negative(
                strategy.at("rollingUpdate"),
                "partition",
                "spec.updateStrategy.rollingUpdate",
                causes,
            );
        }
        "OnDelete" if strategy.has("rollingUpdate") => {
            let sentence = "only allowed for updateStrategy 'RollingUpdate'";
            causes.push(Cause::invalid(
                "spec.updateStrategy.rollingUpdate",
                strategy.at("rollingUpdate"),
                sentence,
            ));
        }
        "OnDelete" => {}
        other => {
            let sentence = "must be 'RollingUpdate' or 'OnDelete'";
            causes.push(invalid("spec.updateStrategy".to_owned(), other, sentence));
        }
    }
    let policy = spec.at("persistentVolumeClaimRetentionPolicy");
    for field in ["whenDeleted", "whenScaled"] {
        let value = policy.text(field);
        if !value.is_empty() && !matches!(value, "Retain" | "Delete") {
            let path = format!("spec.persistentVolumeClaimRetentionPolicy.{field}");
            causes.push(unsupported(path, value, &["Delete", "Retain"]));
        }
    }
    counts(spec, causes);
    not_negative(spec.at("ordinals"), "start", "spec.ordinals", causes);
    running_template(spec, "statefulset", causes);
    if spec.path(&["template", "spec"]).has("activeDeadlineSeconds") {
        let sentence = "activeDeadlineSeconds in StatefulSet is not Supported";
        causes.push(Cause::forbidden("spec.template.spec.activeDeadlineSeconds", sentence));
    }
}

fn counts(spec: &Value, causes: &mut Vec<Cause>) {
    for field in ["replicas", "minReadySeconds", "revisionHistoryLimit"] {
        not_negative(spec, field, "spec", causes);
    }
}

/// The selector and the template of something that keeps its pods running.
fn running_template(spec: &Value, kind: &str, causes: &mut Vec<Cause>) {
    selectors::workload_selector(spec, kind, causes);
    pods::template(spec.at("template"), "spec.template", causes);
    let restart = spec.path(&["template", "spec"]).text("restartPolicy");
    if !matches!(restart, "" | "Always") {
        causes.push(unsupported("spec.template.spec.restartPolicy".to_owned(), restart, &["Always"]));
    }
}

/// Validates that an update changes only what may change in a stateful set.
pub(super) fn stateful_set_update(new: &Value, old: &Value, causes: &mut Vec<Cause>) {
    const MUTABLE: [&str; 7] = [
        "replicas",
        "ordinals",
        "template",
        "updateStrategy",
        "revisionHistoryLimit",
        "persistentVolumeClaimRetentionPolicy",
        "minReadySeconds",
    ];
    let old = old.at("spec");
    let mut same = new.at("spec").clone();
    for field in MUTABLE {
        copy(old, &mut same, field);
    }
    if &same != old {
        causes.push(Cause::forbidden(
            "spec",
            "updates to statefulset spec for fields other than 'replicas', 'ordinals', 'template', 'updateStrategy', \
             'revisionHistoryLimit', 'persistentVolumeClaimRetentionPolicy' and 'minReadySeconds' are forbidden",
        ));
    }
}

pub(super) fn deployment(object: &Value, causes: &mut Vec<Cause>) {
    let spec = object.at("spec");
    counts(spec, causes);
    running_template(spec, "deployment", causes);
    let strategy = spec.at("strategy");
    match strategy.text("type") {
        "RollingUpdate" => rolling(strategy.at("rollingUpdate"), "spec.strategy.rollingUpdate", causes),
        "Recreate" if strategy.has("rollingUpdate") => causes.push(Cause::forbidden(
            "spec.strategy.rollingUpdate",
            "may not be specified when strategy `type` is 'Recreate'",
        )),
        "Recreate" => {}
        other => {
            causes.push(unsupported("spec.strategy.type".to_owned(), other, &["Recreate", "RollingUpdate"]));
        }
    }
    not_negative(spec, "progressDeadlineSeconds", "spec", causes);
    let ready = spec.integer("minReadySeconds").unwrap_or(0);
    if spec.integer("progressDeadlineSeconds").is_some_and(|deadline| deadline <= ready) {
        let sentence = "must be greater than minReadySeconds";
        causes.push(Cause::invalid(
            "spec.progressDeadlineSeconds",
            spec.at("progressDeadlineSeconds"),
            sentence,
        ));
    }
}

/// A rollout needs room in at least one direction.
fn rolling(rolling: &Value, path: &str, causes: &mut Vec<Cause>) {
    for field in ["maxUnavailable", "maxSurge"] {
        percentage(rolling.at(field), format!("{path}.{field}"), causes);
    }
    let zero = |field: &str| match rolling.at(field) {
        Value::String(percent) => percent == "0%",
        other => other.as_i64().unwrap_or(0) == 0,
    };
    if zero("maxUnavailable") && zero("maxSurge") {
        let sentence = "may not be 0 when `maxSurge` is 0";
        causes.push(Cause::invalid(format!("{path}.maxUnavailable"), rolling.at("maxUnavailable"), sentence));
    }
}

/// A number or a percentage.
pub(super) fn percentage(value: &Value, field: String, causes: &mut Vec<Cause>) {
    let number = match value {
        Value::String(text) => text.strip_suffix('%').and_then(|digits| {
            digits.chars().all(|c| c.is_ascii_digit()).then(|| digits.parse::<i64>().ok()).flatten()
        }),
        Value::Null => return,
        other => other.as_i64(),
    };
    let sentence = match number {
        Some(number) if number < 0 => "must be greater than or equal to 0",
        Some(_) => return,
        None => {
            "a valid percent string must be a numeric string followed by an ending '%' (e.g. '1%',  or '93%', regex \
             used for validation is '[0-9]+%')"
        }
    };
    causes.push(Cause::invalid(field, value, sentence));
}

pub(super) fn daemon_set(object: &Value, causes: &mut Vec<Cause>) {
    let spec = object.at("spec");
    counts(spec, causes);
    running_template(spec, "daemonset", causes);
    let strategy = spec.at("updateStrategy");
    match strategy.text("type") {
        "RollingUpdate" => rolling(strategy.at("rollingUpdate"), "spec.updateStrategy.rollingUpdate", causes),
        "OnDelete" => {}
        other => {
            causes.push(unsupported(
                "spec.updateStrategy.type".to_owned(),
                other,
                &["OnDelete", "RollingUpdate"],
            ));
        }
    }
}

pub(super) fn replica_set(object: &Value, causes: &mut Vec<Cause>) {
    let spec = object.at("spec");
    counts(spec, causes);
    running_template(spec, "deployment", causes);
}

pub(super) fn replication_controller(object: &Value, causes: &mut Vec<Cause>) {
    let spec = object.at("spec");
    counts(spec, causes);
    let selector = spec.at("selector");
    if selector.as_object().is_none_or(serde_json::Map::is_empty) {
        causes.push(Cause::required("spec.selector", ""));
    }
    let labels = spec.path(&["template", "metadata", "labels"]);
    if spec.entries("selector").any(|(key, value)| labels.get(key) != Some(value)) {
        causes.push(selectors::mismatch(labels));
    }
    pods::template(spec.at("template"), "spec.template", causes);
}

/// Deployments, daemon sets and replica sets keep the selector by which they find their pods.
pub(super) fn selector_update(new: &Value, old: &Value, causes: &mut Vec<Cause>) {
    causes.extend(immutable(
        "spec.selector",
        new.path(&["spec", "selector"]),
        old.path(&["spec", "selector"]),
    ));
}

pub(super) fn disruption_budget(object: &Value, causes: &mut Vec<Cause>) {
    let spec = object.at("spec");
    if spec.has("minAvailable") && spec.has("maxUnavailable") {
        causes.push(Cause::invalid("spec", spec, "minAvailable and maxUnavailable cannot be both set"));
    }
    for field in ["minAvailable", "maxUnavailable"] {
        percentage(spec.at(field), format!("spec.{field}"), causes);
    }
    selectors::label_selector(spec.at("selector"), "spec.selector", causes);
}

pub(super) fn controller_revision(object: &Value, causes: &mut Vec<Cause>) {
    if object.integer("revision").is_some_and(|revision| revision < 0) {
        causes.push(Cause::invalid("revision", object.at("revision"), "must be greater than or equal to 0"));
    }
}

pub(super) fn controller_revision_update(new: &Value, old: &Value, causes: &mut Vec<Cause>) {
    causes.extend(immutable("data", new.at("data"), old.at("data")));
}
