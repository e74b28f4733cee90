//! Quantities of resources: syntax, sign, and requests within limits.

use std::cmp::Ordering;

use fake_kube_apimachinery::quantity::Quantity;
use fake_kube_apimachinery::status::Cause;
use serde_json::Value;

use super::causes::invalid;
use super::names;
use crate::json::Fields;

const SYNTAX: &str =
    "quantities must match the regular expression '^([+-]?[0-9.]+)([eEinumkKMGTP]*[-+]?[0-9]*)$'";

/// A quantity as text, however it was written.
pub(super) fn text(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

/// Parses a quantity. A wrong syntax becomes a cause.
pub(super) fn parse(value: &Value, path: &str, causes: &mut Vec<Cause>) -> Option<Quantity> {
    let text = text(value);
    let quantity = Quantity::parse(&text);
    if quantity.is_none() {
        causes.push(invalid(path.to_owned(), &text, SYNTAX));
    }
    quantity
}

/// A quantity that must not be negative.
pub(super) fn not_negative(value: &Value, path: &str, causes: &mut Vec<Cause>) -> Option<Quantity> {
    let quantity = parse(value, path, causes)?;
    if quantity.nanos() < 0 {
        causes.push(invalid(path.to_owned(), &text(value), "must be greater than or equal to 0"));
    }
    Some(quantity)
}

/// Compares two quantities. `None` when one of them is not a quantity.
pub(super) fn compare(a: &Value, b: &Value) -> Option<Ordering> {
    Some(Quantity::parse(&text(a))?.nanos().cmp(&Quantity::parse(&text(b))?.nanos()))
}

/// The `resources` of a container.
pub(super) fn requirements(resources: &Value, path: &str, causes: &mut Vec<Cause>) {
    for part in ["limits", "requests"] {
        for (name, value) in resources.entries(part) {
            let field = format!("{path}.{part}");
            container_resource(name, &field, causes);
            not_negative(value, &format!("{field}[{name}]"), causes);
        }
    }
    let limits = resources.at("limits");
    for (name, request) in resources.entries("requests") {
        let Some(limit) = limits.get(name) else { continue };
        if compare(request, limit) == Some(Ordering::Greater) {
            let sentence = format!("must be less than or equal to {name} limit of {}", text(limit));
            causes.push(invalid(format!("{path}.requests"), &text(request), &sentence));
        }
    }
}

fn container_resource(name: &str, path: &str, causes: &mut Vec<Cause>) {
    let wrong = names::qualified_name(name);
    let field = || format!("{path}[{name}]");
    causes.extend(wrong.iter().map(|wrong| invalid(field(), name, wrong)));
    let standard = matches!(name, "cpu" | "memory" | "ephemeral-storage") || name.starts_with("hugepages-");
    if wrong.is_empty() && !name.contains('/') && !standard {
        causes.push(invalid(field(), name, "must be a standard resource for containers"));
    }
}

/// The quality of service class that follows from the pod's requests and limits.
pub(crate) fn qos_class(spec: &Value) -> &'static str {
    const COMPUTE: [&str; 2] = ["cpu", "memory"];
    let positive = |value: &Value| Quantity::parse(&text(value)).is_some_and(|quantity| quantity.nanos() > 0);
    let mut any = false;
    let mut guaranteed = true;
    for container in spec.list("initContainers").iter().chain(spec.list("containers")) {
        let (requests, limits) =
            (container.path(&["resources", "requests"]), container.path(&["resources", "limits"]));
        for name in COMPUTE {
            let (request, limit) = (requests.at(name), limits.at(name));
            any |= positive(request) || positive(limit);
            guaranteed &= positive(limit) && compare(request, limit) == Some(Ordering::Equal);
        }
    }
    match (any, guaranteed) {
        (false, _) => "BestEffort",
        (true, true) => "Guaranteed",
        (true, false) => "Burstable",
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn requests_stay_within_limits() {
        let check = |resources: Value| {
            let mut causes = Vec::new();
            requirements(&resources, "r", &mut causes);
            causes.into_iter().map(|cause| format!("{}: {}", cause.field, cause.message)).collect::<Vec<_>>()
        };
        assert_eq!(
            check(json!({"limits": {"cpu": "1"}, "requests": {"cpu": "1000m", "nvidia.com/gpu": 1}})),
            [""; 0]
        );
        assert_eq!(
            check(json!({"limits": {"cpu": "1"}, "requests": {"cpu": "2"}})),
            ["r.requests: Invalid value: \"2\": must be less than or equal to cpu limit of 1"]
        );
        assert_eq!(
            check(json!({"limits": {"cpus": "-1"}})),
            [
                "r.limits[cpus]: Invalid value: \"cpus\": must be a standard resource for containers",
                "r.limits[cpus]: Invalid value: \"-1\": must be greater than or equal to 0",
            ]
        );
        assert!(check(json!({"limits": {"cpu": "lots"}})).first().unwrap().contains("regular expression"));
    }

    #[test]
    fn quality_of_service_follows_the_requests() {
        let pod = |resources: Value| json!({"containers": [{"resources": resources}]});
        let both = json!({"cpu": "1", "memory": "1Gi"});
        for (resources, class) in [
            (json!({}), "BestEffort"),
            (json!({"requests": {"cpu": "1"}}), "Burstable"),
            (json!({"limits": both, "requests": both}), "Guaranteed"),
            (json!({"limits": both, "requests": {"cpu": "500m", "memory": "1Gi"}}), "Burstable"),
        ] {
            assert_eq!(qos_class(&pod(resources)), class);
        }
    }
}
