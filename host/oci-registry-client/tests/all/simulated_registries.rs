//! The client against simulated registries: token services, redirects, overload, and wrong answers.

use std::io;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::{Query, Request, State};
use axum::http::{HeaderMap, Method, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::any;
use oci_registry_client::{
    ArtifactReference, Blob, Client, Credentials, Descriptor, Digest, Endpoint, Error, Secret,
    TransferPolicy, VerifyingReader, channel,
};
use test_registries::Embedded;

const MANIFEST: &str = r#"{"schemaVersion":2,"mediaType":"application/vnd.oci.image.manifest.v1+json","config":{"mediaType":"application/vnd.oci.empty.v1+json","digest":"sha256:44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a","size":2},"layers":[]}"#;

fn client(registry: &Embedded, credentials: Credentials) -> Client {
    let endpoint = Endpoint::parse(&format!("http://{}", registry.host())).unwrap();
    let policy = TransferPolicy {
        patience: Duration::from_secs(10),
        stall: Duration::from_millis(500),
        ..TransferPolicy::default()
    };
    Client::new(endpoint, credentials, policy)
}

fn ann() -> Credentials {
    Credentials::both(Secret::Password("ann".to_owned(), "hunter2".to_owned()))
}

fn reference() -> ArtifactReference {
    ArtifactReference::parse("flow/words:1").unwrap()
}

fn descriptor(content: &[u8]) -> Descriptor {
    Descriptor {
        media_type: "x".to_owned(),
        digest: Digest::of(content).to_string(),
        size: content.len() as u64,
        annotations: Default::default(),
    }
}

async fn pull(client: &Client, blob: &Descriptor) -> Result<io::Result<Vec<u8>>, Error> {
    let (sender, reader) = channel();
    let mut reader = VerifyingReader::new(reader, blob.checked_digest().unwrap(), blob.size);
    let reading = tokio::task::spawn_blocking(move || {
        let mut bytes = Vec::new();
        io::Read::read_to_end(&mut reader, &mut bytes).map(|_| bytes)
    });
    let pulled = client.pull_blob("flow/words", blob, &sender).await;
    drop(sender);
    let read = reading.await.unwrap();
    pulled.map(|()| read)
}

/// A registry behind a token service, which counts tokens and revokes the first one when told to.
#[derive(Clone, Default)]
struct Tokens {
    issued: Arc<AtomicU32>,
    revoked: Arc<AtomicU32>,
    asked: Arc<Mutex<Vec<String>>>,
    expires_in: Option<u64>,
}

impl Tokens {
    fn start(self) -> Embedded {
        let router =
            Router::new().route("/token", any(token)).route("/v2/{*path}", any(guarded)).with_state(self);
        Embedded::serving(router)
    }
}

async fn token(State(tokens): State<Tokens>, request: Request) -> Response {
    // RFC 7617's encoding of ann:hunter2.
    let is_ann =
        request.headers().get(header::AUTHORIZATION).is_some_and(|value| value == "Basic YW5uOmh1bnRlcjI=");
    if !is_ann {
        return StatusCode::UNAUTHORIZED.into_response();
    }
    tokens.asked.lock().unwrap().push(request.uri().query().unwrap_or_default().to_owned());
    let number = tokens.issued.fetch_add(1, Ordering::SeqCst) + 1;
    let expires = tokens.expires_in.map(|life| format!(r#","expires_in":{life}"#)).unwrap_or_default();
    format!(r#"{{"token":"t{number}"{expires}}}"#).into_response()
}

async fn guarded(State(tokens): State<Tokens>, request: Request) -> Response {
    let (issued, revoked) = (tokens.issued.load(Ordering::SeqCst), tokens.revoked.load(Ordering::SeqCst));
    let header = request.headers().get(header::AUTHORIZATION).and_then(|value| value.to_str().ok());
    let number = header.and_then(|value| value.strip_prefix("Bearer t")?.parse::<u32>().ok());
    if number.is_none_or(|number| number <= revoked || number > issued) {
        let host = request.headers().get(header::HOST).unwrap().to_str().unwrap();
        let challenge = format!(r#"Bearer realm="http://{host}/token",service="test",scope="ignored""#);
        return (StatusCode::UNAUTHORIZED, [(header::WWW_AUTHENTICATE, challenge)]).into_response();
    }
    match *request.method() {
        Method::PUT => StatusCode::CREATED.into_response(),
        _ => MANIFEST.into_response(),
    }
}

#[tokio::test]
async fn tokens_are_requested_kept_and_replaced() {
    let tokens = Tokens { expires_in: Some(300), ..Tokens::default() };
    let registry = tokens.clone().start();
    let client = client(&registry, ann());
    let fetched = client.manifest(&reference()).await.unwrap();
    client.manifest(&reference()).await.unwrap();
    assert_eq!(tokens.issued.load(Ordering::SeqCst), 1, "the token is kept");
    let asked = tokens.asked.lock().unwrap().clone();
    assert_eq!(asked, ["service=test&scope=repository%3Aflow%2Fwords%3Apull"]);
    tokens.revoked.store(1, Ordering::SeqCst);
    client.manifest(&reference()).await.unwrap();
    assert_eq!(tokens.issued.load(Ordering::SeqCst), 2, "a revoked one is replaced");
    // Writing needs another token.
    client.push_manifest(&reference(), &fetched.manifest).await.unwrap();
    assert_eq!(tokens.issued.load(Ordering::SeqCst), 3);
    assert!(tokens.asked.lock().unwrap().last().unwrap().contains("pull%2Cpush"));
}

#[tokio::test]
async fn expired_tokens_are_not_used() {
    let tokens = Tokens { expires_in: Some(0), ..Tokens::default() };
    let registry = tokens.clone().start();
    let error = client(&registry, Credentials::default()).manifest(&reference()).await.unwrap_err();
    assert!(matches!(error, Error::Denied { .. }), "anonymous: {error}");
    let client = client(&registry, ann());
    client.manifest(&reference()).await.unwrap();
    client.manifest(&reference()).await.unwrap();
    assert_eq!(tokens.issued.load(Ordering::SeqCst), 2, "each serves for one request");
    // All tokens are revoked, also future ones: the client gives up.
    tokens.revoked.store(u32::MAX, Ordering::SeqCst);
    let error = client.manifest(&reference()).await.unwrap_err();
    assert!(matches!(error, Error::Denied { .. }), "{error}");
    assert!(tokens.issued.load(Ordering::SeqCst) <= 6);
}

#[tokio::test]
async fn credentials_do_not_follow_redirects() {
    let seen: Arc<Mutex<Vec<HeaderMap>>> = Arc::default();
    let log = Arc::clone(&seen);
    let store = Embedded::serving(Router::new().fallback(move |headers: HeaderMap| {
        log.lock().unwrap().push(headers);
        async { "content" }
    }));
    let target = format!("http://{}/blob?signature=1", store.host());
    let registry = Embedded::serving(Router::new().fallback(move |headers: HeaderMap| {
        let target = target.clone();
        async move {
            if headers.contains_key(header::AUTHORIZATION) {
                (StatusCode::TEMPORARY_REDIRECT, [(header::LOCATION, target)]).into_response()
            } else {
                (StatusCode::UNAUTHORIZED, [(header::WWW_AUTHENTICATE, "Basic realm=x")]).into_response()
            }
        }
    }));
    let pulled = pull(&client(&registry, ann()), &descriptor(b"content")).await.unwrap().unwrap();
    assert_eq!(pulled, b"content");
    let seen = seen.lock().unwrap();
    assert_eq!(seen.len(), 1);
    assert!(!seen[0].contains_key(header::AUTHORIZATION));
}

#[tokio::test]
async fn overload_is_waited_for_and_refusals_are_reported() {
    for (status, tries) in [(429, 3), (503, 3), (400, 1), (403, 1)] {
        let count = Arc::new(AtomicU32::new(0));
        let counter = Arc::clone(&count);
        let registry = Embedded::serving(Router::new().fallback(move || {
            let number = counter.fetch_add(1, Ordering::SeqCst) + 1;
            async move {
                if number == 3 {
                    return MANIFEST.into_response();
                }
                let body = r#"{"errors":[{"code":"X","message":"a message"}]}"#;
                (StatusCode::from_u16(status).unwrap(), [(header::RETRY_AFTER, "0")], body).into_response()
            }
        }));
        let result = client(&registry, Credentials::default()).manifest(&reference()).await;
        assert_eq!(count.load(Ordering::SeqCst), tries, "{status}");
        match result {
            Ok(_) => assert_eq!(tries, 3),
            Err(error) => assert!(error.to_string().contains("X: a message"), "{error}"),
        }
    }
}

#[tokio::test]
async fn wrong_answers_are_errors() {
    let registry = Embedded::serving(Router::new().fallback(|request: Request| async move {
        match request.uri().path() {
            path if path.contains("/manifests/sha256:") => MANIFEST.into_response(),
            path if path.contains("/manifests/huge") => Body::from(vec![b' '; 5 << 20]).into_response(),
            path if path.contains("/manifests/") => "<html>".into_response(),
            _ => "other content".into_response(),
        }
    }));
    let client = client(&registry, Credentials::default());
    let at = |text: &str| ArtifactReference::parse(text).unwrap();
    let wrong = format!("a@{}", Digest::of(b"other"));
    for (reference, why) in
        [(wrong.as_str(), "another manifest"), ("a:huge", "longer than"), ("a:1", "cannot be read")]
    {
        let error = client.manifest(&at(reference)).await.unwrap_err();
        assert!(error.to_string().contains(why), "{error}");
    }
    let error = pull(&client, &descriptor(b"good content!")).await.unwrap().unwrap_err();
    assert!(error.to_string().contains("is damaged"), "{error}");
    let error = pull(&client, &descriptor(b"short")).await.unwrap_err();
    assert!(error.to_string().contains("longer than the 5 bytes"), "{error}");
}

#[tokio::test]
async fn a_silent_registry_is_given_up() {
    let registry = Embedded::serving(Router::new().fallback(|| async {
        tokio::time::sleep(Duration::from_secs(3600)).await;
    }));
    let endpoint = Endpoint::parse(&format!("http://{}", registry.host())).unwrap();
    let policy = TransferPolicy {
        patience: Duration::from_millis(10),
        stall: Duration::from_millis(50),
        ..TransferPolicy::default()
    };
    let client = Client::new(endpoint, Credentials::default(), policy);
    let error = client.manifest(&reference()).await.unwrap_err();
    assert!(error.to_string().contains("nothing came for"), "{error}");
}

/// A registry that loses the sessions of the first two uploads.
#[tokio::test]
async fn an_upload_begins_again_when_its_session_is_lost() {
    #[derive(Clone, Default)]
    struct Forgetful {
        sessions: Arc<AtomicU32>,
        got: Arc<Mutex<Vec<u8>>>,
    }
    async fn handle(
        State(state): State<Forgetful>,
        Query(query): Query<Vec<(String, String)>>,
        method: Method,
        uri: axum::http::Uri,
        body: Bytes,
    ) -> Response {
        let session = uri.path().rsplit('/').next().and_then(|name| name.parse::<u32>().ok());
        match (method, session) {
            (Method::HEAD, _) => StatusCode::NOT_FOUND.into_response(),
            (Method::POST, _) => {
                let number = state.sessions.fetch_add(1, Ordering::SeqCst) + 1;
                (StatusCode::ACCEPTED, [(header::LOCATION, format!("/v2/a/blobs/uploads/{number}?state=x"))])
                    .into_response()
            }
            (Method::PATCH, Some(1 | 2)) => StatusCode::NOT_FOUND.into_response(),
            (Method::PATCH, Some(number)) => {
                let range = format!("0-{}", body.len() - 1);
                *state.got.lock().unwrap() = body.to_vec();
                let location = format!("/v2/a/blobs/uploads/{number}");
                (StatusCode::ACCEPTED, [(header::LOCATION, location), (header::RANGE, range)]).into_response()
            }
            (Method::PUT, Some(_)) if query.iter().any(|(name, _)| name == "digest") => {
                StatusCode::CREATED.into_response()
            }
            _ => StatusCode::BAD_REQUEST.into_response(),
        }
    }
    let state = Forgetful::default();
    let router = Router::new().fallback(any(handle)).with_state(state.clone());
    let registry = Embedded::serving(router);
    let content = vec![9; 2 << 20];
    let owned = content.clone();
    let open = move |offset: u64| -> io::Result<Box<dyn io::Read + Send>> {
        let mut cursor = io::Cursor::new(owned.clone());
        cursor.set_position(offset);
        Ok(Box::new(cursor))
    };
    let blob = Blob { digest: Digest::of(&content), size: content.len() as u64, open: &open };
    client(&registry, Credentials::default()).push_blob("a", &blob, &[]).await.unwrap();
    assert_eq!(state.sessions.load(Ordering::SeqCst), 3);
    assert_eq!(*state.got.lock().unwrap(), content);
}
