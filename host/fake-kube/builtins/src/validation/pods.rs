//! Pods and pod templates.

use fake_kube_apimachinery::status::Cause;
use serde_json::Value;

use super::causes::{invalid, unsupported};
use super::{containers, ephemeral_containers, metadata, names, probes, selectors, volumes};
use crate::json::{Fields, copy, items, remove};

/// Validates a pod spec.
pub(super) fn spec(spec: &Value, path: &str, causes: &mut Vec<Cause>) {
    volumes::volumes(spec, path, causes);
    containers::all(spec, path, causes);
    ephemeral_containers::all(spec, path, causes);
    let enums: [(&str, &[&str]); 2] = [
        ("restartPolicy", &["Always", "Never", "OnFailure"]),
        ("dnsPolicy", &["ClusterFirst", "ClusterFirstWithHostNet", "Default", "None"]),
    ];
    for (field, allowed) in enums {
        match spec.text(field) {
            "" => causes.push(Cause::required(format!("{path}.{field}"), "")),
            known if allowed.contains(&known) => {}
            other => causes.push(unsupported(format!("{path}.{field}"), other, allowed)),
        }
    }
    metadata::labels(spec, "nodeSelector", &format!("{path}.nodeSelector"), causes);
    containers::security(spec.at("securityContext"), &format!("{path}.securityContext"), causes);
    for (field, format) in [
        ("serviceAccountName", names::dns_subdomain as metadata::NameFormat),
        ("nodeName", names::dns_subdomain),
        ("hostname", names::dns_label),
        ("subdomain", names::dns_label),
        ("priorityClassName", names::dns_subdomain),
    ] {
        let value = spec.text(field);
        if !value.is_empty() {
            causes.extend(format(value).iter().map(|wrong| invalid(format!("{path}.{field}"), value, wrong)));
        }
    }
    probes::not_negative(spec, "terminationGracePeriodSeconds", path, causes);
    if let Some(seconds) =
        spec.integer("activeDeadlineSeconds").filter(|s| !(1..=i64::from(i32::MAX)).contains(s))
    {
        let sentence = "must be between 1 and 2147483647, inclusive";
        causes.push(Cause::invalid(format!("{path}.activeDeadlineSeconds"), &seconds.into(), sentence));
    }
    tolerations(spec, path, causes);
    affinity(spec.at("affinity"), &format!("{path}.affinity"), causes);
}

fn tolerations(spec: &Value, path: &str, causes: &mut Vec<Cause>) {
    const EFFECTS: [&str; 3] = ["NoExecute", "NoSchedule", "PreferNoSchedule"];
    for (index, toleration) in spec.list("tolerations").iter().enumerate() {
        let path = format!("{path}.tolerations[{index}]");
        let (key, operator) = (toleration.text("key"), toleration.text("operator"));
        let (effect, value) = (toleration.text("effect"), toleration.text("value"));
        let operator_field = || format!("{path}.operator");
        if key.is_empty() && operator != "Exists" {
            let sentence =
                "operator must be Exists when `key` is empty, which means \"match all values and all keys\"";
            causes.push(invalid(operator_field(), operator, sentence));
        } else if !key.is_empty() {
            causes.extend(
                names::qualified_name(key).iter().map(|wrong| invalid(format!("{path}.key"), key, wrong)),
            );
        }
        if toleration.has("tolerationSeconds") && effect != "NoExecute" {
            let sentence = "effect must be 'NoExecute' when `tolerationSeconds` is set";
            causes.push(invalid(format!("{path}.effect"), effect, sentence));
        }
        match operator {
            "Equal" | "" => {
                let wrong = names::label_value(value);
                causes.extend(wrong.first().map(|wrong| invalid(operator_field(), value, wrong)));
            }
            "Exists" if !value.is_empty() => {
                causes.push(invalid(
                    operator_field(),
                    value,
                    "value must be empty when `operator` is 'Exists'",
                ));
            }
            "Exists" | "Gt" | "Lt" => {}
            other => causes.push(unsupported(operator_field(), other, &["Equal", "Exists"])),
        }
        if !effect.is_empty() && !EFFECTS.contains(&effect) {
            causes.push(unsupported(format!("{path}.effect"), effect, &EFFECTS));
        }
    }
}

/// The selectors of pod affinities, which are the parts that are easily wrong.
fn affinity(affinity: &Value, path: &str, causes: &mut Vec<Cause>) {
    for kind in ["podAffinity", "podAntiAffinity"] {
        let path = format!("{path}.{kind}.requiredDuringSchedulingIgnoredDuringExecution");
        let terms = affinity.at(kind).list("requiredDuringSchedulingIgnoredDuringExecution");
        for (index, term) in terms.iter().enumerate() {
            let path = format!("{path}[{index}]");
            selectors::label_selector(term.at("labelSelector"), &format!("{path}.labelSelector"), causes);
            if term.text("topologyKey").is_empty() {
                causes.push(Cause::required(format!("{path}.topologyKey"), "can not be empty"));
            }
        }
    }
}

/// Validates a pod template.
pub(super) fn template(template: &Value, path: &str, causes: &mut Vec<Cause>) {
    let metadata = template.at("metadata");
    metadata::labels(metadata, "labels", &format!("{path}.labels"), causes);
    metadata::annotations(metadata, &format!("{path}.annotations"), causes);
    spec(template.at("spec"), &format!("{path}.spec"), causes);
    if !template.at("spec").list("ephemeralContainers").is_empty() {
        let field = format!("{path}.spec.ephemeralContainers");
        causes.push(Cause::forbidden(field, "ephemeral containers not allowed in pod template"));
    }
}

/// Validates that an update changes only what may change in a pod.
pub(super) fn update(new: &Value, old: &Value, causes: &mut Vec<Cause>) {
    const ALLOWED: &str = "pod updates may not change fields other than \
        `spec.containers[*].image`,`spec.initContainers[*].image`,`spec.activeDeadlineSeconds`,`spec.tolerations` \
        (only additions to existing tolerations),`spec.terminationGracePeriodSeconds` (allow it to be set to 1 if it \
        was previously negative)";
    let (new, old) = (new.at("spec"), old.at("spec"));
    for list in ["containers", "initContainers"] {
        if new.list(list).len() != old.list(list).len() {
            causes.push(Cause::forbidden(
                format!("spec.{list}"),
                "pod updates may not add or remove containers",
            ));
            return;
        }
    }
    if let Some(before) = old.integer("activeDeadlineSeconds") {
        match new.integer("activeDeadlineSeconds") {
            Some(now) if now > before => causes.push(Cause::invalid(
                "spec.activeDeadlineSeconds",
                &now.into(),
                "must be less than or equal to previous value",
            )),
            Some(_) => {}
            None => causes.push(Cause::invalid(
                "spec.activeDeadlineSeconds",
                &Value::Null,
                "must not update from a positive integer to nil value",
            )),
        }
    }
    let without_seconds = |toleration: &Value| {
        let mut toleration = toleration.clone();
        remove(&mut toleration, "tolerationSeconds");
        toleration
    };
    let kept = old.list("tolerations").iter().all(|before| {
        new.list("tolerations").iter().any(|now| without_seconds(now) == without_seconds(before))
    });
    if !kept {
        causes.push(Cause::forbidden(
            "spec.tolerations",
            "existing toleration can not be modified except its tolerationSeconds",
        ));
    }
    let mut same = new.clone();
    for field in ["activeDeadlineSeconds", "tolerations", "schedulingGates"] {
        copy(old, &mut same, field);
    }
    let negative = old.integer("terminationGracePeriodSeconds").is_some_and(|seconds| seconds < 0);
    if negative && new.integer("terminationGracePeriodSeconds") == Some(1) {
        copy(old, &mut same, "terminationGracePeriodSeconds");
    }
    for list in ["containers", "initContainers"] {
        for (container, before) in items(&mut same, list).zip(old.list(list)) {
            copy(before, container, "image");
        }
    }
    if &same != old {
        causes.push(Cause::forbidden("spec", ALLOWED));
    }
}
