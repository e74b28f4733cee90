//! Times are stored in UTC with the precision of their type.

use fake_kube_server::{ApiServer, Options};
use serde_json::{Value, json};

use crate::common::{CACHES, cache, expect, send, with_caches};

const JOBS: &str = "/apis/batch/v1/namespaces/default/jobs";
const LEASES: &str = "/apis/coordination.k8s.io/v1/namespaces/default/leases";
const EVENTS: &str = "/api/v1/namespaces/default/events";
const GIVEN: &str = "2026-01-01T10:00:00.987654321+02:00";
const SECONDS: &str = "2026-01-01T08:00:00Z";
const MICROSECONDS: &str = "2026-01-01T08:00:00.987654Z";

fn job() -> Value {
    json!({
        "apiVersion": "batch/v1", "kind": "Job", "metadata": {"name": "j"},
        "spec": {"template": {"spec": {"restartPolicy": "Never", "containers": [{"name": "c", "image": "i"}]}}},
    })
}

#[tokio::test]
async fn times_are_stored_in_whole_seconds() {
    let server = ApiServer::start(Options::default()).await.unwrap();
    expect(&server, "POST", JOBS, &job(), 201).await;
    let conditions = json!([{"type": "Complete", "status": "False", "lastTransitionTime": GIVEN}]);
    let status = json!({"status": {"startTime": GIVEN, "conditions": conditions}});
    let patched = expect(&server, "PATCH", &format!("{JOBS}/j/status"), &status, 200).await;
    assert_eq!(patched["status"]["startTime"], SECONDS);
    assert_eq!(patched["status"]["conditions"][0]["lastTransitionTime"], SECONDS);
    let again = expect(&server, "PATCH", &format!("{JOBS}/j/status"), &status, 200).await;
    assert_eq!(again, patched, "the same time in another spelling changes nothing");
    assert_eq!(expect(&server, "GET", &format!("{JOBS}/j"), &Value::Null, 200).await, patched);
}

#[tokio::test]
async fn micro_times_keep_microseconds() {
    let server = ApiServer::start(Options::default()).await.unwrap();
    let lease = json!({
        "apiVersion": "coordination.k8s.io/v1", "kind": "Lease", "metadata": {"name": "l"},
        "spec": {"renewTime": GIVEN, "acquireTime": "2026-01-01T10:00:00.5+02:00"},
    });
    let created = expect(&server, "POST", LEASES, &lease, 201).await;
    assert_eq!(created["spec"]["renewTime"], MICROSECONDS);
    assert_eq!(created["spec"]["acquireTime"], "2026-01-01T08:00:00.500000Z");
    let event = json!({
        "apiVersion": "v1", "kind": "Event", "metadata": {"name": "e", "namespace": "default"},
        "involvedObject": {"namespace": "default"}, "eventTime": GIVEN, "firstTimestamp": GIVEN,
        "reportingComponent": "a.example.com/b", "reportingInstance": "i", "action": "a", "reason": "r",
        "type": "Normal",
    });
    let created = expect(&server, "POST", EVENTS, &event, 201).await;
    assert_eq!(created["eventTime"], MICROSECONDS);
    assert_eq!(created["firstTimestamp"], SECONDS);
}

#[tokio::test]
async fn an_apply_with_another_spelling_of_the_same_time_changes_nothing() {
    let server = ApiServer::start(Options::default()).await.unwrap();
    expect(&server, "POST", JOBS, &job(), 201).await;
    let mut applied = json!({
        "apiVersion": "batch/v1", "kind": "Job", "metadata": {"name": "j"}, "status": {"startTime": GIVEN},
    });
    let path = format!("{JOBS}/j/status?fieldManager=one");
    let headers = [("Content-Type", "application/apply-patch+yaml")];
    let first = send(&server, "PATCH", &path, &headers, applied.to_string()).await.json();
    assert_eq!(first["status"]["startTime"], SECONDS);
    assert_eq!(send(&server, "PATCH", &path, &headers, applied.to_string()).await.json(), first);
    applied["status"]["startTime"] = json!(SECONDS);
    assert_eq!(send(&server, "PATCH", &path, &headers, applied.to_string()).await.json(), first);
}

#[tokio::test]
async fn custom_resources_keep_the_times_of_their_own_fields() {
    let server = with_caches(Options::default()).await;
    let mut object = cache("a");
    object["spec"]["image"] = json!(GIVEN);
    object["metadata"]["managedFields"] = json!([{
        "manager": "m", "operation": "Update", "apiVersion": "lab.example.com/v1", "time": GIVEN,
        "fieldsType": "FieldsV1", "fieldsV1": {"f:metadata": {"f:labels": {"f:a": {}}}},
    }]);
    object["metadata"]["labels"] = json!({"a": "b"});
    let created = expect(&server, "POST", CACHES, &object, 201).await;
    assert_eq!(created["spec"]["image"], GIVEN);
    for entry in created["metadata"]["managedFields"].as_array().unwrap() {
        let time = entry["time"].as_str().unwrap();
        assert!(time.len() == 20 && time.ends_with('Z'), "{time}");
    }
}

#[tokio::test]
async fn a_text_that_is_no_time_is_refused() {
    let server = ApiServer::start(Options::default()).await.unwrap();
    expect(&server, "POST", JOBS, &job(), 201).await;
    let status = json!({"status": {"startTime": "noon"}});
    let refused = expect(&server, "PATCH", &format!("{JOBS}/j/status"), &status, 400).await;
    let message = refused["message"].as_str().unwrap();
    assert!(message.contains("parsing time \"noon\" as \"2006-01-02T15:04:05Z07:00\""), "{message}");
}
