//! Lists and watches.

use crate::common::{CACHES, Events, cache, expect, send, version, with_caches};
use fake_kube_server::Options;
use serde_json::{Value, json};

fn names(list: &Value) -> Vec<&str> {
    list["items"].as_array().unwrap().iter().map(|item| item["metadata"]["name"].as_str().unwrap()).collect()
}

async fn with_three() -> fake_kube_server::ApiServer {
    let server = with_caches(Options::default()).await;
    for name in ["a", "b", "c"] {
        expect(&server, "POST", CACHES, &cache(name), 201).await;
    }
    server
}

#[tokio::test]
async fn all_pages_show_the_same_snapshot() {
    let server = with_three().await;
    let first = expect(&server, "GET", &format!("{CACHES}?limit=1"), &Value::Null, 200).await;
    assert_eq!(names(&first), ["a"]);
    assert_eq!(first["metadata"]["remainingItemCount"], 2);
    expect(&server, "DELETE", &format!("{CACHES}/b"), &Value::Null, 200).await;
    expect(&server, "POST", CACHES, &cache("bb"), 201).await;
    let token = first["metadata"]["continue"].as_str().unwrap().to_owned();
    let second =
        expect(&server, "GET", &format!("{CACHES}?limit=5&continue={token}"), &Value::Null, 200).await;
    assert_eq!(names(&second), ["b", "c"], "the state of the first page");
    assert_eq!(version(&second), version(&first));

    server.faults().expire_history();
    let expired =
        expect(&server, "GET", &format!("{CACHES}?limit=5&continue={token}"), &Value::Null, 410).await;
    assert_eq!(expired["reason"], "Expired");
    let token = expired["metadata"]["continue"].as_str().unwrap();
    let rest = expect(&server, "GET", &format!("{CACHES}?continue={token}"), &Value::Null, 200).await;
    assert_eq!(names(&rest), ["bb", "c"], "the latest state after the first page");
}

#[tokio::test]
async fn a_list_at_an_exact_revision_shows_the_past() {
    let server = with_three().await;
    let all = expect(&server, "GET", CACHES, &Value::Null, 200).await;
    expect(&server, "DELETE", &format!("{CACHES}/a"), &Value::Null, 200).await;
    let query = format!("{CACHES}?resourceVersion={}&resourceVersionMatch=Exact", version(&all));
    let past = expect(&server, "GET", &query, &Value::Null, 200).await;
    assert_eq!(past, all);
    expect(&server, "GET", &format!("{CACHES}?resourceVersion=999999"), &Value::Null, 504).await;
}

#[tokio::test]
async fn a_watch_reports_objects_that_enter_or_leave_its_selection() {
    let server = with_three().await;
    let mut events =
        Events::open(&server, &format!("{CACHES}?watch=1&resourceVersion=0&labelSelector=app%3Dx")).await;
    let label = |value: Value| json!({"metadata": {"labels": {"app": value}}});
    expect(&server, "PATCH", &format!("{CACHES}/a"), &label("x".into()), 200).await;
    let added = events.next().await.unwrap();
    assert_eq!((&added["type"], &added["object"]["metadata"]["name"]), (&json!("ADDED"), &json!("a")));
    let left = expect(&server, "PATCH", &format!("{CACHES}/a"), &label(Value::Null), 200).await;
    let deleted = events.next().await.unwrap();
    assert_eq!(deleted["type"], "DELETED");
    assert_eq!(deleted["object"]["metadata"]["labels"]["app"], "x", "what the watch knew");
    assert_eq!(version(&deleted["object"]), version(&left), "at the revision that took it away");
}

#[tokio::test]
async fn one_object_can_be_watched_by_its_name() {
    let server = with_three().await;
    let mut events =
        Events::open(&server, &format!("{CACHES}?watch=1&fieldSelector=metadata.name%3Db")).await;
    let first = events.next().await.unwrap();
    assert_eq!(first["object"]["metadata"]["name"], "b");
    expect(&server, "DELETE", &format!("{CACHES}/a"), &Value::Null, 200).await;
    expect(&server, "DELETE", &format!("{CACHES}/b"), &Value::Null, 200).await;
    assert_eq!(events.next().await.unwrap()["type"], "DELETED");
    let refused = send(&server, "GET", &format!("{CACHES}?fieldSelector=spec.image%3Dx"), &[], "").await;
    assert_eq!(refused.status, 400);
}

#[tokio::test]
async fn lists_and_watches_have_the_shape_of_the_accept_header() {
    let server = with_three().await;
    let metadata = "application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1,application/json";
    let answer = send(&server, "GET", CACHES, &[("Accept", metadata)], "").await.json();
    assert_eq!(answer["kind"], "PartialObjectMetadataList");
    assert_eq!(answer["items"][0]["kind"], "PartialObjectMetadata");
    assert_eq!(answer["items"][0].get("spec"), None);

    let table = "application/json;as=Table;v=v1;g=meta.k8s.io,application/json";
    let path = format!("{CACHES}?watch=1&timeoutSeconds=1");
    let answer = send(&server, "GET", &path, &[("Accept", table)], "").await;
    let events: Vec<Value> =
        serde_json::Deserializer::from_slice(&answer.body).into_iter().map(Result::unwrap).collect();
    assert_eq!(events.len(), 3);
    assert_eq!(events[0]["object"]["columnDefinitions"].as_array().unwrap().len(), 3);
    assert_eq!(events[1]["object"]["columnDefinitions"], Value::Null, "columns come once");
    assert_eq!(events[2]["object"]["rows"][0]["cells"][0], "c");
}

#[tokio::test]
async fn both_groups_show_the_same_events() {
    let server = with_caches(Options::default()).await;
    let event = json!({
        "apiVersion": "events.k8s.io/v1", "kind": "Event", "metadata": {"name": "e"},
        "eventTime": "2026-11-23T12:00:00.000000Z", "reportingController": "lab", "reportingInstance": "lab-0",
        "action": "Apply", "reason": "Applied", "type": "Normal", "note": "n",
        "regarding": {"apiVersion": "lab.example.com/v1", "kind": "Cache", "name": "a", "namespace": "default"},
    });
    expect(&server, "POST", "/apis/events.k8s.io/v1/namespaces/default/events", &event, 201).await;
    let core = expect(&server, "GET", "/api/v1/namespaces/default/events/e", &Value::Null, 200).await;
    assert_eq!((&core["apiVersion"], &core["message"]), (&json!("v1"), &json!("n")));
    let path = "/api/v1/events?fieldSelector=involvedObject.name%3Da";
    assert_eq!(names(&expect(&server, "GET", path, &Value::Null, 200).await), ["e"]);
    let path = "/apis/events.k8s.io/v1/events?fieldSelector=regarding.name%3Db";
    assert!(names(&expect(&server, "GET", path, &Value::Null, 200).await).is_empty());
}

#[tokio::test]
async fn bookmarks_are_sent_at_every_interval() {
    let interval = std::time::Duration::from_millis(20);
    let server = with_caches(Options { bookmark_interval: interval, ..Options::default() }).await;
    let list = expect(&server, "GET", CACHES, &Value::Null, 200).await;
    let path = format!("{CACHES}?watch=1&allowWatchBookmarks=true&resourceVersion={}", version(&list));
    let mut events = Events::open(&server, &path).await;
    for _ in 0..2 {
        let event = events.next().await.unwrap();
        assert_eq!((&event["type"], version(&event["object"])), (&json!("BOOKMARK"), version(&list)));
    }
}

#[tokio::test]
async fn a_watch_delivers_many_large_changes_once_and_in_order() {
    let server = with_caches(Options::default()).await;
    let first = expect(&server, "POST", CACHES, &cache("a"), 201).await;
    // Together they are larger than what one step of a watch sends.
    let text = "x".repeat(200_000);
    for number in 0..6 {
        let patch = json!({"metadata": {"annotations": {"text": text, "number": number.to_string()}}});
        expect(&server, "PATCH", &format!("{CACHES}/a"), &patch, 200).await;
    }
    let path = format!("{CACHES}?watch=1&resourceVersion={}", version(&first));
    let mut events = Events::open(&server, &path).await;
    for number in 0..6 {
        let event = events.next().await.unwrap();
        assert_eq!(event["object"]["metadata"]["annotations"]["number"], number.to_string());
    }
    expect(&server, "DELETE", &format!("{CACHES}/a"), &Value::Null, 200).await;
    assert_eq!(events.next().await.unwrap()["type"], "DELETED");
}
