//! What the policy asks its host for, and what it makes of the answers.

use orascache_kubewarden::{Host, validate};
use serde_json::{Value, json};
use std::cell::RefCell;

const PREFIX: &str = "oras.converged-computing.github.io/";

/// A host that answers look-ups from what it remembers, and from the API.
#[derive(Default)]
struct Answers {
    remembered: Option<Result<Value, &'static str>>,
    api: Option<Result<Value, &'static str>>,
    calls: RefCell<Vec<(String, bool)>>,
}

impl Host for Answers {
    fn call(&self, namespace: &str, operation: &str, payload: &str) -> Result<Vec<u8>, String> {
        if (namespace, operation) == ("tracing", "log") {
            return Ok(Vec::new());
        }
        assert_eq!((namespace, operation), ("kubernetes", "get_resource"));
        let request: Value = serde_json::from_str(payload).expect("JSON");
        let name = request["name"].as_str().expect("a name").to_owned();
        let disable_cache = request["disable_cache"].as_bool().expect("said");
        let answer = if disable_cache { &self.api } else { &self.remembered };
        self.calls.borrow_mut().push((request["kind"].as_str().expect("a kind").to_owned(), disable_cache));
        match answer {
            Some(Ok(object)) => Ok(object.to_string().into_bytes()),
            Some(Err(error)) => Err((*error).to_owned()),
            None => Err(format!(
                "Callback evaluation failure: Cannot find x named '{name}' inside of namespace 'x'"
            )),
        }
    }
}

fn cache(spec: Value) -> Value {
    json!({
        "apiVersion": "cache.converged-computing.github.io/v1alpha1", "kind": "OrasCache",
        "metadata": {"name": "demo", "namespace": "lab"}, "spec": spec,
    })
}

fn answer(host: &Answers, settings: &Value) -> Value {
    let pod = json!({
        "apiVersion": "v1", "kind": "Pod",
        "metadata": {"name": "step", "annotations": {format!("{PREFIX}oras-cache"): "demo", format!("{PREFIX}input-uri"): "a:1"}},
        "spec": {"containers": [{"name": "app", "image": "busybox", "command": ["id"], "workingDir": "/data"}]},
    });
    let request = json!({
        "uid": "1", "operation": "CREATE", "namespace": "lab", "object": pod,
        "kind": {"group": "", "version": "v1", "kind": "Pod"},
    });
    let payload = json!({"settings": settings, "request": request}).to_string();
    serde_json::from_slice(&validate(payload.as_bytes(), host).expect("an answer")).expect("JSON")
}

fn calls(host: &Answers) -> Vec<(String, bool)> {
    host.calls.borrow().clone()
}

#[test]
fn a_cache_that_the_host_remembers_costs_no_request_to_the_api() {
    let host = Answers { remembered: Some(Ok(cache(json!({})))), ..Answers::default() };
    let answer = answer(&host, &json!({}));
    assert_eq!(answer["accepted"], true);
    assert!(answer.get("warnings").is_none(), "{answer}");
    assert_eq!(calls(&host), [("OrasCache".to_owned(), false)]);
}

#[test]
fn a_cache_that_was_just_created_is_read_from_the_api() {
    let host = Answers { api: Some(Ok(cache(json!({})))), ..Answers::default() };
    assert_eq!(answer(&host, &json!({}))["accepted"], true);
    assert_eq!(calls(&host), [("OrasCache".to_owned(), false), ("OrasCache".to_owned(), true)]);
}

#[test]
fn a_cache_that_is_being_deleted_may_have_been_replaced() {
    let mut old = cache(json!({}));
    old["metadata"]["deletionTimestamp"] = json!("2026-01-01T00:00:00Z");
    let replaced =
        Answers { remembered: Some(Ok(old.clone())), api: Some(Ok(cache(json!({})))), ..Answers::default() };
    assert_eq!(answer(&replaced, &json!({}))["accepted"], true);
    assert_eq!(calls(&replaced).len(), 2);
    let going = Answers { remembered: Some(Ok(old.clone())), api: Some(Ok(old)), ..Answers::default() };
    let refused = answer(&going, &json!({}));
    assert!(
        refused["message"].as_str().is_some_and(|message| message.contains("is being deleted")),
        "{refused}"
    );
}

#[test]
fn a_cluster_without_the_definition_has_no_caches() {
    let unknown = "Callback evaluation failure: error finding resource cache.converged-computing.github.io/v1alpha1 / OrasCache: ApiError: \"404 page not found\": Failed to parse error data (Status { code: 404 })";
    let host = Answers { remembered: Some(Err(unknown)), ..Answers::default() };
    let refused = answer(&host, &json!({}));
    assert_eq!((&refused["accepted"], &refused["code"]), (&json!(false), &json!(422)));
    assert!(
        refused["warnings"][0].as_str().is_some_and(|warning| warning.contains("manifests/crd")),
        "{refused}"
    );
    assert_eq!(calls(&host).len(), 1);
}

#[test]
fn every_obstacle_has_advice_of_its_own() {
    let cases = [
        (
            "Policy has not been granted access to the 'kubernetes/get_resource' host capability.",
            "host capability",
        ),
        ("Policy has not been granted access to Kubernetes v1/X resources.", "contextAwareResources"),
        (
            "Callback evaluation failure: ApiError: x is forbidden: User \"y\" cannot get: Forbidden",
            "rights.yaml",
        ),
        (
            "Callback evaluation failure: ApiError: etcdserver: request timed out (Status { code: 500 })",
            "try again",
        ),
    ];
    let settings = json!({"requiredAnnotations": [{"annotation": "a/b", "namespaceSelector": {"matchLabels": {"x": "y"}}}]});
    for (error, advice) in cases {
        let host = Answers { remembered: Some(Err(error)), ..Answers::default() };
        let assumed = answer(&host, &json!({}));
        assert_eq!(assumed["accepted"], true, "{assumed}");
        let warning = assumed["warnings"][0].as_str().expect("a warning");
        assert!(warning.contains("it is assumed to exist") && warning.contains(advice), "{warning}");

        // The namespace is read from the API, and nothing is assumed about it.
        let host =
            Answers { remembered: Some(Ok(cache(json!({})))), api: Some(Err(error)), ..Answers::default() };
        let refused = answer(&host, &settings);
        assert_eq!(refused["code"], 500, "{refused}");
        let message = refused["message"].as_str().expect("a message");
        assert!(message.starts_with("Namespace lab cannot be read") && message.contains(advice), "{message}");
        assert_eq!(calls(&host), [("OrasCache".to_owned(), false), ("Namespace".to_owned(), true)]);
    }
}
