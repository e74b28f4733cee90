//! Makes sequences of requests. The same seed makes the same sequence.

use serde_json::{Value, json};

use super::kinds::{KINDS, Kind};
use super::random::Random;
use super::step::{LATEST, OLDER, Step};

const NAMES: [&str; 2] = ["a", "b"];
const MANAGERS: [&str; 2] = ["first", "second"];
const JSON: &str = "application/json";
const MERGE: &str = "application/merge-patch+json";
const JSON_PATCH: &str = "application/json-patch+json";
const STRATEGIC: &str = "application/strategic-merge-patch+json";
const APPLY: &str = "application/apply-patch+yaml";

/// A sequence of `length` requests about objects of one namespace.
pub fn sequence(seed: u64, length: usize, namespace: &str) -> Vec<Step> {
    let mut random = Random::new(seed);
    (0..length).map(|_| step(&mut random, namespace)).collect()
}

fn step(random: &mut Random, namespace: &str) -> Step {
    let kind = random.pick(&KINDS);
    let collection = kind.collection(namespace);
    let name = *random.pick(&NAMES);
    let object = format!("{collection}/{name}");
    let make = |method: &str, path: String, media: &str, body: Value| Step {
        method: method.to_owned(),
        path,
        media: media.to_owned(),
        body,
    };
    match random.below(100) {
        0..=21 => {
            let body = body(random, kind, name);
            make("POST", with_options(random, collection), JSON, body)
        }
        22..=27 => make("GET", object, JSON, Value::Null),
        28..=31 => {
            let query = *random.pick(&["", "?labelSelector=app%3Done", "?fieldSelector=metadata.name%3Da"]);
            make("GET", format!("{collection}{query}"), JSON, Value::Null)
        }
        32..=43 => {
            let mut body = body(random, kind, name);
            match random.below(10) {
                0..=5 => body["metadata"]["resourceVersion"] = json!(LATEST),
                6 | 7 => body["metadata"]["resourceVersion"] = json!(OLDER),
                _ => {}
            }
            make("PUT", with_options(random, object), JSON, body)
        }
        44..=54 => {
            let body = partial(random, kind);
            make("PATCH", with_options(random, object), MERGE, body)
        }
        55..=62 => {
            let body = operations(random, kind);
            make("PATCH", with_options(random, object), JSON_PATCH, body)
        }
        63..=69 => {
            let body = partial(random, kind);
            make("PATCH", with_options(random, object), STRATEGIC, body)
        }
        70..=84 => {
            let mut path = format!("{object}?fieldManager={}", random.pick(&MANAGERS));
            if random.chance(30) {
                path.push_str("&force=true");
            }
            if random.chance(10) {
                path.push_str("&dryRun=All");
            }
            let mut body = body(random, kind, name);
            if random.chance(30) {
                body["metadata"]["labels"] = json!({"app": *random.pick(&["one", "two"])});
            }
            make("PATCH", path, APPLY, body)
        }
        85..=89 => make("DELETE", with_dry_run(random, object), JSON, Value::Null),
        90..=94 => match kind.status {
            Some(status) => {
                let body = json!({"status": status(random)});
                make("PATCH", with_dry_run(random, format!("{object}/status")), MERGE, body)
            }
            None => make("GET", format!("{object}/status"), JSON, Value::Null),
        },
        _ if kind.scale && random.chance(60) => {
            let body = json!({"spec": {"replicas": random.below(8)}});
            make("PATCH", with_dry_run(random, format!("{object}/scale")), MERGE, body)
        }
        _ => make("GET", format!("{object}/scale"), JSON, Value::Null),
    }
}

fn body(random: &mut Random, kind: &Kind, name: &str) -> Value {
    let mut object = (kind.content)(random);
    object["apiVersion"] = json!(kind.api_version);
    object["kind"] = json!(kind.kind);
    object["metadata"] = json!({"name": name});
    match random.below(14) {
        0 => object["metadata"]["labels"] = json!({"app": "one"}),
        1 => object["metadata"]["annotations"] = json!({"note": "a note"}),
        2 => object["metadata"]["labels"] = json!({"app": 1}),
        3 => object["metadata"]["labels"] = json!({"app": "not a label value"}),
        4 => object["metadata"]["namespace"] = json!("elsewhere"),
        _ => {}
    }
    object
}

/// A part of an object, for merge patches.
fn partial(random: &mut Random, kind: &Kind) -> Value {
    match random.below(8) {
        0 => json!({"metadata": {"labels": {"app": *random.pick(&["one", "two"])}}}),
        1 => json!({"metadata": {"labels": null}}),
        2 => json!({"metadata": {"resourceVersion": OLDER, "labels": {"app": "late"}}}),
        3 => json!({"metadata": {"annotations": {"note": null, "other": "x"}}}),
        _ => (kind.content)(random),
    }
}

/// A JSON patch.
fn operations(random: &mut Random, kind: &Kind) -> Value {
    let (path, wrong) = kind.patched;
    match random.below(6) {
        0 => json!([{"op": "test", "path": "/metadata/name", "value": "c"}]),
        1 => json!([{"op": "replace", "path": path, "value": wrong(random)}]),
        2 => json!([{"op": "remove", "path": path}]),
        3 => json!([{"op": "remove", "path": "/metadata/annotations"}]),
        4 => json!({"op": "no list"}),
        _ => {
            json!([{"op": "add", "path": "/metadata/labels", "value": {"app": *random.pick(&["one", "two"])}}])
        }
    }
}

fn with_dry_run(random: &mut Random, path: String) -> String {
    if random.chance(12) { format!("{path}?dryRun=All") } else { path }
}

fn with_options(random: &mut Random, path: String) -> String {
    let mut options = Vec::new();
    if random.chance(12) {
        options.push("dryRun=All");
    }
    if random.chance(15) {
        options.push(*random.pick(&["fieldValidation=Strict", "fieldValidation=Ignore"]));
    }
    if random.chance(20) {
        options.push("fieldManager=third");
    }
    if options.is_empty() { path } else { format!("{path}?{}", options.join("&")) }
}

#[test]
fn sequences_depend_on_the_seed_only() {
    assert_eq!(sequence(1, 50, "n"), sequence(1, 50, "n"));
    assert_ne!(sequence(1, 50, "n"), sequence(2, 50, "n"));
}
