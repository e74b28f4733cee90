//! Calls of the component: as our host makes them, and as JSON for programs in other languages.

use crate::answers;
use orascache_controller::contract::{Failure, Kind, ObjectRef, Observed, Reconciler};
use orascache_operator::engine::{Guest, ReviewContext};
use orascache_tests::{fixtures, pods};
use proptest::strategy::{Strategy, ValueTree};
use proptest::test_runner::TestRunner;
use serde_json::{Value, json};
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// One call.
pub enum Call {
    /// `reconciler.describe`.
    Describe,
    /// `reconciler.reconcile`.
    Reconcile(Observed),
    /// `admission.review`.
    Review(String, ReviewContext),
}

impl Call {
    /// Reconciles a cache that has no children, no related objects and no failures.
    pub fn reconcile(primary: &str, now: u64) -> Self {
        Call::Reconcile(Observed {
            primary: primary.into(),
            owned: Vec::new(),
            related: Vec::new(),
            failures: Vec::new(),
            now,
        })
    }

    /// Reviews a request. The context has all caches of the namespace.
    pub fn review(request: &str, caches: &[String], now: u64) -> Self {
        let objects = caches.iter().map(|cache| Arc::from(cache.as_str())).collect();
        Call::Review(request.to_owned(), ReviewContext { objects, complete: true, settings: "".into(), now })
    }

    /// Makes the call in our host and returns its answer.
    pub fn ask(&self, guest: &Guest) -> Value {
        match self {
            Call::Describe => answers::described(&guest.describe()),
            Call::Reconcile(observed) => answers::planned(guest.reconcile(observed)),
            Call::Review(request, context) => answers::reviewed(guest.review(request, context)),
        }
    }

    /// The call in the form that the programs in `guest/packages/*/tests` read.
    pub fn to_json(&self) -> Value {
        let texts = |texts: &[Arc<str>]| texts.iter().map(|text| json!(text.as_ref())).collect::<Vec<_>>();
        match self {
            Call::Describe => json!({"function": "describe"}),
            Call::Reconcile(observed) => json!({"function": "reconcile", "observed": {
                "primary": observed.primary.as_ref(),
                "owned": texts(&observed.owned),
                "related": texts(&observed.related),
                "failures": observed.failures.iter().map(failure_to_json).collect::<Vec<_>>(),
                "now": observed.now,
            }}),
            Call::Review(request, context) => json!({"function": "review", "request": request, "context": {
                "objects": texts(&context.objects),
                "complete": context.complete,
                "settings": context.settings.as_ref(),
                "now": context.now,
            }}),
        }
    }
}

fn failure_to_json(failure: &Failure) -> Value {
    let (target, kind) = (&failure.target, &failure.target.kind);
    let mut reference = json!({
        "kind": {
            "apiVersion": kind.api_version, "kind": kind.kind, "plural": kind.plural, "namespaced": kind.namespaced,
        },
        "name": target.name,
    });
    // Absent values are left out, as in the types for TypeScript.
    for (name, value) in [("namespace", &target.namespace), ("uid", &target.uid)] {
        if let Some(value) = value {
            reference[name] = json!(value);
        }
    }
    json!({
        "target": reference, "verb": failure.verb, "code": failure.code, "reason": failure.reason,
        "message": failure.message,
    })
}

/// All reviews and caches of the core's tests, generated pods, and texts that are no objects.
pub fn corpus() -> Vec<Call> {
    let mut calls = vec![Call::Describe];
    calls.extend(reviews());
    calls.extend(generated(100));
    calls.extend(caches());
    for garbage in ["", "{}", "[]", "\"é漢🦀\u{1}\"", "{\"kind\": \"OrasCache\"", "null"] {
        calls.push(Call::reconcile(garbage, 0));
        calls.push(Call::review(garbage, &[], 0));
        calls.push(Call::review(
            &pods::review(&json!({"apiVersion": "v1", "kind": "Pod"})),
            &[garbage.to_owned()],
            0,
        ));
    }
    calls
}

fn files(folder: &str, extension: &str) -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../guest/core/tests").join(folder);
    let mut files: Vec<PathBuf> = fs::read_dir(folder)
        .expect("a folder")
        .map(|entry| entry.expect("an entry").path())
        .filter(|path| path.extension().is_some_and(|found| found == extension))
        .collect();
    files.sort();
    files
}

fn reviews() -> Vec<Call> {
    let call = |path: PathBuf| {
        let text = fs::read_to_string(&path).expect("a file");
        let input: Value =
            serde_saphyr::from_str(&text).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        let mut review: Value = serde_json::from_str(&pods::review(&input["object"])).expect("JSON");
        if !input["old"].is_null() {
            review["request"]["operation"] = json!("UPDATE");
            review["request"]["oldObject"] = input["old"].clone();
        }
        let caches = input["caches"].as_array().into_iter().flatten();
        let settings = &input["settings"];
        let context = ReviewContext {
            objects: caches.map(|cache| Arc::from(cache.to_string())).collect(),
            complete: input["complete"] == true,
            settings: if settings.is_null() { "".into() } else { settings.to_string().into() },
            now: 0,
        };
        Call::Review(review.to_string(), context)
    };
    files("reviews", "yaml").into_iter().map(call).collect()
}

fn generated(count: usize) -> Vec<Call> {
    // The seed is fixed, so that every run has the same pods.
    let mut runner = TestRunner::deterministic();
    let pods = pods::pod();
    let call = |_| {
        let pod = pods.new_tree(&mut runner).expect("a pod").current();
        Call::review(&pods::review(&pod), &[pods::cache()], u64::from(u32::MAX))
    };
    (0..count).map(call).collect()
}

/// For each cache: a call without children; one with two of its children and a failure; and one
/// with `deploy: false`.
fn caches() -> Vec<Call> {
    let mut calls = Vec::new();
    for path in files("caches", "json") {
        let spec: Value = serde_json::from_str(&fs::read_to_string(path).expect("a file")).expect("JSON");
        let mut primary = fixtures::cache("demo", spec);
        primary["metadata"] = json!({"name": "demo", "namespace": "lab", "uid": "u-1", "generation": 2});
        calls.push(Call::reconcile(&primary.to_string(), 1));
        let child = |kind: &str, api_version: &str, name: &str| {
            Arc::from(
                json!({
                    "apiVersion": api_version, "kind": kind,
                    "metadata": {
                        "name": name, "namespace": "lab", "uid": format!("c-{kind}"), "generation": 1,
                        "ownerReferences": [{
                            "apiVersion": primary["apiVersion"], "kind": "OrasCache", "name": "demo", "uid": "u-1",
                            "controller": true,
                        }],
                    },
                })
                .to_string(),
            )
        };
        let owned = vec![child("Service", "v1", "demo"), child("StatefulSet", "apps/v1", "demo")];
        let secret = json!({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "mysecret", "namespace": "lab"}});
        let kind = Kind {
            api_version: "apps/v1".into(),
            kind: "StatefulSet".into(),
            plural: "statefulsets".into(),
            namespaced: true,
        };
        let target = ObjectRef { kind, namespace: Some("lab".into()), name: "demo".into(), uid: None };
        let failure = Failure {
            target,
            verb: "apply".into(),
            code: 403,
            reason: "Forbidden".into(),
            message: "\"é漢🦀\" is not allowed\n".into(),
        };
        let mut observed = Observed {
            primary: primary.to_string().into(),
            owned,
            related: vec![secret.to_string().into()],
            failures: vec![failure],
            now: u64::from(u32::MAX),
        };
        calls.push(Call::Reconcile(observed.clone()));
        primary["spec"]["deploy"] = json!(false);
        observed.primary = primary.to_string().into();
        observed.failures = Vec::new();
        calls.push(Call::Reconcile(observed));
    }
    calls
}
