//! Who is let in: the token, the host, and requests of web pages.

use crate::common::{expect, send};
use fake_kube_server::{ApiServer, Options, Token};
use serde_json::{Value, json};

const PATHS: [&str; 4] = ["/api/v1/namespaces", "/healthz", "/version", "/apis"];

#[tokio::test]
async fn every_request_needs_the_token() {
    let server = ApiServer::start(Options::default()).await.unwrap();
    for path in PATHS {
        assert_eq!(send(&server, "GET", path, &[], "").await.status, 200, "{path}");
        for wrong in ["", "Bearer ", "Bearer wrong", "Basic d3Jvbmc="] {
            let refused = send(&server, "GET", path, &[("Authorization", wrong)], "").await;
            assert_eq!(refused.status, 401, "{path} {wrong:?}");
            assert_eq!(
                refused.json(),
                json!({"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Failure",
                    "message": "Unauthorized", "reason": "Unauthorized", "code": 401})
            );
        }
    }
}

#[tokio::test]
async fn a_refused_write_changes_nothing() {
    let server = ApiServer::start(Options::default()).await.unwrap();
    let namespace = json!({"metadata": {"name": "x"}}).to_string();
    let headers = [("Authorization", "Bearer wrong")];
    assert_eq!(send(&server, "POST", "/api/v1/namespaces", &headers, namespace).await.status, 401);
    expect(&server, "GET", "/api/v1/namespaces/x", &Value::Null, 404).await;
}

#[tokio::test]
async fn the_token_can_be_chosen_or_left_out() {
    let options = Options { token: Some(Token::new("chosen")), ..Options::default() };
    let server = ApiServer::start(options).await.unwrap();
    assert!(server.kubeconfig().contains("\"chosen\""));
    let headers = [("Authorization", "Bearer chosen")];
    assert_eq!(send(&server, "GET", "/api", &headers, "").await.status, 200);

    let open = ApiServer::start(Options { token: None, ..Options::default() }).await.unwrap();
    assert_eq!(send(&open, "GET", "/api", &[], "").await.status, 200);
}

#[tokio::test]
async fn requests_of_web_pages_are_refused() {
    // Also without a token, and on every path.
    let server = ApiServer::start(Options { token: None, ..Options::default() }).await.unwrap();
    for path in PATHS {
        for (name, value) in [
            ("Origin", "http://evil.example.com"),
            ("Origin", "null"),
            ("Sec-Fetch-Site", "cross-site"),
            ("Sec-Fetch-Site", "same-site"),
        ] {
            let refused = send(&server, "GET", path, &[(name, value)], "").await;
            assert_eq!(refused.status, 403, "{path} {name} {value}");
            assert!(refused.json()["message"].as_str().unwrap().contains("web pages"));
        }
    }
}

#[tokio::test]
async fn other_hosts_are_refused() {
    let server = ApiServer::start(Options::default()).await.unwrap();
    for host in ["evil.example.com", "localhost.evil.example.com", "10.0.0.1:80"] {
        let refused = send(&server, "GET", "/api/v1/namespaces", &[("Host", host)], "").await;
        assert_eq!(refused.status, 403, "{host}");
        assert!(refused.json()["message"].as_str().unwrap().contains("loopback"));
    }
    for host in ["localhost:1", "127.0.0.1", "[::1]:8080"] {
        assert_eq!(send(&server, "GET", "/healthz", &[("Host", host)], "").await.body, "ok", "{host}");
    }
}
