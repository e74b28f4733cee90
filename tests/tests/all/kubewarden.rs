//! The Kubewarden policy in a waPC host: it decides as the component does, and policy servers can
//! load it.

use guest_build::{custom_section, is_module, module_imports};
use orascache_contract::{ArtifactAnswer, ArtifactFinding, ArtifactQuestion, Context, Outcome, Response};
use orascache_operator::EMBEDDED;
use orascache_runtime::Guest;
use orascache_tests::KUBEWARDEN;
use orascache_tests::cluster::guest;
use orascache_tests::policy::{Cluster, Policy, compile};
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::{Arc, LazyLock};
use wasmtime::Module;

static COMPONENT: LazyLock<Guest> = LazyLock::new(|| guest(EMBEDDED));
static MODULE: LazyLock<Module> = LazyLock::new(|| compile(KUBEWARDEN).expect("a core module"));

const PREFIX: &str = "oras.converged-computing.github.io/";

fn policy(cluster: &Arc<Cluster>) -> Policy {
    Policy::start(&MODULE, cluster).expect("a policy that starts")
}

fn folder(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..").join(path)
}

/// An AdmissionRequest as the API server makes it.
fn request(object: &Value, old: &Value) -> Value {
    let api_version = object["apiVersion"].as_str().unwrap_or_default();
    let (group, version) = api_version.rsplit_once('/').unwrap_or(("", api_version));
    json!({
        "uid": "705ab4f5-6393-11e8-b7cc-42010a800002",
        "kind": {"group": group, "version": version, "kind": object["kind"]},
        "resource": {"group": group, "version": version, "resource": "of no importance"},
        "namespace": "lab", "name": object["metadata"]["name"],
        "operation": if old.is_null() { "CREATE" } else { "UPDATE" },
        "userInfo": {"username": "user"}, "object": object, "oldObject": old, "dryRun": false,
    })
}

/// The response of the component. It is asked as the operator asks it: first without objects, then
/// with those that it needs.
fn component(request: &Value, settings: &str, objects: &[Value]) -> Response {
    let review = json!({"apiVersion": "admission.k8s.io/v1", "kind": "AdmissionReview", "request": request});
    let ask = |objects: Vec<Arc<str>>, answers, complete| {
        let settings = settings.into();
        let context = Context { objects, answers, complete, settings, ..Context::default() };
        COMPONENT.blocking().review(&review.to_string(), &context).expect("a review")
    };
    let needs = match ask(Vec::new(), Vec::new(), false) {
        Outcome::Decided(response) => return response,
        Outcome::Need(needs) => needs,
    };
    let is_needed = |object: &&Value| {
        needs.objects.iter().any(|reference| {
            object["kind"] == *reference.kind.kind
                && object["metadata"]["name"] == *reference.name
                && object["metadata"]["namespace"].as_str() == reference.namespace.as_deref()
        })
    };
    let found = objects.iter().filter(is_needed).map(|object| object.to_string().into()).collect();
    let unanswered = |question: &ArtifactQuestion| ArtifactAnswer {
        question: question.clone(),
        finding: ArtifactFinding::Unknown("policies do not ask registries".to_owned()),
    };
    match ask(found, needs.questions.iter().map(unanswered).collect(), true) {
        Outcome::Decided(response) => response,
        Outcome::Need(again) => panic!("the component asks again for {again:?}"),
    }
}

/// The component's response in the form of Kubewarden's answer. Another implementation than the
/// policy's applies the patch.
fn answer(response: &Response, object: &Value) -> Value {
    let mut answer = json!({"accepted": response.is_allowed()});
    if let Some(refusal) = response.refusal() {
        answer["message"] = json!(refusal.message);
        answer["code"] = json!(refusal.code);
    }
    if !response.warnings.is_empty() {
        answer["warnings"] = json!(response.warnings);
    }
    if !response.audit.is_empty() {
        let audit = response.audit.iter().map(|(key, value)| (key.clone(), json!(value)));
        answer["audit_annotations"] = Value::Object(audit.collect());
    }
    if let Some(patch) = response.patch() {
        let patch: json_patch::Patch = serde_json::from_str(patch).expect("a patch");
        let mut object = object.clone();
        json_patch::patch(&mut object, &patch).expect("a patch that fits");
        answer["mutated_object"] = object;
    }
    answer
}

#[test]
fn the_policy_decides_every_review_as_the_component_does() {
    let mut seen = (0, 0, 0);
    for entry in fs::read_dir(folder("guest/core/tests/reviews")).expect("a folder") {
        let path = entry.expect("a file").path();
        // Folders have pods of workflow engines, in another form.
        if path.is_dir() {
            continue;
        }
        let text = fs::read_to_string(&path).expect("a file");
        let input: Value = serde_saphyr::from_str(&text).expect("YAML");
        let objects = input["caches"].as_array().cloned().unwrap_or_default();
        let request = request(&input["object"], &input["old"]);
        let settings =
            if input["settings"].is_null() { String::new() } else { input["settings"].to_string() };
        let response = component(&request, &settings, &objects);
        let wanted = answer(&response, &input["object"]);
        let found = policy(&Cluster::open(objects)).validate(&request, &input["settings"]);
        assert_eq!(found, Ok(wanted), "{}", path.display());
        seen.0 += 1;
        seen.1 += usize::from(response.patch().is_some());
        seen.2 += usize::from(!response.is_allowed());
    }
    assert!(seen.0 > 100 && seen.1 > 40 && seen.2 > 20, "{seen:?}");
}

#[test]
fn one_instance_answers_many_requests_also_after_errors() {
    let cache = json!({
        "apiVersion": "cache.converged-computing.github.io/v1alpha1", "kind": "OrasCache",
        "metadata": {"name": "demo", "namespace": "lab"}, "spec": {},
    });
    let policy = policy(&Cluster::open(vec![cache]));
    let first = policy.validate(&request(&pod("demo", &[]), &Value::Null), &json!({})).expect("an answer");
    assert_eq!(first["accepted"], true);
    for _ in 0..20 {
        policy.call("validate", b"{").expect_err("no request");
        let again = policy.validate(&request(&pod("demo", &[]), &Value::Null), &json!({}));
        assert_eq!(again.as_ref(), Ok(&first));
    }
}

fn pod(cache: &str, more: &[(&str, &str)]) -> Value {
    let mut pod = json!({
        "apiVersion": "v1", "kind": "Pod",
        "metadata": {"name": "step", "annotations": {format!("{PREFIX}oras-cache"): cache, format!("{PREFIX}input-uri"): "a:1"}},
        "spec": {"restartPolicy": "Never", "containers": [{"name": "app", "image": "busybox", "command": ["id"], "workingDir": "/data"}]},
    });
    for (name, value) in more {
        pod["metadata"]["annotations"][format!("{PREFIX}{name}")] = json!(value);
    }
    pod
}

#[test]
fn the_policy_accepts_and_refuses_settings_as_the_component_does() {
    let policy = policy(&Cluster::open(Vec::new()));
    let mut valid = 0;
    for settings in [
        "{}",
        " {} ",
        r#"{"agentImage":"mirror.lab/agent:1","allowedRegistries":["*.example.org"],"maximumStorage":"1Ti"}"#,
        r#"{"requiredAnnotations":[{"annotation":"a/b","namespaceSelector":{"matchLabels":{"team":"x"}}}]}"#,
        r#"{"agentImage":3}"#,
        r#"{"agentImages":"a"}"#,
        r#"{"allowedRegistries":["a b"],"proxyResources":{"limits":{"cpu":"x"}}}"#,
        "[]",
        "3",
        "\"text\"",
        "{",
        "{\"agentImage\":\"\\ud800\"}",
    ] {
        let wanted = COMPONENT.blocking().check_settings(settings);
        let found = policy.ask("validate_settings", settings).expect("an answer");
        match wanted {
            Ok(()) => {
                assert_eq!(found, json!({"valid": true}), "{settings}");
                valid += 1;
            }
            Err(error) => {
                let message = found["message"].as_str().expect("a message");
                assert!(found["valid"] == false && error.to_string().contains(message), "{found} / {error}");
            }
        }
    }
    assert_eq!(valid, 4);
    // These mean that a policy has no settings.
    for nothing in ["", "null"] {
        assert_eq!(policy.ask("validate_settings", nothing), Ok(json!({"valid": true})));
    }
    // A host that never calls `validate_settings` learns of wrong settings from `validate`.
    let answer = policy.validate(&request(&pod("demo", &[]), &Value::Null), &json!({"maximumStorage": 3}));
    let wanted = "settings.maximumStorage must be a string, not a number";
    assert_eq!(answer, Ok(json!({"accepted": false, "code": 500, "message": wanted})));
}

#[test]
fn only_needed_objects_are_read_and_namespaces_never_from_the_hosts_cache() {
    let cluster = Cluster::open(Vec::new());
    let policy = policy(&cluster);
    let mut plain = pod("demo", &[]);
    plain["metadata"]["annotations"] = json!({"other": "x"});
    assert_eq!(policy.validate(&request(&plain, &Value::Null), &json!({})), Ok(json!({"accepted": true})));
    let refused = policy.validate(&request(&pod("demo", &[("input-url", "x")]), &Value::Null), &json!({}));
    assert_eq!(refused.expect("an answer")["code"], 422);
    assert_eq!(cluster.take_calls(), []);

    let settings = json!({"requiredAnnotations": [{"annotation": "a/b", "namespaceSelector": {}}]});
    policy.validate(&request(&pod("demo", &[]), &Value::Null), &settings).expect("an answer");
    let get = |kind: &str, api_version: &str, name: &str, namespace: Value, disable_cache: bool| {
        let payload = json!({"api_version": api_version, "kind": kind, "name": name, "namespace": namespace, "disable_cache": disable_cache});
        ("kubernetes/get_resource".to_owned(), payload)
    };
    assert_eq!(
        cluster.take_calls(),
        [
            get("OrasCache", "cache.converged-computing.github.io/v1alpha1", "demo", json!("lab"), false),
            // It is missing: it may have been created just now.
            get("OrasCache", "cache.converged-computing.github.io/v1alpha1", "demo", json!("lab"), true),
            get("Namespace", "v1", "lab", Value::Null, true),
        ]
    );
}

#[test]
fn a_missing_cache_is_refused_and_an_unreadable_one_is_assumed_to_exist() {
    let request = request(&pod("demo", &[]), &Value::Null);
    let missing = policy(&Cluster::open(Vec::new())).validate(&request, &json!({})).expect("an answer");
    assert_eq!((&missing["accepted"], &missing["code"]), (&json!(false), &json!(422)));
    assert_eq!(
        missing["message"],
        format!(
            "OrasCache demo does not exist in namespace lab: create it first, or name another one in {PREFIX}oras-cache"
        )
    );

    let forbidden = Cluster::of(&[], Vec::new(), None);
    let unreachable = Cluster::of(&["OrasCache"], Vec::new(), Some("ApiError: orascaches is forbidden"));
    for (cluster, advice) in [(forbidden, "contextAwareResources"), (unreachable, "rights.yaml")] {
        let found = policy(&cluster).validate(&request, &json!({})).expect("an answer");
        assert_eq!(found["accepted"], true);
        let warnings = found["warnings"].as_array().expect("warnings");
        let warning = warnings[0].as_str().expect("a warning");
        assert!(warnings.len() == 1 && warning.contains(advice), "{warnings:?}");
        assert!(warning.starts_with(
            "OrasCache demo of namespace lab could not be looked up: it is assumed to exist, with a registry of its own and without a Secret; "
        ));
        assert_eq!(
            found["mutated_object"]["spec"]["containers"][0]["command"][2],
            "--registry=http://demo-0.demo.lab.svc:5000"
        );
        let calls = cluster.take_calls();
        let (operation, entry) = &calls[1];
        assert_eq!((operation.as_str(), &entry["level"]), ("tracing/log", &json!("warning")));
        assert!(
            entry["error"]
                .as_str()
                .is_some_and(|error| error.contains("OrasCache") || error.contains("forbidden"))
        );
    }
}

#[test]
fn a_pod_is_refused_when_a_rule_needs_an_unreadable_namespace() {
    let settings = json!({"requiredAnnotations": [{"annotation": "a/b", "namespaceSelector": {"matchLabels": {"team": "x"}}}]});
    let cache = json!({
        "apiVersion": "cache.converged-computing.github.io/v1alpha1", "kind": "OrasCache",
        "metadata": {"name": "demo", "namespace": "lab"},
    });
    let blind = Cluster::of(&["OrasCache"], vec![cache.clone()], None);
    let step = request(&pod("demo", &[]), &Value::Null);
    let found = policy(&blind).validate(&step, &settings).expect("an answer");
    assert_eq!((&found["accepted"], &found["code"]), (&json!(false), &json!(500)));
    assert!(
        found["message"].as_str().is_some_and(|message| message.starts_with("Namespace lab cannot be read"))
    );

    let labelled = |team: &str| json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "lab", "labels": {"team": team}}});
    for (team, accepted) in [("x", false), ("y", true)] {
        let cluster = Cluster::open(vec![cache.clone(), labelled(team)]);
        let found = policy(&cluster).validate(&step, &settings).expect("an answer");
        assert_eq!(found["accepted"], accepted, "{found}");
    }
}

#[test]
fn unknown_fields_keep_their_exact_text() {
    let cache = r#"{"apiVersion":"cache.converged-computing.github.io/v1alpha1","kind":"OrasCache","metadata":{"name":"demo","namespace":"lab"}}"#;
    let policy = policy(&Cluster::open(vec![serde_json::from_str(cache).expect("JSON")]));
    let spec = r#""z": 1.50, "huge": 184467440737095516150, "a": {"tiny":1e-400,"text":"\u00e9"}, "spec2": [ null ]"#;
    let object = pod("demo", &[]).to_string();
    let object = object.replace(r#""spec":{"#, &format!(r#"{spec},"spec":{{"#));
    let mut request =
        request(&json!({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "step"}}), &Value::Null);
    request["object"] = Value::Null;
    let payload = json!({"request": request, "settings": {}})
        .to_string()
        .replace(r#""object":null"#, &format!(r#""object":{object}"#));
    let answer =
        String::from_utf8(policy.call("validate", payload.as_bytes()).expect("an answer")).expect("text");
    assert!(answer.contains(r#""accepted":true"#) && answer.contains("orascache-agent"), "{answer}");
    for part in [
        r#""z":1.50"#,
        r#""huge":184467440737095516150"#,
        r#""a":{"tiny":1e-400,"text":"\u00e9"}"#,
        r#""spec2":[ null ]"#,
    ] {
        assert!(answer.contains(part), "{part} in {answer}");
    }
}

#[test]
fn malformed_requests_are_errors_and_not_traps() {
    let policy = policy(&Cluster::open(Vec::new()));
    for (operation, payload, wanted) in [
        ("validate", &b"\xff"[..], "not UTF-8"),
        ("validate", b"", "cannot be read"),
        ("validate", b"3", "cannot be read"),
        ("validate", b"{\"request\":3}", "cannot be read"),
        ("validate_settings", b"\xff", "not UTF-8"),
        ("other", b"", "No handler registered for function other"),
    ] {
        let error = policy.call(operation, payload).expect_err("no request");
        assert!(error.contains(wanted), "{operation}: {error}");
    }
    let answer = policy.ask("validate", "{}").expect("an answer");
    assert_eq!((&answer["accepted"], &answer["code"]), (&json!(false), &json!(400)));
    assert!(answer["message"].as_str().is_some_and(|message| message.contains("request is missing")));
    // Deletions have no object.
    let mut deletion = request(&pod("demo", &[]), &pod("demo", &[]));
    deletion["operation"] = json!("DELETE");
    deletion["object"] = Value::Null;
    assert_eq!(policy.validate(&deletion, &json!({})), Ok(json!({"accepted": true})));
    assert_eq!(policy.ask("protocol_version", ""), Ok(json!("v1")));
}

#[test]
fn sample_requests_of_the_policy_get_the_expected_answers() {
    let data = folder("guest/kubewarden/test_data");
    let read = |name: &str| -> Value {
        serde_json::from_str(&fs::read_to_string(data.join(name)).expect("a file")).expect("JSON")
    };
    let settings = read("settings.json");
    let namespace = json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "lab"}});
    let mut cache = read("cache.json")["object"].clone();
    cache["spec"]["storage"]["size"] = json!("10Gi");
    let policy = policy(&Cluster::open(vec![cache, namespace]));
    assert_eq!(policy.ask("validate_settings", &settings.to_string()), Ok(json!({"valid": true})));
    for (name, accepted, mutated) in [
        ("pod.json", true, true),
        ("job.json", true, true),
        ("pod-misspelt.json", false, false),
        ("cache.json", false, false),
    ] {
        let answer = policy.validate(&read(name), &settings).expect("an answer");
        assert_eq!(
            (&answer["accepted"], answer.get("mutated_object").is_some()),
            (&json!(accepted), mutated),
            "{name}: {answer}"
        );
    }
}

/// policy-evaluator checks this before it runs a module (`policy_metadata.rs`).
#[test]
fn the_module_has_imports_exports_and_metadata_of_a_policy() {
    assert!(is_module(KUBEWARDEN));
    let imports = module_imports(KUBEWARDEN).expect("a module");
    assert!(!imports.is_empty() && imports.iter().all(|(module, _)| module == "wapc"), "{imports:?}");
    let exports: BTreeSet<&str> = MODULE.exports().map(|export| export.name()).collect();
    for wanted in ["memory", "wapc_init", "__guest_call"] {
        assert!(exports.contains(wanted), "{wanted} in {exports:?}");
    }
    assert!(!exports.contains("_initialize") && !exports.contains("_start"), "{exports:?}");
    assert!(KUBEWARDEN.len() < 537 << 10, "{} bytes", KUBEWARDEN.len());

    let section =
        custom_section(KUBEWARDEN, "io.kubewarden.metadata").expect("a module").expect("the section");
    let metadata: Value = serde_json::from_slice(section).expect("JSON");
    assert_eq!(metadata["protocolVersion"], "v1");
    assert_eq!(metadata["executionMode"], "kubewarden-wapc");
    assert_eq!(metadata["policyType"], "kubernetes");
    assert_eq!(metadata["mutating"], true);
    assert!(metadata["backgroundAudit"].is_boolean());
    let rules = metadata["rules"].as_array().expect("rules");
    let resources: Vec<&Value> = rules.iter().map(|rule| &rule["resources"][0]).collect();
    assert_eq!(resources, ["pods", "pods/ephemeralcontainers", "jobs", "orascaches"]);
    for rule in rules {
        for list in ["apiGroups", "apiVersions", "resources", "operations"] {
            assert!(
                rule[list]
                    .as_array()
                    .is_some_and(|items| !items.is_empty() && items.iter().all(Value::is_string)),
                "{rule}"
            );
        }
    }
    assert_eq!(
        metadata["contextAwareResources"],
        json!([
            {"apiVersion": "cache.converged-computing.github.io/v1alpha1", "kind": "OrasCache"},
            {"apiVersion": "v1", "kind": "Namespace"},
        ])
    );
    let annotations = metadata["annotations"].as_object().expect("annotations");
    assert!(annotations.values().all(Value::is_string));
    let annotation =
        |name: &str| annotations[&format!("io.kubewarden.policy.{name}")].as_str().expect("text");
    assert_eq!(annotation("version"), env!("CARGO_PKG_VERSION"));
    assert_eq!(annotation("license"), env!("CARGO_PKG_LICENSE"));
    assert_eq!(annotation("source"), env!("CARGO_PKG_REPOSITORY"));
    assert_eq!(
        annotation("usage"),
        fs::read_to_string(folder("guest/kubewarden/README.md")).expect("a file")
    );
    for name in ["title", "description", "author", "url", "ociUrl", "severity", "category"] {
        assert!(!annotation(name).is_empty(), "{name}");
    }

    // The page for Artifact Hub has the same values.
    let page = fs::read_to_string(folder("guest/kubewarden/artifacthub-pkg.yml")).expect("a file");
    let page: Value = serde_saphyr::from_str(&page).expect("YAML");
    assert_eq!(page["version"], annotation("version"));
    assert_eq!(page["name"], annotation("title"));
    assert_eq!(page["description"], annotation("description"));
    let image = format!("{}:v{}", annotation("ociUrl"), annotation("version"));
    assert_eq!(page["containersImages"], json!([{"name": "policy", "image": image}]));
    for (name, member) in
        [("kubewarden/rules", "rules"), ("kubewarden/contextAwareResources", "contextAwareResources")]
    {
        let listed: Value =
            serde_saphyr::from_str(page["annotations"][name].as_str().expect("text")).expect("YAML");
        assert_eq!(listed, metadata[member], "{name}");
    }
}
