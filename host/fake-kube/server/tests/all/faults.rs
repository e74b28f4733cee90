//! Injected faults, the request log, and admission plugins.

use std::sync::Arc;

use crate::common::{CACHES, Events, cache, expect, open, send, version, with_caches};
use fake_kube_apimachinery::status::ApiError;
use fake_kube_server::admission::{Admission, Admitted, Operation, Request};
use fake_kube_server::{Fault, Matcher, Options};
use http_body_util::BodyExt;
use serde_json::{Value, json};

#[tokio::test]
async fn an_injected_answer_is_given_as_often_as_asked() {
    let server = with_caches(Options::default()).await;
    let creates = Matcher::any().verb("create").resource("lab.example.com", "caches");
    server.faults().inject(creates, Fault::Answer { code: 429, retry_after: Some(3) }, 1);
    let refused = send(&server, "POST", CACHES, &[], cache("a").to_string()).await;
    assert_eq!((refused.status, refused.header("retry-after")), (429, Some("3")));
    assert_eq!(refused.json()["reason"], "TooManyRequests");
    expect(&server, "POST", CACHES, &cache("a"), 201).await;
}

#[tokio::test]
async fn a_request_whose_answer_is_lost_has_been_carried_out() {
    let server = with_caches(Options::default()).await;
    server.faults().inject(Matcher::any().verb("create"), Fault::LoseResponse, 1);
    assert!(open(&server, "POST", CACHES, &[], cache("a").to_string()).await.is_err());
    expect(&server, "GET", &format!("{CACHES}/a"), &Value::Null, 200).await;
}

#[tokio::test]
async fn faults_can_be_limited_to_later_pages() {
    let server = with_caches(Options::default()).await;
    for name in ["a", "b"] {
        expect(&server, "POST", CACHES, &cache(name), 201).await;
    }
    server.faults().inject(Matcher::any().continued(), Fault::Answer { code: 500, retry_after: None }, 1);
    let first = expect(&server, "GET", &format!("{CACHES}?limit=1"), &Value::Null, 200).await;
    let token = first["metadata"]["continue"].as_str().unwrap();
    expect(&server, "GET", &format!("{CACHES}?limit=1&continue={token}"), &Value::Null, 500).await;
}

#[tokio::test]
async fn open_watches_can_be_cut_frozen_and_expired() {
    let server = with_caches(Options::default()).await;
    let object = expect(&server, "POST", CACHES, &cache("a"), 201).await;
    let path = format!("{CACHES}?watch=1&resourceVersion={}", version(&object));
    let caches = Matcher::any().resource("lab.example.com", "caches");

    let mut cut = Events::open(&server, &path).await;
    assert_eq!(server.faults().drop_watches(&caches), 1);
    assert_eq!(cut.next().await, None);

    let mut frozen = Events::open(&server, &path).await;
    assert_eq!(server.faults().freeze_watches(&caches), 1);
    expect(&server, "POST", CACHES, &cache("b"), 201).await;
    assert_eq!(server.faults().open_watches(&caches), 1);
    assert_eq!(server.faults().thaw_watches(&caches), 1);
    assert_eq!(frozen.next().await.unwrap()["object"]["metadata"]["name"], "b");

    server.faults().expire_history();
    let event = frozen.next().await.unwrap();
    assert_eq!((&event["type"], &event["object"]["code"]), (&json!("ERROR"), &json!(410)));
    assert_eq!(frozen.next().await, None);
}

#[tokio::test]
async fn open_watches_can_be_ended_as_after_their_timeout() {
    let server = with_caches(Options::default()).await;
    let object = expect(&server, "POST", CACHES, &cache("a"), 201).await;
    let path = format!("{CACHES}?watch=1&resourceVersion={}&timeoutSeconds=77", version(&object));
    let caches = Matcher::any().resource("lab.example.com", "caches").verb("watch");
    let watch = open(&server, "GET", &path, &[], "").await.unwrap();
    assert_eq!(server.requests().distinct(&caches).first().unwrap().timeout_seconds, Some(77));
    assert_eq!(server.faults().end_watches(&caches), 1);
    watch.into_body().collect().await.expect("the connection is not cut");
    assert_eq!(server.faults().open_watches(&caches), 0);
}

#[tokio::test]
async fn a_watch_can_be_silent_from_its_start() {
    let server = with_caches(Options::default()).await;
    server.faults().inject(Matcher::any(), Fault::FreezeWatch, 1);
    let mut events = Events::open(&server, &format!("{CACHES}?watch=1")).await;
    expect(&server, "POST", CACHES, &cache("a"), 201).await;
    server.faults().clear();
    assert_eq!(events.next().await.unwrap()["object"]["metadata"]["name"], "a");
    server.shutdown().await;
    assert_eq!(events.next().await, None);
}

#[tokio::test]
async fn writes_are_logged_by_user_agent() {
    let server = with_caches(Options::default()).await;
    let log = server.requests();
    let mark = log.mark();
    let headers = [("User-Agent", "operator/0.1 (linux)")];
    send(&server, "POST", CACHES, &headers, cache("a").to_string()).await;
    send(&server, "GET", CACHES, &headers, "").await;
    send(&server, "POST", &format!("{CACHES}?dryRun=All"), &headers, cache("b").to_string()).await;
    let operator = Matcher::any().user_agent("operator/");
    let writes = log.writes_since(mark, &operator);
    assert_eq!(writes.len(), 1, "{writes:?}");
    assert_eq!((writes[0].status, writes[0].request.verb.as_str()), (201, "create"));
    assert_eq!(log.count(&operator.verb("list")), 1);
}

/// An admission plugin that labels every object, warns, and refuses the name `bad`.
struct Labeller;

impl Admission for Labeller {
    fn admit(&self, request: Request) -> futures::future::BoxFuture<'_, Result<Admitted, ApiError>> {
        Box::pin(async move {
            if request.name == "bad" && request.operation == Operation::Create {
                return Err(ApiError::bad_request("admission webhook \"lab\" denied the request: bad"));
            }
            let mut object = request.object;
            if let Some(object) = object.as_mut() {
                object["metadata"]["labels"] = json!({"admitted": request.operation.name()});
            }
            Ok(Admitted { object, warnings: vec!["seen".into()] })
        })
    }

    fn watches(&self, group: &str, _resource: &str) -> bool {
        group == "lab.example.com"
    }
}

#[tokio::test]
async fn an_admission_plugin_patches_warns_and_refuses() {
    let server = with_caches(Options { admission: Arc::new(Labeller), ..Options::default() }).await;
    let created = send(&server, "POST", CACHES, &[], cache("a").to_string()).await;
    assert_eq!(created.header("warning"), Some("299 - \"seen\""));
    assert_eq!(created.json()["metadata"]["labels"]["admitted"], "CREATE");
    expect(&server, "POST", CACHES, &cache("bad"), 400).await;
    let patch = json!({"spec": {"image": "x"}});
    let patched = expect(&server, "PATCH", &format!("{CACHES}/a"), &patch, 200).await;
    assert_eq!(patched["metadata"]["labels"]["admitted"], "UPDATE");
}
