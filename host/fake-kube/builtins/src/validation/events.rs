//! Events and leases.

use fake_kube_apimachinery::status::Cause;
use serde_json::Value;

use super::causes::invalid;
use super::names;
use super::numbers::not_negative;
use crate::events::event_to_core;
use crate::json::Fields;

/// Validates an event of either version. The API server checks it as `v1`, so the causes have the
/// field names of `v1`.
pub(super) fn event(object: &Value, core: bool, causes: &mut Vec<Cause>) {
    let event = if core { object.clone() } else { event_to_core(object) };
    let namespace = event.at("metadata").text("namespace");
    let involved = event.at("involvedObject").text("namespace");
    // Events of cluster-scoped objects are in the default namespace.
    let fits = if involved.is_empty() { matches!(namespace, "" | "default") } else { involved == namespace };
    if !fits {
        causes.push(invalid(
            "involvedObject.namespace".to_owned(),
            involved,
            "does not match event.namespace",
        ));
    }
    let controller_field = if core { "reportingComponent" } else { "reportingController" };
    if event.has("eventTime") {
        let controller = event.text("reportingComponent");
        if controller.is_empty() {
            causes.push(Cause::required(controller_field, ""));
        } else {
            let wrong = names::qualified_name(controller);
            causes.extend(wrong.iter().map(|wrong| invalid(controller_field.to_owned(), controller, wrong)));
        }
        for field in ["reportingInstance", "action", "reason"] {
            match event.text(field) {
                "" => causes.push(Cause::required(field, "")),
                long if long.len() > 128 => {
                    causes.push(invalid(field.to_owned(), "", "can have at most 128 characters"));
                }
                _ => {}
            }
        }
        if event.text("message").len() > 1024 {
            causes.push(invalid("message".to_owned(), "", "can have at most 1024 characters"));
        }
    } else if !core {
        causes.push(Cause::required("eventTime", ""));
    }
    if !core && !matches!(event.text("type"), "Normal" | "Warning") {
        let type_ = event.text("type");
        causes.push(invalid("type".to_owned(), "", &format!("has invalid value: {type_}")));
    }
}

pub(super) fn lease(object: &Value, causes: &mut Vec<Cause>) {
    let spec = object.at("spec");
    if spec.integer("leaseDurationSeconds").is_some_and(|seconds| seconds <= 0) {
        let field = "spec.leaseDurationSeconds";
        causes.push(Cause::invalid(field, spec.at("leaseDurationSeconds"), "must be greater than 0"));
    }
    not_negative(spec, "leaseTransitions", "spec", causes);
    if spec.has("holderIdentity") && spec.text("holderIdentity").is_empty() {
        causes.push(invalid("spec.holderIdentity".to_owned(), "", "must not be empty"));
    }
}
