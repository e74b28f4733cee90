//! Objects that were sent to a real kube-apiserver 1.36, and its answers.

use fake_kube_builtins::{Resource, find};
use serde_json::{Value, json};

struct Exchange {
    request: Value,
    response: Value,
}

fn recorded(name: &str) -> Exchange {
    let path = format!("{}/tests/recorded/{name}.json", env!("CARGO_MANIFEST_DIR"));
    let mut exchange: Value = serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap();
    Exchange { request: exchange["request"].take(), response: exchange["response"].take() }
}

fn resource(group: &str, plural: &str) -> &'static Resource {
    find(group, "v1", plural).unwrap()
}

/// Does what the server does to a new object between decoding and validation.
fn create(resource: &Resource, object: &mut Value) {
    fake_kube_builtins::canonicalise(resource, object);
    fake_kube_builtins::default(resource, object);
    fake_kube_builtins::prepare_for_create(resource, object);
}

#[test]
fn a_new_object_becomes_what_the_server_answered() {
    for (name, group, plural) in [
        ("definition", "apiextensions.k8s.io", "customresourcedefinitions"),
        ("stateful-set", "apps", "statefulsets"),
        ("headless-service", "", "services"),
        ("pod", "", "pods"),
        ("lease", "coordination.k8s.io", "leases"),
    ] {
        let Exchange { request: mut object, response: mut expected } = recorded(name);
        let resource = resource(group, plural);
        object["metadata"] = expected["metadata"].clone();
        create(resource, &mut object);
        for definition in [&mut object, &mut expected] {
            // The recorded fields have the order of the Go types, which does not matter.
            definition.sort_all_objects();
        }
        assert_eq!(object, expected, "{name}");
        assert_eq!(fake_kube_builtins::validate_create(resource, &object), [], "{name}");
    }
}

#[test]
fn a_stored_object_is_not_changed_by_defaults() {
    for (name, group, plural) in [("stateful-set", "apps", "statefulsets"), ("pod", "", "pods")] {
        let resource = resource(group, plural);
        let mut object = recorded(name).response;
        let before = object.clone();
        create(resource, &mut object);
        assert_eq!(object, before, "{name}");
    }
}

/// The causes, as a `Status` contains them.
fn causes(causes: &[fake_kube_apimachinery::status::Cause]) -> Value {
    causes
        .iter()
        .map(|cause| json!({"reason": cause.reason, "message": cause.message, "field": cause.field}))
        .collect()
}

#[test]
fn invalid_objects_are_refused_with_the_recorded_causes() {
    for (name, group, plural) in
        [("pod-without-containers", "", "pods"), ("event-with-bad-prefix", "events.k8s.io", "events")]
    {
        let Exchange { request: mut object, response } = recorded(name);
        let resource = resource(group, plural);
        object["metadata"]["namespace"] = "default".into();
        object["metadata"]["name"] = response["details"]["name"].clone();
        create(resource, &mut object);
        assert_eq!(
            causes(&fake_kube_builtins::validate_create(resource, &object)),
            response["details"]["causes"],
            "{name}"
        );
    }
}

#[test]
fn a_stateful_set_keeps_its_service_name() {
    let resource = resource("apps", "statefulsets");
    let old = recorded("stateful-set").response;
    let Exchange { request, response } = recorded("stateful-set-changed");
    let mut new = old.clone();
    new["spec"]["serviceName"] = request["spec"]["serviceName"].clone();
    assert_eq!(
        causes(&fake_kube_builtins::validate_update(resource, &new, &old)),
        response["details"]["causes"]
    );
    new["spec"] = old["spec"].clone();
    new["spec"]["replicas"] = 3.into();
    assert_eq!(fake_kube_builtins::validate_update(resource, &new, &old), []);
}
