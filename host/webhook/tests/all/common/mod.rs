//! A server with a scripted reviewer, and clients that trust its certificate.

#![allow(dead_code)]

use bytes::Bytes;
use futures::future::BoxFuture;
use http::{HeaderMap, Request, StatusCode};
use http_body_util::{BodyExt, Full};
use hyper_rustls::HttpsConnector;
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use orascache_contract::Response;
use orascache_webhook::{CertificateResolver, ReviewError, Reviewer, Server, ServerLimits, ServerOptions};
use prometheus_client::registry::Registry;
use rustls::crypto::ring;
use rustls::{ClientConfig, RootCertStore};
use rustls_pki_types::{CertificateDer, PrivateKeyDer};
use serde_json::{Value, json};
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;
use tokio::net::TcpListener;
use tokio::sync::Semaphore;

/// Time after which a test fails. It decides nothing else.
pub const PATIENCE: Duration = Duration::from_secs(60);

/// A reviewer that does what the body says: a JSON string names an action; other JSON is allowed.
pub struct Script {
    /// Reviews that are told to `wait` take one permit each.
    pub turns: Semaphore,
    /// How many reviews have begun to wait.
    pub waiting: AtomicUsize,
    /// How many of them have ended.
    pub dropped: Arc<AtomicUsize>,
    /// What it says of itself.
    cooperative: bool,
}

impl Default for Script {
    fn default() -> Self {
        Self::new(true)
    }
}

impl Script {
    fn new(cooperative: bool) -> Self {
        Self { turns: Semaphore::new(0), waiting: AtomicUsize::new(0), dropped: Arc::default(), cooperative }
    }
}

struct CountDrop(Arc<AtomicUsize>);

impl Drop for CountDrop {
    fn drop(&mut self) {
        self.0.fetch_add(1, Ordering::SeqCst);
    }
}

impl Reviewer for Script {
    fn review<'a>(&'a self, review: &'a str) -> BoxFuture<'a, Result<Response, ReviewError>> {
        Box::pin(async move {
            let value: Value = serde_json::from_str(review)
                .map_err(|error| ReviewError::Invalid(format!("this is not JSON: {error}")))?;
            match value.as_str() {
                Some("panic") => panic!("as told"),
                Some("fail") => return Err(ReviewError::Failed("the API is away".to_owned())),
                Some("wait") => {
                    let _count = CountDrop(self.dropped.clone());
                    self.waiting.fetch_add(1, Ordering::SeqCst);
                    self.turns.acquire().await.unwrap().forget();
                }
                Some("block") => std::thread::sleep(Duration::from_secs(3)),
                Some("refuse") => return Ok(Response::refused("u", 403, "not this one")),
                _ => {}
            }
            let uid = value["request"]["uid"].as_str().unwrap_or("u");
            Ok(Response::patched(uid, "[]".to_owned()))
        })
    }

    fn is_cooperative(&self) -> bool {
        self.cooperative
    }
}

/// A self-signed certificate.
pub struct Identity {
    pub certificate: String,
    pub key: String,
    pub der: CertificateDer<'static>,
}

pub fn identity() -> Identity {
    let names = vec!["localhost".to_owned(), "127.0.0.1".to_owned()];
    let made = rcgen::generate_simple_self_signed(names).unwrap();
    Identity {
        certificate: made.cert.pem(),
        key: made.signing_key.serialize_pem(),
        der: made.cert.der().clone(),
    }
}

pub struct Running {
    pub server: Server,
    pub script: Arc<Script>,
    pub resolver: Arc<CertificateResolver>,
    pub identity: Identity,
    pub registry: Registry,
}

pub async fn start(limits: ServerLimits) -> Running {
    start_with(ServerOptions { limits, ..ServerOptions::default() }).await
}

/// A server whose reviewer is not cooperative: it may compute for any time.
pub async fn start_uncooperative(limits: ServerLimits) -> Running {
    start_scripted(ServerOptions { limits, ..ServerOptions::default() }, Script::new(false)).await
}

pub async fn start_with(options: ServerOptions) -> Running {
    start_scripted(options, Script::default()).await
}

async fn start_scripted(options: ServerOptions, script: Script) -> Running {
    let script = Arc::new(script);
    let identity = identity();
    let resolver = Arc::new(CertificateResolver::new());
    resolver.replace_pem(identity.certificate.as_bytes(), identity.key.as_bytes()).unwrap();
    let mut registry = Registry::default();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let server = Server::start(listener, script.clone(), resolver.clone(), options, &mut registry).unwrap();
    Running { server, script, resolver, identity, registry }
}

impl Running {
    pub fn address(&self) -> SocketAddr {
        self.server.local_addr()
    }

    pub fn caller(&self, protocol: Protocol) -> Caller {
        Caller::new(self.address(), protocol, std::slice::from_ref(&self.identity.der))
    }

    pub fn metrics(&self) -> String {
        let mut text = String::new();
        prometheus_client::encoding::text::encode(&mut text, &self.registry).unwrap();
        text
    }

    /// The value of a metric without labels, or of the one with these labels.
    pub fn metric(&self, name: &str) -> u64 {
        let text = self.metrics();
        let value = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
        value.and_then(|value| value.parse().ok()).unwrap_or_else(|| panic!("no {name} in\n{text}"))
    }

    /// How many reviews to `/mutate` have begun and not ended, including their bodies.
    pub fn in_flight(&self) -> u64 {
        self.metric("controller_runtime_webhook_requests_in_flight{webhook=\"/mutate\"}")
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Protocol {
    Http1,
    Http2,
}

pub const PROTOCOLS: [Protocol; 2] = [Protocol::Http1, Protocol::Http2];

pub fn trusting(roots: &[CertificateDer<'static>]) -> ClientConfig {
    trusting_with(roots, None)
}

/// A client that trusts these roots, and presents a certificate with its key if it has one.
pub fn trusting_with(
    roots: &[CertificateDer<'static>],
    identity: Option<(Vec<CertificateDer<'static>>, PrivateKeyDer<'static>)>,
) -> ClientConfig {
    let mut store = RootCertStore::empty();
    for root in roots {
        store.add(root.clone()).unwrap();
    }
    let builder = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(store);
    match identity {
        Some((chain, key)) => builder.with_client_auth_cert(chain, key).unwrap(),
        None => builder.with_no_client_auth(),
    }
}

/// A client. It shares no connections with other clients.
#[derive(Clone)]
pub struct Caller {
    client: Client<HttpsConnector<HttpConnector>, Full<Bytes>>,
    base: String,
}

#[derive(Debug)]
pub struct Answer {
    pub status: StatusCode,
    pub headers: HeaderMap,
    pub body: Bytes,
}

impl Answer {
    pub fn text(&self) -> &str {
        std::str::from_utf8(&self.body).unwrap()
    }

    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap()
    }
}

impl Caller {
    pub fn new(address: SocketAddr, protocol: Protocol, roots: &[CertificateDer<'static>]) -> Self {
        Self::with_config(address, protocol, trusting(roots))
    }

    pub fn with_config(address: SocketAddr, protocol: Protocol, config: ClientConfig) -> Self {
        let builder = hyper_rustls::HttpsConnectorBuilder::new().with_tls_config(config).https_only();
        let connector = match protocol {
            Protocol::Http1 => builder.enable_http1().build(),
            Protocol::Http2 => builder.enable_http2().build(),
        };
        let client =
            Client::builder(TokioExecutor::new()).http2_only(protocol == Protocol::Http2).build(connector);
        Self { client, base: format!("https://{address}") }
    }

    pub async fn send(&self, request: Request<Full<Bytes>>) -> Result<Answer, String> {
        let answer = async {
            let response = self.client.request(request).await.map_err(|error| format!("{error:?}"))?;
            let (parts, body) = response.into_parts();
            let body = body.collect().await.map_err(|error| format!("{error:?}"))?.to_bytes();
            Ok(Answer { status: parts.status, headers: parts.headers, body })
        };
        tokio::time::timeout(PATIENCE, answer).await.expect("the server hangs")
    }

    pub fn request(&self, method: &str, path: &str) -> http::request::Builder {
        Request::builder().method(method).uri(format!("{}{path}", self.base))
    }

    pub async fn post(&self, path: &str, body: impl Into<Bytes>) -> Result<Answer, String> {
        let request = self.request("POST", path).header("Content-Type", "application/json");
        self.send(request.body(Full::new(body.into())).unwrap()).await
    }

    pub async fn act(&self, action: &str) -> Result<Answer, String> {
        self.post("/mutate?timeout=30s", json!(action).to_string()).await
    }

    pub async fn get(&self, path: &str) -> Result<Answer, String> {
        self.send(self.request("GET", path).body(Full::default()).unwrap()).await
    }
}

/// Waits until a condition holds.
pub async fn until(what: &str, mut holds: impl AsyncFnMut() -> bool) {
    let wait = async {
        while !holds().await {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    tokio::time::timeout(PATIENCE, wait).await.unwrap_or_else(|_| panic!("this never happened: {what}"));
}
