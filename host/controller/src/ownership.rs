//! Whose field is it? A judgement on managedFields, as a pure function.
//!
//! A field that somebody edited (a manager of operation Update) is taken back. A field that another manager
//! applies, or that is set through the scale subresource, is left alone; so is one that was taken back too
//! often. What is left alone is taken out of what we apply, so that the object has no two owners who disagree.

use serde_json::{Map, Value};

/// What to apply, and what not.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Judgement {
    /// The desired object without the fields that are left alone.
    pub(crate) desired: Value,
    /// Paths that differ, belong to an edit, and are taken back.
    pub(crate) taken_back: Vec<String>,
    /// Paths that are left to somebody, with the name of the manager.
    pub(crate) left: Vec<(String, String)>,
}

/// Judges every desired field that differs from the live object and belongs to somebody else.
///
/// `rivals` are managedFields entries as JSON text; `may_take_back` says whether a path has not been taken back
/// too often.
pub(crate) fn judge(
    desired: &Value,
    live: &Value,
    rivals: Option<&str>,
    may_take_back: &dyn Fn(&str) -> bool,
) -> Judgement {
    let mut judgement = Judgement { desired: desired.clone(), taken_back: Vec::new(), left: Vec::new() };
    // What cannot be read claims nothing.
    let entries: Vec<Value> = rivals.and_then(|rivals| serde_json::from_str(rivals).ok()).unwrap_or_default();
    for entry in &entries {
        let Some(fields) = entry.get("fieldsV1").and_then(Value::as_object) else { continue };
        let text = |name: &str| entry.get(name).and_then(Value::as_str).unwrap_or_default();
        let manager = text("manager");
        let yields = text("operation") == "Apply" || (text("subresource") == "scale" && !is_by_hand(manager));
        let mut contested = Vec::new();
        walk(fields, desired, live, &mut Vec::new(), &mut contested);
        for steps in contested {
            let path = display(&steps);
            if yields || !may_take_back(&path) {
                remove(&mut judgement.desired, &steps);
                judgement.left.push((path, manager.to_owned()));
            } else {
                judgement.taken_back.push(path);
            }
        }
    }
    judgement.left.sort();
    judgement.left.dedup();
    judgement.taken_back.retain(|path| !judgement.left.iter().any(|(left, _)| left == path));
    judgement
}

/// `kubectl scale` and its like use the scale subresource too, but a person typed that.
fn is_by_hand(manager: &str) -> bool {
    manager.starts_with("kubectl")
}

/// One step of a path into a JSON value.
#[derive(Clone, Debug, PartialEq)]
enum Step {
    Member(String),
    Item(Map<String, Value>),
}

/// Goes down where fields, desired and live object meet; collects paths of fields that differ.
fn walk(
    fields: &Map<String, Value>,
    desired: &Value,
    live: &Value,
    path: &mut Vec<Step>,
    found: &mut Vec<Vec<Step>>,
) {
    for (element, below) in fields {
        let Some(step) = parse(element) else { continue };
        let (Some(wanted), Some(present)) = (follow(desired, &step), follow(live, &step)) else { continue };
        path.push(step);
        match below.as_object().filter(|below| below.keys().any(|name| name != ".")) {
            Some(below) => walk(below, wanted, present, path, found),
            // An item itself (".") is not a value that one can disagree about.
            None if matches!(path.last(), Some(Step::Member(_))) && !contains(present, wanted) => {
                found.push(path.clone())
            }
            None => {}
        }
        path.pop();
    }
}

fn parse(element: &str) -> Option<Step> {
    match element.split_once(':')? {
        ("f", name) => Some(Step::Member(name.to_owned())),
        ("k", key) => serde_json::from_str(key).ok().map(Step::Item),
        _ => None,
    }
}

fn follow<'v>(value: &'v Value, step: &Step) -> Option<&'v Value> {
    match step {
        Step::Member(name) => value.get(name),
        Step::Item(key) => value.as_array()?.iter().find(|item| is_item(item, key)),
    }
}

/// Keys with defaults (the protocol of a port) may be absent in what is desired.
fn is_item(item: &Value, key: &Map<String, Value>) -> bool {
    key.iter().all(|(name, value)| item.get(name).is_none_or(|found| found == value))
        && key.keys().any(|name| item.get(name).is_some())
}

/// Whether everything that `wanted` says is there.
fn contains(present: &Value, wanted: &Value) -> bool {
    match (present, wanted) {
        (Value::Object(present), Value::Object(wanted)) => {
            wanted.iter().all(|(name, value)| present.get(name).is_some_and(|found| contains(found, value)))
        }
        (Value::Array(present), Value::Array(wanted)) => {
            present.len() == wanted.len()
                && present.iter().zip(wanted).all(|(found, value)| contains(found, value))
        }
        _ => present == wanted,
    }
}

fn remove(value: &mut Value, path: &[Step]) {
    match path {
        [] => {}
        [Step::Member(name)] => {
            if let Value::Object(members) = value {
                members.remove(name);
            }
        }
        [Step::Member(name), rest @ ..] => {
            if let Some(member) = value.get_mut(name) {
                remove(member, rest);
            }
        }
        [Step::Item(key), rest @ ..] => {
            let item =
                value.as_array_mut().and_then(|items| items.iter_mut().find(|item| is_item(item, key)));
            if let Some(item) = item {
                remove(item, rest);
            }
        }
    }
}

/// `spec.template.spec.containers[name=registry].image`
fn display(path: &[Step]) -> String {
    let mut text = String::new();
    for step in path {
        match step {
            Step::Member(name) => {
                if !text.is_empty() {
                    text.push('.');
                }
                text.push_str(name);
            }
            Step::Item(key) => {
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
    use super::judge;
    use serde_json::{Value, json};

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
        let rivals = entry("kubectl-edit", "Update", "", image());
        let judgement = judge(&set(1, "ours"), &set(1, "theirs"), Some(&rivals), &|_| true);
        assert_eq!(judgement.taken_back, ["spec.template.spec.containers[name=c].image"]);
        assert_eq!(judgement.desired, set(1, "ours"));
        assert!(judgement.left.is_empty());
    }

    #[test]
    fn an_edit_that_comes_back_too_often_is_left_alone() {
        let rivals = entry("kubectl-edit", "Update", "", image());
        let judgement = judge(&set(1, "ours"), &set(1, "theirs"), Some(&rivals), &|_| false);
        assert!(judgement.taken_back.is_empty());
        assert_eq!(
            judgement.left,
            [("spec.template.spec.containers[name=c].image".to_owned(), "kubectl-edit".to_owned())]
        );
        assert_eq!(judgement.desired["spec"]["template"]["spec"]["containers"][0], json!({"name": "c"}));
    }

    #[test]
    fn who_applies_and_who_scales_keep_their_fields() {
        for (manager, operation, subresource, left) in [
            ("gitops", "Apply", "", true),
            ("kube-controller-manager", "Update", "scale", true),
            ("kubectl", "Update", "scale", false),
            ("kubectl-patch", "Update", "", false),
        ] {
            let rivals = entry(manager, operation, subresource, replicas());
            let judgement = judge(&set(1, "i"), &set(3, "i"), Some(&rivals), &|_| true);
            assert_eq!(judgement.left.is_empty(), !left, "{manager} {subresource}");
            assert_eq!(judgement.desired["spec"].get("replicas").is_none(), left, "{manager} {subresource}");
        }
    }

    #[test]
    fn agreement_and_foreign_fields_are_no_contest() {
        let rivals = entry("gitops", "Apply", "", replicas());
        let judgement = judge(&set(3, "i"), &set(3, "i"), Some(&rivals), &|_| true);
        assert!(judgement.left.is_empty() && judgement.taken_back.is_empty());
        let rivals = entry("gitops", "Apply", "", json!({"f:spec": {"f:paused": {}}}));
        let judgement = judge(&set(1, "i"), &set(3, "i"), Some(&rivals), &|_| true);
        assert_eq!(judgement.desired, set(1, "i"));
        let judgement = judge(&set(1, "i"), &set(3, "i"), Some("nonsense"), &|_| true);
        assert_eq!(judgement.desired, set(1, "i"));
    }
}
