//! Snapshots of the outcome of a review, for each object in `reviews/` and for the samples.

use crate::reviewing;
use orascache_contract::{ArtifactAnswer, ArtifactFinding, Context, Outcome};
use orascache_core::admission;
use serde::Deserialize;
use serde_json::{Value, json};
use std::path::Path;

fn documents(path: &Path) -> Vec<Value> {
    let text = std::fs::read_to_string(path).expect("a file");
    serde_saphyr::from_multiple(&text).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

fn describe(outcome: &Outcome) -> Value {
    match outcome {
        Outcome::Need(needs) => {
            let names: Vec<String> = needs
                .objects
                .iter()
                .map(|object| {
                    let kind = &object.kind;
                    format!("{} {} {:?} {}", kind.api_version, kind.plural, object.namespace, object.name)
                })
                .collect();
            match needs.questions.as_slice() {
                [] => json!({ "need": names }),
                questions => json!({ "need": names, "questions": questions }),
            }
        }
        Outcome::Decided(response) => {
            let (code, message) =
                response.refusal().map_or((0, ""), |refusal| (refusal.code, refusal.message.as_str()));
            let patch = response.patch().map(|patch| serde_json::from_str::<Value>(patch).expect("JSON"));
            json!({
                "allowed": response.is_allowed(),
                "code": code,
                "message": message.split("; ").collect::<Vec<_>>(),
                "warnings": response.warnings,
                "patch": patch,
                "audit": response.audit,
            })
        }
    }
}

#[test]
fn every_review() {
    insta::glob!("../reviews", "*.yaml", |path| {
        let [input] = documents(path).try_into().expect("one document");
        let input: Value = input;
        let context = Context {
            objects: input["caches"].as_array().into_iter().flatten().map(Value::to_string).collect(),
            complete: input["complete"] == true,
            answers: Option::deserialize(&input["answers"]).expect("answers").unwrap_or_default(),
            settings: Some(&input["settings"])
                .filter(|settings| !settings.is_null())
                .map(Value::to_string)
                .unwrap_or_default(),
            ..Context::default()
        };
        let old = Some(&input["old"]).filter(|old| !old.is_null());
        let review =
            |object: &Value| admission::review(&reviewing::wrap(object, old), &context).expect("a review");
        let outcome = review(&input["object"]);
        insta::assert_yaml_snapshot!(describe(&outcome));

        if let Outcome::Decided(response) = &outcome
            && response.is_allowed()
            && old.is_none()
        {
            let once = reviewing::patched(&input["object"], response);
            let twice = reviewing::decided(review(&once));
            assert_eq!((twice.is_allowed(), twice.patch()), (true, None), "the second patch is empty");
        }
    });
}

/// The two caches that samples and pods of workflow engines use: one with a registry, one without.
fn caches() -> Context<String> {
    let remote = json!({
        "apiVersion": "cache.converged-computing.github.io/v1alpha1", "kind": "OrasCache",
        "metadata": {"name": "remote", "namespace": "lab"}, "spec": {"deploy": false},
    });
    let objects = vec![reviewing::cache("orascache-sample"), remote.to_string()];
    Context { objects, complete: true, ..Context::default() }
}

/// The decision for a host that knows some objects beforehand, looks up what it is asked for, and
/// asks no registries.
fn asked_twice(review: &str, known: &[&Value], all: &[Value], settings: &str) -> Outcome {
    let ask = |objects: Vec<String>, answers, complete| {
        let settings = settings.to_owned();
        let context = Context { objects, answers, complete, settings, ..Context::default() };
        admission::review(review, &context).expect("a review")
    };
    match ask(known.iter().map(ToString::to_string).collect(), Vec::new(), false) {
        Outcome::Need(needs) => {
            let answers = needs.questions.into_iter().map(|question| ArtifactAnswer {
                question,
                finding: ArtifactFinding::Unknown("nobody asks".to_owned()),
            });
            ask(all.iter().map(Value::to_string).collect(), answers.collect(), true)
        }
        decided => decided,
    }
}

/// The operator knows caches by its watch. The Kubewarden policy knows none.
#[test]
fn a_host_that_knows_the_caches_gets_the_decision_of_one_that_looks_them_up() {
    let (mut seen, mut refused) = (0, 0);
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/reviews");
    for entry in std::fs::read_dir(folder).expect("a folder") {
        let path = entry.expect("a file").path();
        if path.is_dir() {
            continue;
        }
        let [input] = documents(&path).try_into().expect("one document");
        let input: Value = input;
        let objects = input["caches"].as_array().cloned().unwrap_or_default();
        let settings = Some(&input["settings"]).filter(|settings| !settings.is_null()).map(Value::to_string);
        let old = Some(&input["old"]).filter(|old| !old.is_null());
        let review = reviewing::wrap(&input["object"], old);
        let caches: Vec<&Value> = objects.iter().filter(|object| object["kind"] == "OrasCache").collect();
        let settings = settings.unwrap_or_default();
        let looked_up = asked_twice(&review, &[], &objects, &settings);
        assert_eq!(asked_twice(&review, &caches, &objects, &settings), looked_up, "{}", path.display());
        seen += 1;
        refused += usize::from(!reviewing::decided(looked_up).is_allowed());
    }
    assert!(seen > 100 && refused > 20, "{seen} {refused}");
}

#[test]
fn the_samples() {
    insta::glob!("../../../../manifests/samples", "*.yaml", |path| {
        let context = caches();
        let mut answers = Vec::new();
        for object in documents(path) {
            let outcome = admission::review(&reviewing::wrap(&object, None), &context).expect("a review");
            let response = reviewing::decided(outcome.clone());
            assert!(response.is_allowed(), "{}: {response:?}", path.display());
            answers.push(json!({"name": object["metadata"]["name"], "answer": describe(&outcome)}));
        }
        insta::assert_yaml_snapshot!(answers);
    });
}

/// Pods and Jobs as workflow engines make them. `host/operator/tests/all/engines.rs` runs some of them.
#[test]
fn the_pods_of_workflow_engines() {
    insta::glob!("../reviews/engines", "*.yaml", |path| {
        let gates = r#"{"gates":true}"#.to_owned();
        let (without, with_gates) = (caches(), Context { settings: gates, ..caches() });
        let mut answers = Vec::new();
        for object in documents(path) {
            let metadata = &object["metadata"];
            let name = metadata.get("name").or(metadata.get("generateName")).expect("a name");
            let review = |object: &Value, old: Option<&Value>, context: &Context<String>| {
                admission::review(&reviewing::wrap(object, old), context).expect("a review")
            };
            let outcome = review(&object, None, &without);
            let mut answer = json!({"name": name, "answer": describe(&outcome)});
            let gated = review(&object, None, &with_gates);
            if gated != outcome {
                answer["with gates"] = describe(&gated);
            }
            answers.push(answer);

            let response = reviewing::decided(outcome);
            if !response.is_allowed() {
                continue;
            }
            let stored = reviewing::patched(&object, &response);
            let again = reviewing::decided(review(&stored, None, &without));
            assert_eq!((again.is_allowed(), again.patch()), (true, None), "the second patch is empty");
            // Engines write annotations and labels of running pods, and apply manifests again.
            let mut annotated = stored.clone();
            annotated["metadata"]["annotations"]["tekton.dev/ready"] = json!("READY");
            let updated = reviewing::decided(review(&annotated, Some(&stored), &without));
            assert_eq!((updated.is_allowed(), updated.patch()), (true, None), "an update changes nothing");
            let applied = reviewing::decided(review(&object, Some(&stored), &without));
            assert_eq!(reviewing::patched(&object, &applied), stored, "the manifest can be applied again");
        }
        insta::assert_yaml_snapshot!(answers);
    });
}
