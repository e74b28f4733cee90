//! Which fields may be applied, as a pure function of managedFields.
//!
//! A field that somebody edited (a manager of operation Update) is taken back. A field that another
//! manager applies, or that is set through the scale subresource, is left alone. So is a field that
//! was taken back too often. Fields that are left alone are removed from what we apply, so that the
//! object has no two managers that disagree.
//!
//! Server-side apply owns some lists and maps as a whole (they are atomic), and merges others
//! member by member. managedFields tells them apart: nobody's entry has anything below an atomic
//! value. Any difference is an edit of an atomic value, even a further member: a NetworkPolicy
//! whose selector has one more label protects fewer pods.

use serde_json::{Map, Value};

/// What to apply, and what not.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Judgement {
    /// The desired object without the fields that are left alone, JSON text; `None` when it is
    /// applied as it is.
    pub(crate) remaining: Option<String>,
    /// Paths of fields that differ, that somebody edited, and that are taken back.
    pub(crate) taken_back: Vec<String>,
    /// Paths of fields that are left alone, each with the name of its manager.
    pub(crate) left: Vec<(String, String)>,
}

/// Judges every desired field that differs from the live object and has another manager.
///
/// `managers` are all managedFields entries as JSON text; those of `field_manager` are ours.
/// `may_take_back` is false for a path that was taken back too often.
pub(crate) fn judge(
    desired: &Value,
    live: &Value,
    managers: Option<&str>,
    field_manager: &str,
    may_take_back: &dyn Fn(&str) -> bool,
) -> Judgement {
    let mut judgement = Judgement::default();
    let mut remaining = desired.clone();
    // Entries that cannot be read claim no field.
    let entries: Vec<Value> =
        managers.and_then(|entries| serde_json::from_str(entries).ok()).unwrap_or_default();
    let fields_of = |entry| Value::as_object(Value::get(entry, "fieldsV1")?);
    let all: Vec<&Map<String, Value>> = entries.iter().filter_map(fields_of).collect();
    for entry in &entries {
        let Some(fields) = fields_of(entry) else { continue };
        let text = |name: &str| entry.get(name).and_then(Value::as_str).unwrap_or_default();
        let (manager, applies) = (text("manager"), text("operation") == "Apply");
        if manager == field_manager {
            continue;
        }
        let keeps_its_fields = applies || (text("subresource") == "scale" && !is_kubectl(manager));
        let mut differing = Vec::new();
        walk(fields, &all, desired, live, &mut Vec::new(), &mut differing);
        for steps in differing {
            let path = display(&steps);
            if keeps_its_fields || !may_take_back(&path) {
                remove(&mut remaining, &steps);
                judgement.left.push((path, manager.to_owned()));
            } else {
                judgement.taken_back.push(path);
            }
        }
    }
    judgement.left.sort();
    judgement.left.dedup();
    judgement.taken_back.retain(|path| !judgement.left.iter().any(|(left, _)| left == path));
    judgement.remaining = (!judgement.left.is_empty()).then(|| remaining.to_string());
    judgement
}

/// `kubectl scale` uses the scale subresource as autoscalers do, but it is an edit by a person.
fn is_kubectl(manager: &str) -> bool {
    manager.starts_with("kubectl")
}

/// One step of a path into a JSON value.
#[derive(Clone, Debug, PartialEq)]
enum PathStep {
    Member(String),
    Item(Map<String, Value>),
}

/// Follows managed fields that both the desired and the live object have; collects the paths of
/// those that differ. `all` are the fields of all managers at this place.
fn walk(
    fields: &Map<String, Value>,
    all: &[&Map<String, Value>],
    desired: &Value,
    live: &Value,
    path: &mut Vec<PathStep>,
    found: &mut Vec<Vec<PathStep>>,
) {
    for (element, below) in fields {
        let Some(step) = parse(element) else { continue };
        let (Some(wanted), Some(present)) = (follow(desired, &step), follow(live, &step)) else { continue };
        path.push(step);
        match below.as_object().filter(|below| has_members(below)) {
            Some(below) => {
                let all: Vec<_> = all.iter().filter_map(|one| one.get(element)?.as_object()).collect();
                walk(below, &all, wanted, present, path, found);
            }
            // The entry "." means that the item exists, which both objects agree about.
            None if !matches!(path.last(), Some(PathStep::Member(_))) => {}
            // This manager set the value when it had no members. Who set the members owns them.
            None if all.iter().any(|one| is_merged(one, element)) => {}
            None if present != wanted => found.push(path.clone()),
            None => {}
        }
        path.pop();
    }
}

/// Whether a manager owns something below an element, which is merged member by member then.
fn is_merged(fields: &Map<String, Value>, element: &str) -> bool {
    fields.get(element).and_then(Value::as_object).is_some_and(has_members)
}

fn has_members(fields: &Map<String, Value>) -> bool {
    fields.keys().any(|name| name != ".")
}

fn parse(element: &str) -> Option<PathStep> {
    match element.split_once(':')? {
        ("f", name) => Some(PathStep::Member(name.to_owned())),
        ("k", key) => serde_json::from_str(key).ok().map(PathStep::Item),
        _ => None,
    }
}

fn follow<'v>(value: &'v Value, step: &PathStep) -> Option<&'v Value> {
    match step {
        PathStep::Member(name) => value.get(name),
        PathStep::Item(key) => value.as_array()?.iter().find(|item| is_item(item, key)),
    }
}

/// Keys with defaults (the protocol of a port) may be absent in the desired object.
fn is_item(item: &Value, key: &Map<String, Value>) -> bool {
    key.iter().all(|(name, value)| item.get(name).is_none_or(|found| found == value))
        && key.keys().any(|name| item.get(name).is_some())
}

fn remove(value: &mut Value, path: &[PathStep]) {
    match path {
        [] => {}
        [PathStep::Member(name)] => {
            if let Value::Object(members) = value {
                members.remove(name);
            }
        }
        [PathStep::Member(name), rest @ ..] => {
            if let Some(member) = value.get_mut(name) {
                remove(member, rest);
            }
        }
        [PathStep::Item(key), rest @ ..] => {
            let item =
                value.as_array_mut().and_then(|items| items.iter_mut().find(|item| is_item(item, key)));
            if let Some(item) = item {
                remove(item, rest);
            }
        }
    }
}

/// `spec.template.spec.containers[name=registry].image`
fn display(path: &[PathStep]) -> String {
    let mut text = String::new();
    for step in path {
        match step {
            PathStep::Member(name) => {
                if !text.is_empty() {
                    text.push('.');
                }
                text.push_str(name);
            }
            PathStep::Item(key) => {
                let parts: Vec<String> = key
                    .iter()
                    .map(|(name, value)| {
                        format!("{name}={}", value.as_str().map_or_else(|| value.to_string(), str::to_owned))
                    })
                    .collect();
                text.push_str(&format!("[{}]", parts.join(",")));
            }
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    struct Judged {
        /// What is applied.
        desired: Value,
        taken_back: Vec<String>,
        left: Vec<(String, String)>,
    }

    fn judge(
        desired: &Value,
        live: &Value,
        managers: Option<&str>,
        may_take_back: &dyn Fn(&str) -> bool,
    ) -> Judged {
        let judgement = super::judge(desired, live, managers, "us", may_take_back);
        let remaining = judgement.remaining.map(|text| serde_json::from_str(&text).expect("JSON"));
        Judged {
            desired: remaining.unwrap_or_else(|| desired.clone()),
            taken_back: judgement.taken_back,
            left: judgement.left,
        }
    }

    fn set(replicas: u8, image: &str) -> Value {
        json!({"spec": {"replicas": replicas, "template": {"spec": {"containers": [{"name": "c", "image": image}]}}}})
    }

    fn entry(manager: &str, operation: &str, subresource: &str, fields: Value) -> String {
        json!([{"manager": manager, "operation": operation, "subresource": subresource, "fieldsV1": fields}])
            .to_string()
    }

    fn image() -> Value {
        json!({"f:spec": {"f:template": {"f:spec": {"f:containers": {"k:{\"name\":\"c\"}": {".": {}, "f:image": {}}}}}}})
    }

    fn replicas() -> Value {
        json!({"f:spec": {"f:replicas": {}}})
    }

    #[test]
    fn an_edit_is_taken_back() {
        let others = entry("kubectl-edit", "Update", "", image());
        let judgement = judge(&set(1, "ours"), &set(1, "theirs"), Some(&others), &|_| true);
        assert_eq!(judgement.taken_back, ["spec.template.spec.containers[name=c].image"]);
        assert_eq!(judgement.desired, set(1, "ours"));
        assert!(judgement.left.is_empty());
    }

    #[test]
    fn an_atomic_list_is_compared_exactly() {
        let policy = |peer: Value| json!({"spec": {"ingress": [{"from": [peer]}]}});
        let ours = policy(json!({"podSelector": {}}));
        let fields = json!({"f:spec": {"f:ingress": {}}});
        let edited = entry("kubectl-edit", "Update", "", fields.clone());
        let applied = entry("gitops", "Apply", "", fields);
        let same = judge(&ours, &ours, Some(&edited), &|_| true);
        assert_eq!((same.taken_back.len(), same.left.len()), (0, 0));
        let wider = policy(json!({"podSelector": {}, "namespaceSelector": {}}));
        let judgement = judge(&ours, &wider, Some(&edited), &|_| true);
        assert_eq!(judgement.taken_back, ["spec.ingress"]);
        assert_eq!(judgement.desired, ours);
        let judgement = judge(&ours, &wider, Some(&applied), &|_| true);
        assert_eq!(judgement.left, [("spec.ingress".to_owned(), "gitops".to_owned())]);
        assert_eq!(judgement.desired, json!({"spec": {}}));
    }

    #[test]
    fn an_atomic_map_is_compared_exactly() {
        let policy = |labels: Value| json!({"spec": {"podSelector": {"matchLabels": labels}}});
        let ours = policy(json!({"app": "cache"}));
        let narrower = policy(json!({"app": "cache", "more": "x"}));
        let edited = entry("kubectl-edit", "Update", "", json!({"f:spec": {"f:podSelector": {}}}));
        assert!(judge(&ours, &ours, Some(&edited), &|_| true).taken_back.is_empty());
        let judgement = judge(&ours, &narrower, Some(&edited), &|_| true);
        assert_eq!(judgement.taken_back, ["spec.podSelector"]);
        assert_eq!(judgement.desired, ours);
        let applied = entry("gitops", "Apply", "", json!({"f:spec": {"f:podSelector": {}}}));
        let judgement = judge(&ours, &narrower, Some(&applied), &|_| true);
        assert_eq!(judgement.left, [("spec.podSelector".to_owned(), "gitops".to_owned())]);
        assert_eq!(judgement.desired, json!({"spec": {}}));
    }

    #[test]
    fn members_of_a_merged_map_belong_to_who_set_them() {
        let empty = json!({"f:spec": {"f:resources": {}}});
        let limits = json!({"f:spec": {"f:resources": {"f:limits": {"f:cpu": {}}}}});
        let entries = |manager: &str| {
            json!([
                {"manager": manager, "operation": "Update", "fieldsV1": limits},
                {"manager": "kubectl-edit", "operation": "Update", "fieldsV1": empty},
            ])
            .to_string()
        };
        let wanted = json!({"spec": {"resources": {"limits": {"cpu": "1"}}}});
        let live = json!({"spec": {"resources": {"limits": {"cpu": "1"}, "requests": {"cpu": "1"}}}});
        let judgement = judge(&wanted, &live, Some(&entries("us")), &|_| true);
        assert!(judgement.taken_back.is_empty() && judgement.left.is_empty());
        // Our own writes are no edits, whatever the live value is.
        let live = json!({"spec": {"resources": {"limits": {"cpu": "2"}}}});
        let judgement = judge(&wanted, &live, Some(&entries("us")), &|_| true);
        assert!(judgement.taken_back.is_empty() && judgement.left.is_empty());
        let judgement = judge(&wanted, &live, Some(&entries("kubectl-patch")), &|_| true);
        assert_eq!(judgement.taken_back, ["spec.resources.limits.cpu"]);
    }

    #[test]
    fn defaults_of_the_server_in_a_keyed_item_are_no_difference() {
        let others = entry("kubectl-edit", "Update", "", image());
        let mut live = set(1, "ours");
        live["spec"]["template"]["spec"]["containers"][0]["imagePullPolicy"] = json!("Always");
        let judgement = judge(&set(1, "ours"), &live, Some(&others), &|_| true);
        assert!(judgement.taken_back.is_empty() && judgement.left.is_empty());
    }

    #[test]
    fn an_edit_that_comes_back_too_often_is_left_alone() {
        let others = entry("kubectl-edit", "Update", "", image());
        let judgement = judge(&set(1, "ours"), &set(1, "theirs"), Some(&others), &|_| false);
        assert!(judgement.taken_back.is_empty());
        assert_eq!(
            judgement.left,
            [("spec.template.spec.containers[name=c].image".to_owned(), "kubectl-edit".to_owned())]
        );
        assert_eq!(judgement.desired["spec"]["template"]["spec"]["containers"][0], json!({"name": "c"}));
    }

    #[test]
    fn managers_that_apply_and_autoscalers_keep_their_fields() {
        for (manager, operation, subresource, left) in [
            ("gitops", "Apply", "", true),
            ("kube-controller-manager", "Update", "scale", true),
            ("kubectl", "Update", "scale", false),
            ("kubectl-patch", "Update", "", false),
        ] {
            let others = entry(manager, operation, subresource, replicas());
            let judgement = judge(&set(1, "i"), &set(3, "i"), Some(&others), &|_| true);
            assert_eq!(judgement.left.is_empty(), !left, "{manager} {subresource}");
            assert_eq!(judgement.desired["spec"].get("replicas").is_none(), left, "{manager} {subresource}");
        }
    }

    #[test]
    fn equal_values_and_fields_that_are_not_desired_are_no_conflict() {
        let others = entry("gitops", "Apply", "", replicas());
        let judgement = judge(&set(3, "i"), &set(3, "i"), Some(&others), &|_| true);
        assert!(judgement.left.is_empty() && judgement.taken_back.is_empty());
        let others = entry("gitops", "Apply", "", json!({"f:spec": {"f:paused": {}}}));
        let judgement = judge(&set(1, "i"), &set(3, "i"), Some(&others), &|_| true);
        assert_eq!(judgement.desired, set(1, "i"));
        let judgement = judge(&set(1, "i"), &set(3, "i"), Some("nonsense"), &|_| true);
        assert_eq!(judgement.desired, set(1, "i"));
    }
}
