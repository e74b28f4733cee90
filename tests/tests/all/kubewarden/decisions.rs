//! The policy decides as the component does.

use super::{folder, pod, policy, request};
use orascache_contract::{ArtifactAnswer, ArtifactFinding, ArtifactQuestion, Context, Outcome, Response};
use orascache_operator::EMBEDDED;
use orascache_runtime::Guest;
use orascache_tests::cluster::guest;
use orascache_tests::policy::Cluster;
use serde_json::{Value, json};
use std::fs;
use std::sync::{Arc, LazyLock};

static COMPONENT: LazyLock<Guest> = LazyLock::new(|| guest(EMBEDDED));

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
