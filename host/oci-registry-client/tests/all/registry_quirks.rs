//! The client against registries that differ from the specification in ways that users have
//! reported.

use std::collections::HashMap;
use std::io;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::Router;
use axum::body::{Body, to_bytes};
use axum::extract::Request;
use axum::http::{Method, StatusCode, header};
use axum::response::{IntoResponse, Response};
use oci_registry_client::{
    ArtifactReference, Blob, Client, Credentials, Digest, Endpoint, Error, Manifest, Pushed, Secret,
    TransferPolicy,
};
use test_registries::Embedded;

const MANIFEST: &str = r#"{"schemaVersion":2,"layers":[]}"#;

/// A registry with one upload, as far as the quirks need it.
#[derive(Clone, Default)]
struct Quirks {
    /// Largest body that is taken, in bytes.
    limit: Option<usize>,
    /// What the Range of an answer to PATCH says, whatever was sent.
    range: Option<&'static str>,
    /// The status by which the beginning of an upload is redirected.
    moved: Option<u16>,
    /// The answer to HEAD.
    head: Option<u16>,
    state: Arc<Mutex<State>>,
}

#[derive(Default)]
struct State {
    upload: Vec<u8>,
    blobs: HashMap<String, Vec<u8>>,
    /// Methods and sizes of bodies.
    requests: Vec<(Method, usize)>,
}

impl Quirks {
    fn start(&self) -> Embedded {
        let quirks = self.clone();
        Embedded::serving(Router::new().fallback(move |request: Request| {
            let quirks = quirks.clone();
            async move { quirks.answer(request).await }
        }))
    }

    async fn answer(&self, request: Request) -> Response {
        let (parts, body) = request.into_parts();
        let body = to_bytes(Body::new(body), usize::MAX).await.unwrap();
        let mut state = self.state.lock().unwrap();
        state.requests.push((parts.method.clone(), body.len()));
        if self.limit.is_some_and(|limit| body.len() > limit) {
            return StatusCode::PAYLOAD_TOO_LARGE.into_response();
        }
        let query = parts.uri.query().unwrap_or_default();
        let location = [(header::LOCATION, "/v2/a/blobs/uploads/1")];
        match parts.method {
            Method::HEAD => StatusCode::from_u16(self.head.unwrap_or(404)).unwrap().into_response(),
            Method::POST => match self.moved {
                Some(status) if !query.contains("moved") => {
                    let to = [(header::LOCATION, "/v2/a/blobs/uploads/?moved=1")];
                    (StatusCode::from_u16(status).unwrap(), to).into_response()
                }
                _ => (StatusCode::ACCEPTED, location).into_response(),
            },
            Method::PATCH => {
                let start = state.upload.len();
                if let Some(range) = parts.headers.get(header::CONTENT_RANGE) {
                    let wanted = format!("{start}-{}", start + body.len() - 1);
                    assert_eq!(range.to_str().unwrap(), wanted);
                }
                state.upload.extend_from_slice(&body);
                let said = format!("0-{}", state.upload.len() - 1);
                let range = self.range.map_or(said, str::to_owned);
                (StatusCode::ACCEPTED, location, [(header::RANGE, range)]).into_response()
            }
            Method::GET => {
                let range = format!("0-{}", state.upload.len().saturating_sub(1));
                (StatusCode::NO_CONTENT, location, [(header::RANGE, range)]).into_response()
            }
            Method::PUT => {
                let mut content = std::mem::take(&mut state.upload);
                content.extend_from_slice(&body);
                let digest = Digest::of(&content).to_string();
                if !query.contains(&digest.replace(':', "%3A")) {
                    return StatusCode::BAD_REQUEST.into_response();
                }
                state.blobs.insert(digest, content);
                StatusCode::CREATED.into_response()
            }
            _ => StatusCode::METHOD_NOT_ALLOWED.into_response(),
        }
    }

    /// Pushes content, and compares what has arrived with it. Returns the requests.
    async fn push(&self, size: usize) -> Vec<(Method, usize)> {
        let registry = self.start();
        let content: Vec<u8> = (0..size).map(|number| (number % 251) as u8).collect();
        let source = content.clone();
        let open = move |offset: u64| -> io::Result<Box<dyn io::Read + Send>> {
            let mut cursor = io::Cursor::new(source.clone());
            cursor.set_position(offset);
            Ok(Box::new(cursor))
        };
        let blob = Blob { digest: Digest::of(&content), size: size as u64, open: &open };
        let pushed = client(&registry, Credentials::default()).push_blob("a", &blob, &[]).await;
        assert_eq!(pushed.unwrap(), Pushed::Sent);
        let mut state = self.state.lock().unwrap();
        assert!(state.blobs.get(blob.digest.as_str()) == Some(&content), "other content");
        std::mem::take(&mut state.requests)
    }
}

fn client(registry: &Embedded, credentials: Credentials) -> Client {
    let endpoint = Endpoint::parse(&format!("http://{}", registry.host())).unwrap();
    let policy = TransferPolicy {
        patience: Duration::from_secs(5),
        stall: Duration::from_secs(20),
        ..TransferPolicy::default()
    };
    Client::new(endpoint, credentials, policy)
}

fn ann() -> Credentials {
    Credentials::both(Secret::Password("ann".to_owned(), "hunter2".to_owned()))
}

fn reference() -> ArtifactReference {
    ArtifactReference::parse("a:1").unwrap()
}

#[tokio::test]
async fn bodies_that_are_too_large_become_smaller() {
    let quirks = Quirks { limit: Some(300_000), ..Quirks::default() };
    let requests = quirks.push(2_000_000).await;
    let sent: Vec<usize> =
        requests.iter().filter(|(method, _)| *method == Method::PATCH).map(|(_, size)| *size).collect();
    assert!(sent.iter().filter(|size| **size <= 300_000).sum::<usize>() == 2_000_000, "{sent:?}");
    // A small blob is sent with the last request, unless it is larger than the limit.
    Quirks { limit: Some(100_000), ..Quirks::default() }.push(900_000).await;
}

#[tokio::test]
async fn a_limit_that_no_body_can_meet_is_an_error() {
    let registry = Quirks { limit: Some(10), ..Quirks::default() }.start();
    let client = client(&registry, Credentials::default());
    let error = client.push_bytes("a", &[0; 200_000], "x").await.unwrap_err();
    assert!(error.to_string().contains("413"), "{error}");
}

#[tokio::test]
async fn a_wrong_range_is_not_believed() {
    for range in ["0-0", "0-1048575", "0-2000000", "0-99999999", "0-18446744073709551615", "x"] {
        let quirks = Quirks { range: Some(range), ..Quirks::default() };
        let requests = quirks.push(2_000_000).await;
        let sent: usize = requests.iter().map(|(_, size)| size).sum();
        assert_eq!(sent, 2_000_000, "{range}");
    }
}

#[tokio::test]
async fn the_beginning_of_an_upload_may_be_redirected() {
    for status in [307, 308] {
        Quirks { moved: Some(status), ..Quirks::default() }.push(10).await;
    }
    let registry = Quirks { moved: Some(302), ..Quirks::default() }.start();
    let error = client(&registry, Credentials::default()).push_bytes("a", b"x", "x").await.unwrap_err();
    assert!(matches!(error, Error::Refused { .. }), "{error}");
}

#[tokio::test]
async fn an_existence_check_that_fails_leads_to_an_upload() {
    for status in [400, 403, 405, 500] {
        Quirks { head: Some(status), ..Quirks::default() }.push(10).await;
    }
}

#[tokio::test]
async fn every_request_has_a_user_agent() {
    let registry = Embedded::serving(Router::new().fallback(|request: Request| async move {
        match request.headers().get(header::USER_AGENT).and_then(|value| value.to_str().ok()) {
            Some(agent) if agent.starts_with("orascache/") => MANIFEST.into_response(),
            _ => StatusCode::FORBIDDEN.into_response(),
        }
    }));
    client(&registry, Credentials::default()).manifest(&reference()).await.unwrap();
}

#[tokio::test]
async fn hidden_repositories_are_found_by_asking_for_a_challenge() {
    // Anonymous requests get 404 or 403, and only /v2/ asks for a password.
    for status in [404, 403, 401] {
        let registry = Embedded::serving(Router::new().fallback(move |request: Request| async move {
            if request.headers().contains_key(header::AUTHORIZATION) {
                return MANIFEST.into_response();
            }
            if request.uri().path() == "/v2/" {
                let challenge = [(header::WWW_AUTHENTICATE, "Basic realm=\"x\"")];
                return (StatusCode::UNAUTHORIZED, challenge).into_response();
            }
            StatusCode::from_u16(status).unwrap().into_response()
        }));
        client(&registry, ann()).manifest(&reference()).await.unwrap();
        let error = client(&registry, Credentials::default()).manifest(&reference()).await.unwrap_err();
        assert!(matches!(error, Error::NotFound { .. } | Error::Denied { .. }), "{error}");
    }
}

#[tokio::test]
async fn an_immutable_tag_with_the_same_content_counts_as_written() {
    let manifest = Manifest::of_layers("x", Vec::new(), Default::default());
    let bytes = serde_json::to_vec(&manifest).unwrap();
    for status in [400, 403, 409, 412] {
        for (stored, is_same) in [(bytes.clone(), true), (MANIFEST.as_bytes().to_vec(), false)] {
            let registry = Embedded::serving(Router::new().fallback(move |request: Request| {
                let stored = stored.clone();
                async move {
                    let by_digest = request.uri().path().contains("sha256:");
                    match *request.method() {
                        Method::PUT if by_digest => StatusCode::CREATED.into_response(),
                        Method::PUT => StatusCode::from_u16(status).unwrap().into_response(),
                        _ => stored.into_response(),
                    }
                }
            }));
            let pushed =
                client(&registry, Credentials::default()).push_manifest(&reference(), &manifest).await;
            assert_eq!(pushed.is_ok(), is_same, "{status}");
        }
    }
}

#[tokio::test]
async fn artifact_manifests_of_older_clients_are_accepted() {
    let registry = Embedded::serving(Router::new().fallback(|request: Request| async move {
        let kind = "application/vnd.oci.artifact.manifest.v1+json";
        let mut accepted = request.headers().get_all(header::ACCEPT).iter();
        if !accepted.any(|accepted| accepted == kind) {
            return StatusCode::NOT_FOUND.into_response();
        }
        let body = format!(r#"{{"mediaType":"{kind}","blobs":[{{"digest":"sha256:1","size":2}}]}}"#);
        ([(header::CONTENT_TYPE, kind)], body).into_response()
    }));
    let fetched = client(&registry, Credentials::default()).manifest(&reference()).await.unwrap();
    assert_eq!(fetched.manifest.layers.len(), 1);
}
