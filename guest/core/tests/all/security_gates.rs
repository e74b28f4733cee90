//! Security: pods whose annotations were changed after admission, in order to have the operator look
//! where the pod may not, or with credentials that are not the pod's.

use crate::reviewing;
use orascache_contract::{Context, Observed, Plan};
use orascache_core::{admission, gates};
use serde_json::{Value, json};

const PREFIX: &str = "oras.converged-computing.github.io/";
const SETTINGS: &str = r#"{"gates":true,"allowedRegistries":["ghcr.io","mirror.lab.example"]}"#;

/// A gated pod with credentials, as it is in the cluster.
fn gated() -> Value {
    let annotations = [
        ("oras-cache", "shared"),
        ("input-uri", "flow/words:1"),
        ("input-wait", "30m"),
        ("registry", "ghcr.io"),
        ("oras-env", "mine"),
    ];
    let annotations: serde_json::Map<String, Value> =
        annotations.iter().map(|(name, value)| (format!("{PREFIX}{name}"), json!(value))).collect();
    let pod = json!({
        "apiVersion": "v1", "kind": "Pod",
        "metadata": {"name": "p", "namespace": "lab", "annotations": annotations},
        "spec": {"containers": [{"name": "app", "image": "busybox", "command": ["sh"], "workingDir": "/data"}]},
    });
    let context = Context {
        objects: vec![reviewing::cache("shared")],
        complete: true,
        settings: SETTINGS.to_owned(),
        ..Context::default()
    };
    let response =
        reviewing::decided(admission::review(&reviewing::wrap(&pod, None), &context).expect("a review"));
    let mut pod = reviewing::patched(&pod, &response);
    pod["metadata"]["uid"] = json!("u");
    pod
}

fn plan(pod: &Value) -> Plan {
    let observed = Observed {
        primary: pod.to_string(),
        related: vec![reviewing::cache("shared")],
        settings: SETTINGS.to_owned(),
        ..Observed::default()
    };
    gates::attend(&observed).expect("a plan")
}

fn annotate(pod: &mut Value, name: &str, value: &str) {
    pod["metadata"]["annotations"][format!("{PREFIX}{name}")] = json!(value);
}

#[test]
fn the_credentials_of_a_question_are_those_that_the_pod_mounts() {
    let secret = |plan: &Plan| {
        let credentials = plan.questions[0].credentials.clone().expect("credentials");
        (credentials.namespace.unwrap_or_default(), credentials.name)
    };
    let mut pod = gated();
    let mounted = ("lab".to_owned(), "mine".to_owned());
    assert_eq!(secret(&plan(&pod)), mounted);
    annotate(&mut pod, "oras-env", "somebody-elses");
    assert_eq!(secret(&plan(&pod)), mounted);
    pod["metadata"]["annotations"].as_object_mut().expect("a map").remove(&format!("{PREFIX}oras-env"));
    assert_eq!(secret(&plan(&pod)), mounted);
}

#[test]
fn registries_that_no_administrator_named_are_never_asked() {
    for registry in [
        "attacker.example",
        "169.254.169.254",
        "http://10.0.0.1:6443",
        "kubernetes.default.svc",
        "http://victim-0.victim.other.svc:5000",
        "GHCR.io.attacker.example",
        "ghcr.io:8443",
        "localhost:5000",
    ] {
        let mut pod = gated();
        annotate(&mut pod, "registry", registry);
        let plan = plan(&pod);
        assert_eq!((plan.questions.len(), plan.patch.len()), (0, 1), "{registry}: {plan:?}");
    }
}

#[test]
fn credentials_do_not_travel_in_clear_text_unless_that_is_allowed() {
    let mut pod = gated();
    annotate(&mut pod, "registry", "http://ghcr.io");
    let plan = plan(&pod);
    assert_eq!((plan.questions.len(), plan.patch.len()), (0, 1), "{plan:?}");
    assert!(plan.events[0].note.contains("clear text"), "{plan:?}");
}

#[test]
fn the_registry_of_a_cache_is_one_of_the_pods_own_namespace() {
    let mut pod = gated();
    pod["metadata"]["annotations"].as_object_mut().expect("a map").remove(&format!("{PREFIX}registry"));
    annotate(&mut pod, "oras-cache", "victim.other.svc:5000/");
    let plan = plan(&pod);
    assert!(plan.questions.is_empty(), "{plan:?}");
}
