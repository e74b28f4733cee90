//! Snapshots of what admission says and does, for each object in `reviews/` and for the samples.

mod reviewing;

use orascache_core::admission;
use orascache_core::contract::{Context, Outcome};
use serde_json::{Value, json};
use std::path::Path;

fn documents(path: &Path) -> Vec<Value> {
    let text = std::fs::read_to_string(path).expect("a file");
    serde_saphyr::from_multiple(&text).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

fn describe(outcome: &Outcome) -> Value {
    match outcome {
        Outcome::Need(references) => {
            let names: Vec<String> = references
                .iter()
                .map(|reference| {
                    format!(
                        "{} {} {:?} {}",
                        reference.api_version, reference.plural, reference.namespace, reference.name
                    )
                })
                .collect();
            json!({ "need": names })
        }
        Outcome::Decided(verdict) => json!({
            "allowed": verdict.allowed,
            "code": verdict.code,
            "message": verdict.message.split("; ").collect::<Vec<_>>(),
            "warnings": verdict.warnings,
            "patch": verdict.patch.as_ref().map(|patch| serde_json::from_str::<Value>(patch).expect("JSON")),
            "audit": verdict.audit,
        }),
    }
}

#[test]
fn every_review() {
    insta::glob!("reviews/*.yaml", |path| {
        let [input] = documents(path).try_into().expect("one document");
        let input: Value = input;
        let caches: Vec<String> =
            input["caches"].as_array().into_iter().flatten().map(Value::to_string).collect();
        let settings =
            if input["settings"].is_null() { String::new() } else { input["settings"].to_string() };
        let context =
            Context { objects: &caches, complete: input["complete"] == true, settings: &settings, now: 0 };
        let old = Some(&input["old"]).filter(|old| !old.is_null());
        let review =
            |object: &Value| admission::review(&reviewing::wrap(object, old), &context).expect("a review");
        let outcome = review(&input["object"]);
        insta::assert_yaml_snapshot!(describe(&outcome));

        if let Outcome::Decided(verdict) = &outcome {
            assert!(verdict.allowed || verdict.patch.is_none(), "a refusal changes nothing");
            if verdict.allowed && old.is_none() {
                let once = reviewing::patched(&input["object"], verdict);
                let twice = reviewing::decided(review(&once));
                assert_eq!((twice.allowed, twice.patch), (true, None), "the second patch is empty");
            }
        }
    });
}

#[test]
fn the_samples() {
    insta::glob!("../../../manifests/samples", "*.yaml", |path| {
        let caches = [
            reviewing::cache("orascache-sample"),
            json!({
                "apiVersion": "cache.converged-computing.github.io/v1alpha1", "kind": "OrasCache",
                "metadata": {"name": "remote", "namespace": "lab"}, "spec": {"deploy": false},
            })
            .to_string(),
        ];
        let context = Context { objects: &caches, complete: true, ..Context::default() };
        let mut answers = Vec::new();
        for object in documents(path) {
            let outcome = admission::review(&reviewing::wrap(&object, None), &context).expect("a review");
            let verdict = reviewing::decided(outcome.clone());
            assert!(verdict.allowed, "{}: {}", path.display(), verdict.message);
            answers.push(json!({"name": object["metadata"]["name"], "answer": describe(&outcome)}));
        }
        insta::assert_yaml_snapshot!(answers);
    });
}
