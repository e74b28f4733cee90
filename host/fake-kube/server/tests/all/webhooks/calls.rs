//! How webhooks are called, and what happens when that fails.

use std::sync::atomic::{AtomicUsize, Ordering};

use http::Version;
use serde_json::{Value, json};

use super::hook::{Authority, Hook, Reply, allow, respond};
use super::{MUTATING, PODS, VALIDATING, configure, message, pod, server_with, webhook};
use crate::common::{expect, version};

/// Creates a pod while there is a webhook with this client config, and returns the reason of the
/// refusal.
async fn refusal(hook: &Hook, client_config: Value, changes: Value) -> String {
    let server = server_with(hook).await;
    configure(&server, VALIDATING, "v", &[webhook("v.hook.test", client_config, changes)]).await;
    let refused = expect(&server, "POST", PODS, &pod("p"), 500).await;
    assert_eq!(refused["reason"], "InternalError");
    let cause = refused["details"]["causes"][0]["message"].as_str().unwrap();
    assert_eq!(message(&refused), format!("Internal error occurred: {cause}"));
    expect(&server, "GET", &format!("{PODS}/p"), &Value::Null, 404).await;
    cause.strip_prefix("failed calling webhook \"v.hook.test\": ").expect(cause).to_owned()
}

#[tokio::test]
async fn a_service_is_called_by_its_name() {
    let hook = Hook::start(allow).await;
    let server = server_with(&hook).await;
    let webhooks = [webhook("m.hook.test", hook.by_service("/mutate"), json!({"timeoutSeconds": 5}))];
    configure(&server, MUTATING, "m", &webhooks).await;
    expect(&server, "POST", PODS, &pod("p"), 201).await;
    let seen = hook.seen();
    assert_eq!(seen[0].path_and_query, "/mutate?timeout=5s");
    assert_eq!(seen[0].host, "hook.hooks.svc:443");
    assert_eq!(seen[0].version, Version::HTTP_11);
    assert_eq!(seen[0].review["kind"], "AdmissionReview");
    assert_eq!(seen[0].review["apiVersion"], "admission.k8s.io/v1");
}

#[tokio::test]
async fn a_url_is_called_without_changes() {
    let hook = Hook::start(allow).await;
    let server = server_with(&hook).await;
    let webhooks = [webhook("m.hook.test", hook.by_url("/a/b"), json!({}))];
    configure(&server, MUTATING, "m", &webhooks).await;
    expect(&server, "POST", PODS, &pod("p"), 201).await;
    let seen = hook.seen();
    assert_eq!(seen[0].path_and_query, "/a/b?timeout=10s");
    assert_eq!(seen[0].version, Version::HTTP_2, "loopback may speak HTTP/2");
}

#[tokio::test]
async fn connections_are_kept_until_the_configuration_changes() {
    for by_url in [false, true] {
        let hook = Hook::start(allow).await;
        let server = server_with(&hook).await;
        let client_config = if by_url { hook.by_url("/x") } else { hook.by_service("/x") };
        let webhooks = [webhook("m.hook.test", client_config.clone(), json!({}))];
        let stored = configure(&server, MUTATING, "m", &webhooks).await;
        let webhooks = [webhook("v.hook.test", client_config, json!({}))];
        configure(&server, VALIDATING, "v", &webhooks).await;
        for index in 0..3 {
            expect(&server, "POST", PODS, &pod(&format!("p{index}")), 201).await;
        }
        let connections = hook.connections();
        assert_eq!(hook.seen().len(), 6);
        assert!(connections < 6, "{connections} connections for 6 calls");

        // Another authority beside the old one: a rotation. Both webhooks get it.
        let both =
            [hook.authority.bundle(), Authority::new().bundle()].map(|bundle| decode(&bundle)).concat();
        for path in [format!("{MUTATING}/m"), format!("{VALIDATING}/v")] {
            let mut changed = expect(&server, "GET", &path, &Value::Null, 200).await;
            changed["webhooks"][0]["clientConfig"]["caBundle"] = encode(&both).into();
            let changed = expect(&server, "PUT", &path, &changed, 200).await;
            assert_ne!(version(&changed), version(&stored));
        }
        expect(&server, "POST", PODS, &pod("p3"), 201).await;
        assert_eq!(hook.seen().len(), 8);
        assert!(hook.connections() > connections, "the old connections trust the old bundle");
    }
}

fn decode(text: &str) -> Vec<u8> {
    use base64::Engine;
    base64::engine::general_purpose::STANDARD.decode(text).unwrap()
}

fn encode(bytes: &[u8]) -> String {
    use base64::Engine;
    base64::engine::general_purpose::STANDARD.encode(bytes)
}

#[tokio::test]
async fn connection_errors_are_reported() {
    let hook = Hook::start(allow).await;
    let mut unrouted = hook.by_service("/x");
    unrouted["service"]["port"] = json!(8443);
    assert_eq!(
        refusal(&hook, unrouted, json!({})).await,
        "failed to call webhook: Post \"https://hook.hooks.svc:8443/x?timeout=10s\": no endpoints available for service \
         \"hook\""
    );
    let port = {
        let gone = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        gone.local_addr().unwrap().port()
    };
    let mut refused = hook.by_url("/x");
    refused["url"] = format!("https://127.0.0.1:{port}/x").into();
    assert_eq!(
        refusal(&hook, refused, json!({})).await,
        format!(
            "failed to call webhook: Post \"https://127.0.0.1:{port}/x?timeout=10s\": dial tcp 127.0.0.1:{port}: \
             connect: connection refused"
        )
    );
    assert_eq!(hook.seen().len(), 0);
}

#[tokio::test]
async fn a_route_can_be_moved_and_removed() {
    let (first, second) = (Hook::start(allow).await, Hook::start(allow).await);
    let server = server_with(&first).await;
    let both = [first.authority.bundle(), second.authority.bundle()].map(|bundle| decode(&bundle)).concat();
    let mut client_config = first.by_service("/x");
    client_config["caBundle"] = encode(&both).into();
    configure(&server, MUTATING, "m", &[webhook("m.hook.test", client_config, json!({}))]).await;
    expect(&server, "POST", PODS, &pod("a"), 201).await;
    server.route_service("hooks", "hook", 443, second.address);
    expect(&server, "POST", PODS, &pod("b"), 201).await;
    assert_eq!((first.seen().len(), second.seen().len()), (1, 1));
    server.remove_service_route("hooks", "hook", 443);
    let refused = expect(&server, "POST", PODS, &pod("c"), 500).await;
    assert!(message(&refused).ends_with("no endpoints available for service \"hook\""), "{refused}");
}

#[tokio::test]
async fn certificates_that_are_not_trusted_are_refused() {
    let hook = Hook::start(allow).await;
    let untrusted = "tls: failed to verify certificate: x509: certificate signed by unknown authority";
    for bundle in [String::new(), Authority::new().bundle()] {
        let mut client_config = hook.by_url("/x");
        client_config["caBundle"] = bundle.into();
        let refused = refusal(&hook, client_config, json!({})).await;
        assert!(refused.ends_with(untrusted), "{refused}");
    }
    // The certificate is not for this name of the place.
    let server = server_with(&hook).await;
    server.route_service("hooks", "other", 443, hook.address);
    let mut client_config = hook.by_service("/x");
    client_config["service"]["name"] = "other".into();
    configure(&server, VALIDATING, "v", &[webhook("v.hook.test", client_config, json!({}))]).await;
    let refused = expect(&server, "POST", PODS, &pod("p"), 500).await;
    let sentence = message(&refused);
    assert!(sentence.contains("x509: certificate is valid for"), "{sentence}");
    assert!(sentence.ends_with(", not other.hooks.svc"), "{sentence}");
    let mut client_config = hook.by_url("/x");
    client_config["caBundle"] = encode(b"nonsense").into();
    assert_eq!(
        refusal(&hook, client_config, json!({})).await,
        "could not get REST client: unable to load root certificates: unable to parse bytes as PEM block"
    );
    assert_eq!(hook.seen().len(), 0);
}

#[tokio::test]
async fn a_call_times_out() {
    let hook = Hook::start_async(|_| Box::pin(std::future::pending())).await;
    let changes = json!({"timeoutSeconds": 1});
    assert_eq!(
        refusal(&hook, hook.by_service("/x"), changes).await,
        "failed to call webhook: Post \"https://hook.hooks.svc:443/x?timeout=1s\": context deadline exceeded"
    );
}

#[tokio::test]
async fn invalid_answers_are_refused() {
    let uid = |seen: &super::hook::Seen| {
        let said = respond(seen, json!({"allowed": true})).body;
        Reply::body(said.replace(seen.request()["uid"].as_str().unwrap(), "other"))
    };
    let hook = Hook::start(uid).await;
    let refused = refusal(&hook, hook.by_service("/x"), json!({})).await;
    assert!(refused.starts_with("received invalid webhook response: expected response.uid="), "{refused}");

    let html = |_: &super::hook::Seen| Reply { status: 200, headers: vec![], body: "<html>".into() };
    let hook = Hook::start(html).await;
    let refused = refusal(&hook, hook.by_service("/x"), json!({})).await;
    assert!(refused.starts_with("failed to call webhook: "), "{refused}");

    let empty = |_: &super::hook::Seen| Reply::body("");
    let hook = Hook::start(empty).await;
    assert_eq!(
        refusal(&hook, hook.by_service("/x"), json!({})).await,
        "failed to call webhook: 0-length response with status code: 200 and content type: application/json"
    );

    let broken = |_: &super::hook::Seen| Reply {
        status: 500,
        headers: vec![("content-type", "text/plain".into())],
        body: "out of order\n".into(),
    };
    let hook = Hook::start(broken).await;
    assert_eq!(
        refusal(&hook, hook.by_service("/x"), json!({})).await,
        "failed to call webhook: an error on the server (\"out of order\") has prevented the request from succeeding"
    );
}

#[tokio::test]
async fn failures_are_ignored_when_the_policy_says_so() {
    let broken = |_: &super::hook::Seen| Reply { status: 503, headers: vec![], body: String::new() };
    let hook = Hook::start(broken).await;
    let server = server_with(&hook).await;
    let ignore = |name: &str| webhook(name, hook.by_service("/x"), json!({"failurePolicy": "Ignore"}));
    configure(&server, MUTATING, "m", &[ignore("m.hook.test")]).await;
    configure(&server, VALIDATING, "v", &[ignore("v.hook.test")]).await;
    expect(&server, "POST", PODS, &pod("p"), 201).await;
    assert_eq!(hook.seen().len(), 2);
}

#[tokio::test]
async fn a_webhook_that_answers_retry_after_is_called_again() {
    let asked = AtomicUsize::new(0);
    let overloaded = move |seen: &super::hook::Seen| match asked.fetch_add(1, Ordering::SeqCst) {
        0 => Reply { status: 429, headers: vec![("retry-after", "0".into())], body: String::new() },
        1 => Reply { status: 503, headers: vec![("retry-after", "0".into())], body: String::new() },
        2 => allow(seen),
        _ => Reply { status: 429, headers: vec![], body: String::new() },
    };
    let hook = Hook::start(overloaded).await;
    let server = server_with(&hook).await;
    configure(&server, VALIDATING, "v", &[webhook("v.hook.test", hook.by_service("/x"), json!({}))]).await;
    expect(&server, "POST", PODS, &pod("p"), 201).await;
    assert_eq!(hook.seen().len(), 3);
    let refused = expect(&server, "POST", PODS, &pod("q"), 500).await;
    assert!(message(&refused).ends_with("has asked us to try again later"), "{refused}");
    assert_eq!(hook.seen().len(), 4, "without the header it is asked once");
}

#[tokio::test]
async fn version_v1beta1_of_reviews_is_supported() {
    let hook = Hook::start(|_| Reply::body(json!({"response": {"allowed": true}}).to_string())).await;
    let server = server_with(&hook).await;
    let changes = json!({"admissionReviewVersions": ["v9", "v1beta1", "v1"]});
    configure(&server, VALIDATING, "v", &[webhook("v.hook.test", hook.by_service("/x"), changes)]).await;
    expect(&server, "POST", PODS, &pod("p"), 201).await;
    assert_eq!(hook.seen()[0].review["apiVersion"], "admission.k8s.io/v1beta1");
}
