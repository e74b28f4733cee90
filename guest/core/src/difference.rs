//! Whether an observed object already is what is desired. Everything desired must be there. Other
//! fields (defaults of the API server, fields of other managers) do not count.

use crate::json::Json;
use crate::quantity;
use orascache_contract::merge;

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
        (Json::Object(_), Json::Object(_)) if merge::is_atomic_map(field) => is_equal(desired, observed),
        (Json::Object(members), Json::Object(_)) => members.iter().all(|(key, wanted)| {
            let child = if is_quantity_map(field) || is_quantity(key) { QUANTITY } else { key.as_ref() };
            match observed.get(key) {
                Some(found) => is_subset_in(child, wanted, found),
                None => is_dropped_by_server(key, wanted),
            }
        }),
        (Json::Array(wanted), Json::Array(found)) => match merge::item_keys(field) {
            // An atomic list.
            [] => is_equal(desired, observed),
            keys => wanted.iter().all(|item| {
                let other = found.iter().find(|other| is_same_item(keys, item, other));
                other.is_some_and(|other| is_subset_in("", item, other))
            }),
        },
        (Json::Str(wanted), Json::Str(found)) => {
            wanted == found || (field == QUANTITY && quantity::same(wanted, found))
        }
        // A quantity may be written as a number; the server answers with a string.
        (Json::Int(_), Json::Str(found)) if field == QUANTITY => quantity::same(&desired.to_text(), found),
        _ => desired == observed,
    }
}

/// Whether the first key that an item has is the same in the other item.
fn is_same_item(keys: &[&str], item: &Json<'_>, other: &Json<'_>) -> bool {
    let key = keys.iter().find(|key| item.member(key).is_some());
    key.is_some_and(|key| item.get(key) == other.get(key))
}

/// Whether two values are the same, whatever the order of members. Members that are not set do not
/// count.
fn is_equal(left: &Json<'_>, right: &Json<'_>) -> bool {
    match (left, right) {
        (Json::Object(members), Json::Object(others)) => {
            let has = |value: &Json<'_>, other: Option<&Json<'_>>| match other {
                Some(other) => is_equal(value, other),
                None => is_unset(value),
            };
            members.iter().all(|(key, value)| has(value, right.get(key)))
                && others.iter().all(|(key, value)| is_unset(value) || left.get(key).is_some())
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
        Json::Object(members) => members.is_empty() && field != "emptyDir",
        Json::Array(items) => items.is_empty(),
        _ => is_unset(wanted),
    }
}

/// Whether a value means that the field is not set: the API server drops it.
fn is_unset(value: &Json<'_>) -> bool {
    matches!(value, Json::Null) || value.as_str() == Some("")
}

/// Stands for the name of a member of `requests` or `limits`. No field has this name.
const QUANTITY: &str = "<quantity>";

/// Whether a field of this name is a quantity: of a volume, or of a variable.
fn is_quantity(field: &str) -> bool {
    matches!(field, "sizeLimit" | "divisor")
}

fn is_quantity_map(field: &str) -> bool {
    matches!(field, "requests" | "limits")
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
    fn atomic_maps_match_whole() {
        for field in ["selector", "podSelector", "nodeSelector", "secretKeyRef"] {
            let of = |members: &str| format!(r#"{{"{field}":{members}}}"#);
            assert!(check(&of(r#"{"b":"2","a":"1"}"#), &of(r#"{"a":"1","b":"2"}"#)));
            assert!(!check(&of(r#"{"a":"1","b":"2"}"#), &of(r#"{"a":"1"}"#)), "{field}");
            assert!(!check(&of(r#"{"a":"1"}"#), &of(r#"{"a":"1","b":"2"}"#)), "{field}");
        }
    }

    #[test]
    fn what_is_not_set_in_an_item_does_not_count() {
        let desired = r#"{"tolerations":[{"key":"","operator":"Exists","tolerationSeconds":null}]}"#;
        assert!(check(r#"{"tolerations":[{"operator":"Exists"}]}"#, desired));
        assert!(!check(r#"{"tolerations":[{"operator":"Exists","effect":"NoExecute"}]}"#, desired));
        assert!(check("{}", r#"{"a":""}"#));
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
        let of = |size: &str| format!(r#"{{"emptyDir":{{"sizeLimit":"{size}"}}}}"#);
        assert!(check(&of("1Gi"), &of("1024Mi")) && !check(&of("1Gi"), &of("1025Mi")));
        assert!(!check(r#"{"env":[{"name":"A","value":"1"}]}"#, r#"{"env":[{"name":"A","value":"1000m"}]}"#));
    }
}
