//! Security: credentials go to the registry's own address and to its token service, and content
//! never from https to http.

use std::io;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::Router;
use axum::extract::Request;
use axum::http::{HeaderMap, Method, StatusCode, header};
use axum::response::{IntoResponse, Response};
use oci_registry_client::{
    ArtifactReference, Blob, Client, Credentials, Digest, Endpoint, Pushed, Secret, TransferPolicy,
};
use test_registries::Embedded;

/// The headers of all requests that a server got, with their methods.
type Seen = Arc<Mutex<Vec<(Method, HeaderMap)>>>;

fn ann() -> Credentials {
    Credentials::both(Secret::Password("ann".to_owned(), "hunter2".to_owned()))
}

fn client(registry: &Embedded, credentials: Credentials) -> Client {
    let endpoint = Endpoint::parse(&format!("http://{}", registry.host())).unwrap();
    let policy = TransferPolicy {
        patience: Duration::from_secs(1),
        stall: Duration::from_secs(10),
        ..TransferPolicy::default()
    };
    Client::new(endpoint, credentials, policy)
}

/// A server that keeps the headers of its requests and answers all of them in the same way.
fn recording(answer: impl Fn() -> Response + Clone + Send + Sync + 'static) -> (Embedded, Seen) {
    let seen = Seen::default();
    let kept = Arc::clone(&seen);
    let server = Embedded::serving(Router::new().fallback(move |method: Method, headers: HeaderMap| {
        kept.lock().unwrap().push((method, headers));
        let answer = answer.clone();
        async move { answer() }
    }));
    (server, seen)
}

fn challenge(value: String) -> Response {
    (StatusCode::UNAUTHORIZED, [(header::WWW_AUTHENTICATE, value)]).into_response()
}

#[tokio::test]
async fn an_upload_on_another_host_gets_no_credentials() {
    let (store, seen) = recording(|| StatusCode::CREATED.into_response());
    let location = format!("http://{}/upload/1?signature=x", store.host());
    let registry = Embedded::serving(Router::new().fallback(move |request: Request| {
        let location = location.clone();
        async move {
            if !request.headers().contains_key(header::AUTHORIZATION) {
                return challenge("Basic realm=\"x\"".to_owned());
            }
            match *request.method() {
                Method::POST => (StatusCode::ACCEPTED, [(header::LOCATION, location)]).into_response(),
                _ => StatusCode::NOT_FOUND.into_response(),
            }
        }
    }));
    let open = |_| -> io::Result<Box<dyn io::Read + Send>> { Ok(Box::new(&b"content"[..])) };
    let blob = Blob { digest: Digest::of(b"content"), size: 7, open: &open };
    assert_eq!(client(&registry, ann()).push_blob("a", &blob, &[]).await.unwrap(), Pushed::Sent);
    let seen = seen.lock().unwrap();
    assert_eq!(seen.len(), 1);
    assert_eq!(seen[0].0, Method::PUT);
    assert!(!seen[0].1.contains_key(header::AUTHORIZATION));
}

#[tokio::test]
async fn a_challenge_of_another_host_is_not_answered() {
    let (store, seen) = recording(|| challenge("Basic realm=\"store\"".to_owned()));
    let location = format!("http://{}/blob", store.host());
    let registry = Embedded::serving(Router::new().fallback(move || {
        let location = location.clone();
        async move { (StatusCode::TEMPORARY_REDIRECT, [(header::LOCATION, location)]) }
    }));
    let reference = ArtifactReference::parse("a:1").unwrap();
    client(&registry, ann()).manifest(&reference).await.unwrap_err();
    let seen = seen.lock().unwrap();
    assert!(!seen.is_empty());
    assert!(seen.iter().all(|(_, headers)| !headers.contains_key(header::AUTHORIZATION)));
}

#[tokio::test]
async fn a_token_service_may_be_another_host() {
    let (service, seen) = recording(|| r#"{"token":"t"}"#.into_response());
    let realm = format!("http://{}/token", service.host());
    let registry = Embedded::serving(Router::new().fallback(move |headers: HeaderMap| {
        let realm = realm.clone();
        async move {
            if headers.get(header::AUTHORIZATION).is_some_and(|value| value == "Bearer t") {
                return r#"{"schemaVersion":2,"layers":[]}"#.into_response();
            }
            challenge(format!("Bearer realm=\"{realm}\""))
        }
    }));
    let reference = ArtifactReference::parse("a:1").unwrap();
    client(&registry, ann()).manifest(&reference).await.unwrap();
    // The base64 of ann:hunter2 (RFC 7617).
    let authorization = seen.lock().unwrap()[0].1.get(header::AUTHORIZATION).cloned();
    assert_eq!(authorization.unwrap(), "Basic YW5uOmh1bnRlcjI=");
}
