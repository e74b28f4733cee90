//! Defaults of the kinds that make pods.

use serde_json::{Value, json};

use super::{pod, set_default_list, volumes};
use crate::json::{Fields, ensure, existing, is_empty, items, set, set_default, set_default_text};

pub(super) fn stateful_set(object: &mut Value) {
    let Some(spec) = ensure(object, "spec") else { return };
    pod::template(spec, "template");
    set_default_text(spec, "podManagementPolicy", "OrderedReady");
    if let Some(strategy) = ensure(spec, "updateStrategy") {
        set_default_text(strategy, "type", "RollingUpdate");
        if strategy.text("type") == "RollingUpdate"
            && let Some(rolling) = ensure(strategy, "rollingUpdate")
        {
            set_default(rolling, "partition", 0);
        }
    }
    if let Some(policy) = ensure(spec, "persistentVolumeClaimRetentionPolicy") {
        set_default_text(policy, "whenDeleted", "Retain");
        set_default_text(policy, "whenScaled", "Retain");
    }
    set_default(spec, "replicas", 1);
    set_default(spec, "revisionHistoryLimit", 10);
    for claim in items(spec, "volumeClaimTemplates") {
        set(claim, "apiVersion", "v1");
        set(claim, "kind", "PersistentVolumeClaim");
        volumes::claim(claim);
    }
}

pub(super) fn deployment(object: &mut Value) {
    let Some(spec) = ensure(object, "spec") else { return };
    pod::template(spec, "template");
    set_default(spec, "replicas", 1);
    if let Some(strategy) = ensure(spec, "strategy") {
        set_default_text(strategy, "type", "RollingUpdate");
        if strategy.text("type") == "RollingUpdate"
            && let Some(rolling) = ensure(strategy, "rollingUpdate")
        {
            set_default(rolling, "maxUnavailable", "25%");
            set_default(rolling, "maxSurge", "25%");
        }
    }
    set_default(spec, "revisionHistoryLimit", 10);
    set_default(spec, "progressDeadlineSeconds", 600);
}

pub(super) fn daemon_set(object: &mut Value) {
    let Some(spec) = ensure(object, "spec") else { return };
    pod::template(spec, "template");
    if let Some(strategy) = ensure(spec, "updateStrategy") {
        set_default_text(strategy, "type", "RollingUpdate");
        if strategy.text("type") == "RollingUpdate"
            && let Some(rolling) = ensure(strategy, "rollingUpdate")
        {
            set_default(rolling, "maxUnavailable", 1);
            set_default(rolling, "maxSurge", 0);
        }
    }
    set_default(spec, "revisionHistoryLimit", 10);
}

pub(super) fn replica_set(object: &mut Value) {
    let Some(spec) = ensure(object, "spec") else { return };
    pod::template(spec, "template");
    set_default(spec, "replicas", 1);
}

pub(super) fn replication_controller(object: &mut Value) {
    let Some(spec) = ensure(object, "spec") else { return };
    pod::template(spec, "template");
    set_default(spec, "replicas", 1);
    let labels = spec.path(&["template", "metadata", "labels"]).clone();
    if !is_empty(&labels) {
        if is_empty(spec.at("selector")) {
            set(spec, "selector", labels.clone());
        }
        labels_from_template(object, labels);
    }
}

pub(super) fn job(object: &mut Value) {
    let Some(spec) = ensure(object, "spec") else { return };
    pod::template(spec, "template");
    if !spec.has("completions") && !spec.has("parallelism") {
        set(spec, "completions", 1);
    }
    set_default(spec, "parallelism", 1);
    let unlimited = spec.has("backoffLimitPerIndex");
    set_default(spec, "backoffLimit", if unlimited { i32::MAX } else { 6 });
    set_default(spec, "completionMode", "NonIndexed");
    set_default(spec, "suspend", false);
    let by_policy = spec.has("podFailurePolicy");
    set_default(spec, "podReplacementPolicy", if by_policy { "Failed" } else { "TerminatingOrFailed" });
    if let Some(policy) = existing(spec, &["podFailurePolicy"]) {
        for rule in items(policy, "rules") {
            for condition in items(rule, "onPodConditions") {
                set_default_text(condition, "status", "True");
            }
        }
    }
    let labels = spec.path(&["template", "metadata", "labels"]).clone();
    if !is_empty(&labels) {
        labels_from_template(object, labels);
    }
}

fn labels_from_template(object: &mut Value, labels: Value) {
    if let Some(metadata) = ensure(object, "metadata")
        && is_empty(metadata.at("labels"))
    {
        set(metadata, "labels", labels);
    }
}

pub(super) fn cron_job(object: &mut Value) {
    let Some(spec) = ensure(object, "spec") else { return };
    if let Some(job) = ensure(spec, "jobTemplate") {
        set_default(job, "metadata", json!({}));
        if let Some(job) = ensure(job, "spec") {
            pod::template(job, "template");
        }
    }
    set_default_text(spec, "concurrencyPolicy", "Allow");
    set_default(spec, "suspend", false);
    set_default(spec, "successfulJobsHistoryLimit", 3);
    set_default(spec, "failedJobsHistoryLimit", 1);
}

pub(super) fn autoscaler(object: &mut Value) {
    let Some(spec) = ensure(object, "spec") else { return };
    set_default(spec, "minReplicas", 1);
    let cpu = json!([{
        "type": "Resource",
        "resource": {"name": "cpu", "target": {"type": "Utilization", "averageUtilization": 80}},
    }]);
    set_default_list(spec, "metrics", cpu);
    let Some(behavior) = existing(spec, &["behavior"]) else { return };
    let pods = json!({"type": "Pods", "value": 4, "periodSeconds": 15});
    let percent = json!({"type": "Percent", "value": 100, "periodSeconds": 15});
    for (direction, policies) in [("scaleUp", json!([pods, percent])), ("scaleDown", json!([percent]))] {
        let Some(rules) = ensure(behavior, direction) else { continue };
        if direction == "scaleUp" {
            set_default(rules, "stabilizationWindowSeconds", 0);
        }
        set_default(rules, "selectPolicy", "Max");
        set_default_list(rules, "policies", policies);
    }
}
