//! Whether an observed object already is what is desired. Everything desired must be there. Other
//! fields (defaults of the API server, fields of other managers) do not count.

use crate::json::Json;
use crate::quantity;

/// Whether everything that `desired` says is in `observed`.
pub(crate) fn is_subset(desired: &Json<'_>, observed: &Json<'_>) -> bool {
    is_subset_in("", desired, observed)
}

/// The same for one field of an object, whose name decides how lists in it are matched.
pub(crate) fn is_field_subset(field: &str, desired: &Json<'_>, observed: Option<&Json<'_>>) -> bool {
    match (desired.get(field), observed) {
        (None, _) => true,
        (Some(_), None) => false,
        (Some(desired), Some(observed)) => is_subset_in(field, desired, observed),
    }
}

/// `field` is the name of the field that holds the two values: it decides how lists are matched.
fn is_subset_in(field: &str, desired: &Json<'_>, observed: &Json<'_>) -> bool {
    match (desired, observed) {
        (Json::Object(members), Json::Object(_)) => members.iter().all(|(key, wanted)| {
            if is_replaced_whole(key) {
                return observed.get(key).is_some_and(|found| is_equal(wanted, found));
            }
            let child = if is_quantity_map(field) { QUANTITY } else { key.as_ref() };
            match observed.get(key) {
                Some(found) => is_subset_in(child, wanted, found),
                None => is_dropped_by_server(key, wanted),
            }
        }),
        (Json::Array(wanted), Json::Array(found)) => match merge_key(field) {
            Some(key) => wanted.iter().all(|item| {
                let same = |other: &&Json<'_>| item.get(key).is_some() && other.get(key) == item.get(key);
                found.iter().find(same).is_some_and(|other| is_subset_in("", item, other))
            }),
            None => {
                wanted.len() == found.len()
                    && wanted.iter().zip(found).all(|(item, other)| is_subset_in("", item, other))
            }
        },
        (Json::Str(wanted), Json::Str(found)) => {
            wanted == found || (field == QUANTITY && quantity::same(wanted, found))
        }
        // A quantity may be written as a number; the server answers with a string.
        (Json::Int(_), Json::Str(found)) if field == QUANTITY => quantity::same(&desired.to_text(), found),
        _ => desired == observed,
    }
}

/// Whether a field is a part of a NetworkPolicy that says who is admitted, or to which pods.
/// Additional members change the meaning of such a field: an empty namespace selector that is added
/// to a peer admits all namespaces.
fn is_replaced_whole(field: &str) -> bool {
    matches!(field, "podSelector" | "policyTypes" | "ingress")
}

/// Whether two values are the same, whatever the order of members.
fn is_equal(left: &Json<'_>, right: &Json<'_>) -> bool {
    match (left, right) {
        (Json::Object(members), Json::Object(others)) => {
            members.len() == others.len()
                && members
                    .iter()
                    .all(|(key, value)| right.get(key).is_some_and(|other| is_equal(value, other)))
        }
        (Json::Array(items), Json::Array(others)) => {
            items.len() == others.len() && items.iter().zip(others).all(|(item, other)| is_equal(item, other))
        }
        _ => left == right,
    }
}

/// Whether the API server drops such a value. It drops empty maps and lists, except where their
/// presence means something.
fn is_dropped_by_server(field: &str, wanted: &Json<'_>) -> bool {
    match wanted {
        Json::Null => true,
        Json::Object(members) => members.is_empty() && field != "emptyDir",
        Json::Array(items) => items.is_empty(),
        _ => false,
    }
}

/// Stands for the name of a member of `requests` or `limits`. No field has this name.
const QUANTITY: &str = "<quantity>";

fn is_quantity_map(field: &str) -> bool {
    matches!(field, "requests" | "limits")
}

/// The merge key of the lists that server-side apply treats as maps, by field name (the OpenAPI
/// documents of the built-in types publish them as `x-kubernetes-list-map-keys`). Other managers
/// may add items to these. Lists without one are atomic.
fn merge_key(field: &str) -> Option<&'static str> {
    Some(match field {
        "containers" | "initContainers" | "env" | "volumes" | "imagePullSecrets" | "claims" => "name",
        "volumeMounts" => "mountPath",
        "ports" => "name",
        "conditions" => "type",
        "ownerReferences" => "uid",
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::is_subset;
    use crate::json::Json;

    fn check(observed: &str, desired: &str) -> bool {
        let parse = |text| Json::parse(text).unwrap();
        is_subset(&parse(desired), &parse(observed))
    }

    #[test]
    fn defaults_and_foreign_fields_do_not_count() {
        assert!(check(r#"{"a":1,"b":{"c":2,"d":3}}"#, r#"{"b":{"c":2}}"#));
        assert!(!check(r#"{"b":{"d":3}}"#, r#"{"b":{"c":2}}"#));
        assert!(!check(r#"{"b":{"c":3}}"#, r#"{"b":{"c":2}}"#));
    }

    #[test]
    fn list_maps_match_by_key() {
        let observed = r#"{"env":[{"name":"X","value":"1"},{"name":"A","value":"2"}]}"#;
        assert!(check(observed, r#"{"env":[{"name":"A","value":"2"}]}"#));
        assert!(!check(observed, r#"{"env":[{"name":"A","value":"3"}]}"#));
        assert!(!check(observed, r#"{"env":[{"name":"B","value":"2"}]}"#));
    }

    #[test]
    fn empty_values_that_the_server_drops_count_as_present() {
        assert!(check("{}", r#"{"limits":{},"tolerations":[]}"#));
        assert!(!check("{}", r#"{"emptyDir":{}}"#));
    }

    #[test]
    fn atomic_lists_match_whole() {
        assert!(check(r#"{"accessModes":["A","B"]}"#, r#"{"accessModes":["A","B"]}"#));
        assert!(!check(r#"{"accessModes":["A","B"]}"#, r#"{"accessModes":["A"]}"#));
        assert!(!check(r#"{"accessModes":["B","A"]}"#, r#"{"accessModes":["A","B"]}"#));
    }

    #[test]
    fn who_is_admitted_matches_exactly() {
        let desired = r#"{"podSelector":{"matchLabels":{"a":"b"}},"ingress":[{"from":[{"podSelector":{}}],"ports":[{"port":5000}]}]}"#;
        assert!(check(
            r#"{"ingress":[{"ports":[{"port":5000}],"from":[{"podSelector":{}}]}],"podSelector":{"matchLabels":{"a":"b"}}}"#,
            desired
        ));
        for observed in [
            r#"{"podSelector":{"matchLabels":{"a":"b","c":"d"}},"ingress":[{"from":[{"podSelector":{}}],"ports":[{"port":5000}]}]}"#,
            r#"{"podSelector":{"matchLabels":{"a":"b"}},"ingress":[{"from":[{"podSelector":{},"namespaceSelector":{}}],"ports":[{"port":5000}]}]}"#,
            r#"{"podSelector":{"matchLabels":{"a":"b"}},"ingress":[{"from":[{"namespaceSelector":{}}],"ports":[{"port":5000}]}]}"#,
            r#"{"podSelector":{"matchLabels":{"a":"b"}},"ingress":[{"from":[{"podSelector":{}}],"ports":[{"port":5000}]},{}]}"#,
            r#"{"podSelector":{"matchLabels":{"a":"b"}},"ingress":[{"from":[{"podSelector":{}}]}]}"#,
        ] {
            assert!(!check(observed, desired), "{observed}");
        }
    }

    #[test]
    fn quantities_compare_by_value_and_only_there() {
        assert!(check(r#"{"requests":{"cpu":"1"}}"#, r#"{"requests":{"cpu":"1000m"}}"#));
        assert!(check(r#"{"limits":{"cpu":"2"}}"#, r#"{"limits":{"cpu":2}}"#));
        assert!(!check(r#"{"requests":{"cpu":"1"}}"#, r#"{"requests":{"cpu":"2"}}"#));
        assert!(!check(r#"{"env":[{"name":"A","value":"1"}]}"#, r#"{"env":[{"name":"A","value":"1000m"}]}"#));
    }
}
