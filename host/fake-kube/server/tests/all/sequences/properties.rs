//! Properties that the answers of every API server have.

use serde_json::Value;

use super::server::{Snapshot, object_path};
use super::step::{Answer, Step};

/// Checks one request: `before` and `after` are all objects of the namespace.
///
/// # Errors
/// The property that does not hold.
pub fn check(sent: &Step, answer: &Answer, before: &Snapshot, after: &Snapshot) -> Result<(), String> {
    let target = object_path(sent);
    nothing_changes_without_a_successful_write(sent, answer, before, after)?;
    only_the_target_changes(&target, before, after)?;
    revisions_grow(before, after)?;
    generations_count_changes_of_the_spec(&target, before, after)?;
    stale_writes_are_conflicts(sent, answer, before.get(&target))?;
    if sent.is_write() && answer.status < 300 {
        the_answer_is_the_stored_object(sent, answer, after.get(&target))?;
        if sent.is_apply() {
            applied_fields_are_owned(sent, after.get(&target))?;
        }
        if sent.method == "DELETE" && after.contains_key(&target) && !is_ending(&after[&target]) {
            return Err("a deleted object is neither gone nor marked for deletion".to_owned());
        }
    }
    Ok(())
}

fn ensure(holds: bool, problem: impl Fn() -> String) -> Result<(), String> {
    if holds { Ok(()) } else { Err(problem()) }
}

fn nothing_changes_without_a_successful_write(
    sent: &Step,
    answer: &Answer,
    before: &Snapshot,
    after: &Snapshot,
) -> Result<(), String> {
    let writes = sent.is_write() && answer.status < 300;
    ensure(writes || before == after, || {
        "a read, a refused request or a dry run has changed something".to_owned()
    })
}

fn only_the_target_changes(target: &str, before: &Snapshot, after: &Snapshot) -> Result<(), String> {
    let paths = before.keys().chain(after.keys());
    for path in paths.filter(|path| *path != target) {
        ensure(before.get(path) == after.get(path), || format!("{path} changed too"))?;
    }
    Ok(())
}

fn revision(object: &Value) -> u64 {
    object["metadata"]["resourceVersion"].as_str().unwrap().parse().unwrap()
}

fn revisions_grow(before: &Snapshot, after: &Snapshot) -> Result<(), String> {
    let newest = before.values().map(revision).max().unwrap_or(0);
    for (path, object) in after.iter().filter(|(path, object)| before.get(*path) != Some(object)) {
        ensure(revision(object) > newest, || {
            format!("{path} changed, but its revision {} is not after {newest}", revision(object))
        })?;
    }
    Ok(())
}

fn is_ending(object: &Value) -> bool {
    object["metadata"]["deletionTimestamp"].is_string()
}

/// An object without metadata and status.
fn spec(object: &Value) -> Value {
    let mut spec = object.clone();
    for field in ["metadata", "status"] {
        spec.as_object_mut().unwrap().remove(field);
    }
    spec
}

fn generations_count_changes_of_the_spec(
    target: &str,
    before: &Snapshot,
    after: &Snapshot,
) -> Result<(), String> {
    let (Some(old), Some(new)) = (before.get(target), after.get(target)) else { return Ok(()) };
    if old["metadata"]["uid"] != new["metadata"]["uid"] {
        return Err("an update has changed the UID".to_owned());
    }
    let generation = |object: &Value| object["metadata"]["generation"].as_u64();
    let (Some(old_generation), Some(new_generation)) = (generation(old), generation(new)) else {
        return Ok(());
    };
    let starts_ending = is_ending(new) && !is_ending(old);
    let grows = spec(old) != spec(new) || starts_ending;
    ensure(new_generation == old_generation + u64::from(grows), || {
        format!("the generation went from {old_generation} to {new_generation}, spec changed: {grows}")
    })
}

fn stale_writes_are_conflicts(sent: &Step, answer: &Answer, stored: Option<&Value>) -> Result<(), String> {
    let given = sent.body["metadata"]["resourceVersion"].as_str();
    let (Some(given), Some(stored)) = (given, stored) else { return Ok(()) };
    let is_stale = sent.method != "POST" && stored["metadata"]["resourceVersion"] != given;
    ensure(!is_stale || answer.status >= 400, || "a write of an old revision was accepted".to_owned())
}

fn the_answer_is_the_stored_object(
    sent: &Step,
    answer: &Answer,
    stored: Option<&Value>,
) -> Result<(), String> {
    if sent.method == "DELETE" {
        return Ok(());
    }
    let stored = stored.ok_or("the written object does not exist")?;
    if sent.plain_path().ends_with("/scale") {
        let same = answer.body["metadata"]["resourceVersion"] == stored["metadata"]["resourceVersion"];
        return ensure(same, || "the Scale has another revision than its object".to_owned());
    }
    ensure(answer.body == *stored, || {
        let mut differences = Vec::new();
        super::normal::differences(stored, &answer.body, "", &mut differences);
        format!("the answer is not what GET shows: {}", differences.join("; "))
    })
}

/// Every field of an applied configuration belongs to its manager.
fn applied_fields_are_owned(sent: &Step, stored: Option<&Value>) -> Result<(), String> {
    let stored = stored.ok_or("the applied object does not exist")?;
    let manager = sent.path.split("fieldManager=").nth(1).unwrap().split('&').next().unwrap();
    let entries = stored["metadata"]["managedFields"].as_array().ok_or("there are no managed fields")?;
    let entry = entries.iter().find(|entry| entry["manager"] == manager && entry["operation"] == "Apply");
    let owned = &entry.ok_or(format!("{manager} has no entry"))?["fieldsV1"];
    for (field, value) in sent.body.as_object().unwrap() {
        match field.as_str() {
            "apiVersion" | "kind" => {}
            "metadata" => {
                for part in ["labels", "annotations"] {
                    let owned = &owned["f:metadata"][format!("f:{part}")];
                    for key in value[part].as_object().into_iter().flat_map(|map| map.keys()) {
                        let known = owned.get(format!("f:{key}")).is_some();
                        ensure(known, || format!("{manager} does not own metadata.{part}.{key}"))?;
                    }
                }
            }
            // Secrets store their texts as data.
            "stringData" => {}
            _ => covers(&owned[format!("f:{field}")], value, stored.get(field), field)?,
        }
    }
    Ok(())
}

/// Whether the owned fields cover the members of `applied` that were stored.
fn covers(owned: &Value, applied: &Value, stored: Option<&Value>, path: &str) -> Result<(), String> {
    // Unknown fields are dropped, nulls mean nothing, and an empty list has no items to own.
    if stored.is_none() || applied.is_null() || applied.as_array().is_some_and(Vec::is_empty) {
        return Ok(());
    }
    ensure(owned.is_object(), || format!("{path} was applied but is not owned"))?;
    let Some(members) = applied.as_object().filter(|members| !members.is_empty()) else { return Ok(()) };
    if owned.as_object().is_some_and(serde_json::Map::is_empty) {
        // An atomic map.
        return Ok(());
    }
    members.iter().try_for_each(|(name, value)| {
        let below = stored.and_then(|stored| stored.get(name));
        covers(&owned[format!("f:{name}")], value, below, &format!("{path}.{name}"))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    const TARGET: &str = "/api/v1/namespaces/n/pods/a";

    fn step(method: &str, query: &str, body: Value) -> Step {
        let media =
            if query.contains("fieldManager") { "application/apply-patch+yaml" } else { "application/json" };
        Step { method: method.into(), path: format!("{TARGET}{query}"), media: media.into(), body }
    }

    fn object(version: u64, generation: u64, image: &str) -> Value {
        json!({
            "metadata": {"name": "a", "uid": "u", "resourceVersion": version.to_string(), "generation": generation},
            "spec": {"image": image},
        })
    }

    fn snapshot(objects: &[(&str, Value)]) -> Snapshot {
        objects.iter().map(|(path, object)| ((*path).to_owned(), object.clone())).collect()
    }

    #[test]
    fn violations_are_found() {
        let old = object(5, 1, "one");
        let new = object(6, 2, "two");
        let before = snapshot(&[(TARGET, old.clone())]);
        let ok = |body: &Value| Answer { status: 200, body: body.clone() };
        let put = step("PUT", "", json!({}));
        assert_eq!(check(&put, &ok(&new), &before, &snapshot(&[(TARGET, new.clone())])), Ok(()));

        let violated = |step: &Step, answer: &Answer, after: &Snapshot, part: &str| {
            let problem = check(step, answer, &before, after).expect_err(part);
            assert!(problem.contains(part), "{problem}");
        };
        let after = snapshot(&[(TARGET, new.clone())]);
        violated(&step("PUT", "?dryRun=All", json!({})), &ok(&new), &after, "has changed something");
        violated(&put, &Answer { status: 409, body: json!({}) }, &after, "has changed something");
        let same_revision = object(5, 2, "two");
        violated(&put, &ok(&same_revision), &snapshot(&[(TARGET, same_revision.clone())]), "is not after 5");
        let same_generation = object(6, 1, "two");
        let after_same = snapshot(&[(TARGET, same_generation.clone())]);
        violated(&put, &ok(&same_generation), &after_same, "the generation went from 1 to 1");
        violated(&put, &ok(&old), &after, "not what GET shows");
        let other = snapshot(&[(TARGET, new.clone()), ("/api/v1/namespaces/n/pods/b", object(7, 1, "x"))]);
        violated(&put, &ok(&new), &other, "changed too");
        let stale = step("PUT", "", json!({"metadata": {"resourceVersion": "4"}}));
        violated(&stale, &ok(&new), &after, "an old revision was accepted");
        violated(&step("DELETE", "", Value::Null), &ok(&new), &after, "neither gone nor marked");
        let apply = step("PATCH", "?fieldManager=m", json!({"spec": {"image": "two"}}));
        violated(&apply, &ok(&new), &after, "no managed fields");
        let mut owned = new.clone();
        let fields = json!({"f:spec": {"f:other": {}}});
        owned["metadata"]["managedFields"] =
            json!([{"manager": "m", "operation": "Apply", "fieldsV1": fields}]);
        violated(
            &apply,
            &ok(&owned),
            &snapshot(&[(TARGET, owned.clone())]),
            "spec.image was applied but is not owned",
        );
    }
}
