//! Calls of the component: as our host makes them, and as JSON for programs in other languages.

use super::{answers, arguments};
use orascache_contract::{
    ArtifactAnswer, ArtifactAspect, ArtifactFinding, ArtifactQuestion, Context, Failure, FailureReason, Kind,
    ObjectRef, Observed, Verb,
};
use orascache_runtime::Guest;
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
    Review(String, Context),
}

impl Call {
    /// Reconciles a cache. Nothing else is observed.
    pub fn reconcile(primary: &str, now: u64) -> Self {
        Call::Reconcile(Observed { primary: primary.into(), now, ..Observed::default() })
    }

    /// Reviews a request. The context has all caches of the namespace.
    pub fn review(request: &str, caches: &[String], now: u64) -> Self {
        let objects = caches.iter().map(|cache| Arc::from(cache.as_str())).collect();
        Call::Review(request.to_owned(), Context { objects, complete: true, now, ..Context::default() })
    }

    /// Makes the call in our host and returns its answer.
    pub fn ask(&self, guest: &Guest) -> Value {
        let blocking = guest.blocking();
        answers::answered(match self {
            Call::Describe => Ok(json!(guest.describe())),
            Call::Reconcile(observed) => blocking.reconcile(observed).map(|plan| json!(plan)),
            Call::Review(request, context) => blocking.review(request, context).map(|outcome| json!(outcome)),
        })
    }

    /// The call in the form that the programs in `guest/packages/*/tests` read.
    pub fn to_json(&self) -> Value {
        match self {
            Call::Describe => json!({"function": "describe"}),
            Call::Reconcile(observed) => {
                json!({"function": "reconcile", "observed": arguments::observed(observed)})
            }
            Call::Review(request, context) => {
                json!({"function": "review", "request": request, "context": arguments::context(context)})
            }
        }
    }
}

/// All reviews and caches of the core's tests, generated pods, settings that cannot be used, and
/// texts that are no objects.
pub fn corpus() -> Vec<Call> {
    let mut calls = vec![Call::Describe];
    calls.extend(reviews());
    calls.extend(generated(100));
    calls.extend(caches());
    calls.push(Call::Reconcile(Observed {
        primary: pods::cache().into(),
        settings: r#"{"clusterDomain": 3}"#.into(),
        ..Observed::default()
    }));
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
        let context = Context {
            objects: caches.map(|cache| Arc::from(cache.to_string())).collect(),
            complete: input["complete"] == true,
            answers: found(),
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

/// For each cache: a call with the cache alone; one in which every list of the input has something;
/// one with `deploy: false`; and one whose related kinds were left out.
fn caches() -> Vec<Call> {
    let mut calls = Vec::new();
    for path in files("caches", "json") {
        let spec: Value = serde_json::from_str(&fs::read_to_string(path).expect("a file")).expect("JSON");
        let mut primary = fixtures::cache("demo", spec);
        primary["metadata"] = json!({"name": "demo", "namespace": "lab", "uid": "u-1", "generation": 2});
        calls.push(Call::reconcile(&primary.to_string(), 1));
        let secret = json!({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "mysecret", "namespace": "lab"}});
        let everything = Observed {
            primary: primary.to_string().into(),
            owned: [SERVICE, STATEFUL_SET].iter().map(|kind| child(&primary, kind)).collect(),
            related: vec![secret.to_string().into()],
            absent: vec![Kind::namespaced("snapshot.storage.k8s.io/v1", "VolumeSnapshot", "volumesnapshots")],
            omitted: vec![VOLUME_CLAIM],
            failures: failures(),
            answers: found(),
            settings: r#"{"clusterDomain": "cluster.example"}"#.into(),
            now: u64::from(u32::MAX),
        };
        calls.push(Call::Reconcile(everything.clone()));
        calls.push(Call::Reconcile(Observed {
            related: Vec::new(),
            omitted: vec![SECRET, VOLUME_CLAIM],
            failures: Vec::new(),
            ..everything.clone()
        }));
        primary["spec"]["deploy"] = json!(false);
        calls.push(Call::Reconcile(Observed {
            primary: primary.to_string().into(),
            failures: Vec::new(),
            ..everything
        }));
    }
    calls
}

const SERVICE: Kind = Kind::namespaced("v1", "Service", "services");
const SECRET: Kind = Kind::namespaced("v1", "Secret", "secrets");
const STATEFUL_SET: Kind = Kind::namespaced("apps/v1", "StatefulSet", "statefulsets");
const VOLUME_CLAIM: Kind = Kind::namespaced("v1", "PersistentVolumeClaim", "persistentvolumeclaims");

/// An object that a cache controls and that has its name.
fn child(primary: &Value, kind: &Kind) -> Arc<str> {
    let metadata = &primary["metadata"];
    let object = json!({
        "apiVersion": kind.api_version, "kind": kind.kind,
        "metadata": {
            "name": metadata["name"], "namespace": metadata["namespace"], "uid": format!("c-{}", kind.kind),
            "generation": 1,
            "ownerReferences": [{
                "apiVersion": primary["apiVersion"], "kind": primary["kind"], "name": metadata["name"],
                "uid": metadata["uid"], "controller": true,
            }],
        },
    });
    object.to_string().into()
}

fn reference(kind: Kind, uid: Option<&str>) -> ObjectRef {
    ObjectRef { kind, namespace: Some("lab".into()), name: "demo".into(), uid: uid.map(str::to_owned) }
}

/// A failure for each sort of reason: one that the contract names, and one in the server's word.
fn failures() -> Vec<Failure> {
    vec![
        Failure {
            target: reference(STATEFUL_SET, None),
            verb: Verb::Apply,
            code: 403,
            reason: FailureReason::Forbidden,
            message: "\"é漢🦀\" is not allowed\n".into(),
        },
        Failure {
            target: reference(SERVICE, Some("c-Service")),
            verb: Verb::Delete,
            code: 410,
            reason: FailureReason::Other("Gone 漢".into()),
            message: String::new(),
        },
        Failure {
            target: reference(SECRET, None),
            verb: Verb::Create,
            code: 429,
            reason: FailureReason::TooManyRequests,
            message: "slow down".into(),
        },
    ]
}

/// An answer for each finding. The component asks no questions, but a host may answer some.
fn found() -> Vec<ArtifactAnswer> {
    let digest = format!("sha256:{}", "0123456789abcdef".repeat(4));
    let findings = [
        (ArtifactAspect::Digest, ArtifactFinding::Digest(digest)),
        (ArtifactAspect::ImageConfig, ArtifactFinding::ImageConfig(r#"{"config":{"User":"é"}}"#.into())),
        (ArtifactAspect::Digest, ArtifactFinding::Missing),
        (ArtifactAspect::ImageConfig, ArtifactFinding::Unknown("nobody answers".into())),
    ];
    let answer = |(index, (aspect, finding)): (usize, (ArtifactAspect, ArtifactFinding))| {
        let question = ArtifactQuestion {
            registry: "registry.lab:5000".into(),
            plain_http: index == 0,
            repository: "flow/words".into(),
            reference: "run-1".into(),
            credentials: (index > 1).then(|| reference(SECRET, None)),
            aspect,
        };
        ArtifactAnswer { question, finding }
    };
    findings.into_iter().enumerate().map(answer).collect()
}
