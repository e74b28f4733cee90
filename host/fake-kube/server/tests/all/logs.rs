//! `pods/NAME/log`: what a runner of containers writes comes back.

use crate::common::{Answer, expect, open, send};
use fake_kube_server::{ApiServer, LogWriter, Options, OutputStream};
use http_body_util::BodyExt;
use serde_json::{Value, json};

const PODS: &str = "/api/v1/namespaces/default/pods";

/// Creates a pod with these containers, on a node.
async fn pod(server: &ApiServer, name: &str, containers: &[&str]) -> String {
    let containers: Vec<Value> = containers.iter().map(|name| json!({"name": name, "image": "i"})).collect();
    let pod = json!({"metadata": {"name": name}, "spec": {"nodeName": "node", "containers": containers}});
    let pod = expect(server, "POST", PODS, &pod, 201).await;
    pod["metadata"]["uid"].as_str().unwrap().to_owned()
}

fn written(server: &ApiServer, uid: &str, container: &str) -> LogWriter {
    let log = server.logs().begin(uid, container);
    log.write(OutputStream::Stdout, b"one\ntwo\n");
    log.write(OutputStream::Stderr, b"three\n");
    log
}

async fn get(server: &ApiServer, query: &str) -> Answer {
    send(server, "GET", &format!("{PODS}/{query}"), &[], "").await
}

fn text(answer: &Answer) -> String {
    String::from_utf8_lossy(&answer.body).into_owned()
}

#[tokio::test]
async fn a_log_is_plain_text() {
    let server = ApiServer::start(Options::default()).await.unwrap();
    let uid = pod(&server, "p", &["c"]).await;
    let log = written(&server, &uid, "c");
    let answer = get(&server, "p/log").await;
    assert_eq!((answer.status, answer.header("content-type")), (200, Some("text/plain")));
    assert_eq!(text(&answer), "one\ntwo\nthree\n");
    assert_eq!(text(&get(&server, "p/log?container=c&tailLines=2&stream=Stdout").await), "two\n");
    drop(log);
    let second = server.logs().begin(&uid, "c");
    second.write(OutputStream::Stdout, b"again\n");
    assert_eq!(text(&get(&server, "p/log").await), "again\n");
    assert_eq!(text(&get(&server, "p/log?previous=true&limitBytes=3").await), "one");
    let discovery = expect(&server, "GET", "/api/v1", &Value::Null, 200).await;
    let resources = discovery["resources"].as_array().unwrap();
    let found = resources.iter().find(|resource| resource["name"] == "pods/log").unwrap();
    assert_eq!(found["verbs"], json!(["get"]));
    server.shutdown().await;
}

#[tokio::test]
async fn a_log_is_followed_until_the_container_ends() {
    let server = ApiServer::start(Options::default()).await.unwrap();
    let uid = pod(&server, "p", &["c"]).await;
    let log = written(&server, &uid, "c");
    let path = format!("{PODS}/p/log?follow=true&tailLines=1");
    let mut body = open(&server, "GET", &path, &[], "").await.unwrap().into_body();
    let mut seen = Vec::new();
    let mut read_until = async |end: &str| {
        while !seen.ends_with(end.as_bytes()) {
            let frame = body.frame().await.expect("more").unwrap();
            seen.extend_from_slice(frame.data_ref().unwrap());
        }
    };
    read_until("three\n").await;
    log.write(OutputStream::Stdout, b"four\nfi");
    read_until("four\n").await;
    log.write(OutputStream::Stdout, b"ve");
    drop(log);
    read_until("five").await;
    assert!(body.frame().await.is_none());
    assert_eq!(seen, b"three\nfour\nfive");
    server.shutdown().await;
}

#[tokio::test]
async fn an_open_log_does_not_hold_up_the_end_of_the_server() {
    let server = ApiServer::start(Options::default()).await.unwrap();
    let uid = pod(&server, "p", &["c"]).await;
    let _log = written(&server, &uid, "c");
    let path = format!("{PODS}/p/log?follow=true");
    let body = open(&server, "GET", &path, &[], "").await.unwrap().into_body();
    let (all, ()) = tokio::join!(body.collect(), server.shutdown());
    assert_eq!(all.unwrap().to_bytes(), "one\ntwo\nthree\n");
}

#[tokio::test]
async fn what_has_no_log_is_explained() {
    let server = ApiServer::start(Options::default()).await.unwrap();
    let message =
        |answer: Answer| (answer.status, answer.json()["message"].as_str().unwrap_or_default().to_owned());
    pod(&server, "two", &["a", "b"]).await;
    let (code, said) = message(get(&server, "two/log").await);
    assert_eq!(
        (code, said.as_str()),
        (400, "a container name must be specified for pod two, choose one of: [a b]")
    );
    let (code, said) = message(get(&server, "two/log?container=x").await);
    assert_eq!((code, said.as_str()), (400, "container x is not valid for pod two"));
    let (code, said) = message(get(&server, "two/log?container=a").await);
    assert_eq!(
        (code, said.as_str()),
        (400, "container \"a\" in pod \"two\" is waiting to start: ContainerCreating")
    );
    let (code, said) = message(get(&server, "two/log?container=a&previous=true").await);
    assert_eq!((code, said.as_str()), (400, "previous terminated container \"a\" in pod \"two\" not found"));
    assert_eq!(get(&server, "none/log").await.status, 404);
    let (code, said) = message(get(&server, "two/log?container=a&tailLines=-1").await);
    assert!(code == 422 && said.contains("tailLines"), "{code} {said}");
    // A pod that is on no node has an empty log, as on a real server.
    let unscheduled =
        json!({"metadata": {"name": "new"}, "spec": {"containers": [{"name": "c", "image": "i"}]}});
    expect(&server, "POST", PODS, &unscheduled, 201).await;
    let answer = get(&server, "new/log").await;
    assert_eq!((answer.status, answer.body.len()), (200, 0));
    assert_eq!(send(&server, "POST", &format!("{PODS}/two/log"), &[], "{}").await.status, 405);
    server.shutdown().await;
}
