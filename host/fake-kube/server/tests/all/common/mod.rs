//! A small HTTP client for the tests, so that they see the bytes that the server sends.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use fake_kube_server::ApiServer;
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::client::conn::http1::SendRequest;
use hyper_util::rt::TokioIo;
use rustls::{ClientConfig, RootCertStore};
use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, ServerName};
use serde_json::Value;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio_rustls::TlsConnector;

/// An answer.
pub struct Answer {
    pub status: u16,
    pub headers: http::HeaderMap,
    pub body: Bytes,
}

#[allow(dead_code)]
impl Answer {
    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or(Value::Null)
    }

    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).map(|value| value.to_str().unwrap())
    }
}

async fn handshake<S>(stream: S) -> Result<SendRequest<Full<Bytes>>, hyper::Error>
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let (sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream)).await?;
    tokio::spawn(connection);
    Ok(sender)
}

fn trusting(authority: &str) -> TlsConnector {
    let mut roots = RootCertStore::empty();
    roots.add(CertificateDer::from_pem_slice(authority.as_bytes()).unwrap()).unwrap();
    let config = ClientConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    TlsConnector::from(Arc::new(config))
}

/// Sends a request, with the token unless `headers` has an `Authorization`, and returns the
/// response before its body has been read.
pub async fn open(
    server: &ApiServer,
    method: &str,
    path: &str,
    headers: &[(&str, &str)],
    body: impl Into<Bytes>,
) -> Result<http::Response<Incoming>, hyper::Error> {
    let url = server.url();
    let (_, address) = url.split_once("://").unwrap();
    let stream = tokio::net::TcpStream::connect(address).await.unwrap();
    let mut sender = match server.certificate_authority() {
        None => handshake(stream).await?,
        Some(authority) => {
            let name = ServerName::try_from("127.0.0.1").unwrap();
            handshake(trusting(authority).connect(name, stream).await.unwrap()).await?
        }
    };
    let mut request = http::Request::builder().method(method).uri(path);
    let given = |name: &str| headers.iter().any(|(key, _)| key.eq_ignore_ascii_case(name));
    if !given("host") {
        request = request.header("Host", address.to_owned());
    }
    if !given("user-agent") {
        request = request.header("User-Agent", "recorder");
    }
    if let Some(token) = server.token().filter(|_| !given("authorization")) {
        request = request.header("Authorization", format!("Bearer {}", token.reveal()));
    }
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    sender.send_request(request.body(Full::new(body.into())).unwrap()).await
}

/// Sends a request and reads the whole answer.
pub async fn send(
    server: &ApiServer,
    method: &str,
    path: &str,
    headers: &[(&str, &str)],
    body: impl Into<Bytes>,
) -> Answer {
    let work = async {
        let response = open(server, method, path, headers, body).await.unwrap();
        let (parts, body) = response.into_parts();
        let body = body.collect().await.unwrap().to_bytes();
        Answer { status: parts.status.as_u16(), headers: parts.headers, body }
    };
    tokio::time::timeout(Duration::from_secs(20), work).await.expect("the server did not answer")
}

/// Sends JSON and expects the status.
#[allow(dead_code)]
pub async fn expect(server: &ApiServer, method: &str, path: &str, body: &Value, status: u16) -> Value {
    let content_type = match method {
        "PATCH" => "application/merge-patch+json",
        _ => "application/json",
    };
    let body = if body.is_null() { String::new() } else { body.to_string() };
    let answer = send(server, method, path, &[("Content-Type", content_type)], body).await;
    assert_eq!(answer.status, status, "{method} {path}: {}", String::from_utf8_lossy(&answer.body));
    answer.json()
}

/// Reads events of a watch, one JSON line each.
#[allow(dead_code)]
pub struct Events {
    body: Incoming,
    buffer: Vec<u8>,
}

#[allow(dead_code)]
impl Events {
    pub async fn open(server: &ApiServer, path: &str) -> Self {
        let response = open(server, "GET", path, &[], "").await.unwrap();
        assert_eq!(response.status(), 200);
        Self { body: response.into_body(), buffer: Vec::new() }
    }

    /// The next event; `None` when the stream has ended or was cut.
    pub async fn next(&mut self) -> Option<Value> {
        tokio::time::timeout(Duration::from_secs(20), self.read()).await.expect("no event came")
    }

    async fn read(&mut self) -> Option<Value> {
        loop {
            if let Some(end) = self.buffer.iter().position(|byte| *byte == b'\n') {
                let line: Vec<u8> = self.buffer.drain(..=end).collect();
                return Some(serde_json::from_slice(&line).unwrap());
            }
            let frame = self.body.frame().await?.ok()?;
            self.buffer.extend_from_slice(frame.data_ref()?);
        }
    }
}

/// A server with the custom kind `Cache` of the transcripts.
#[allow(dead_code)]
pub async fn with_caches(options: fake_kube_server::Options) -> ApiServer {
    let server = ApiServer::start(options).await.unwrap();
    let recorded = include_str!("../../transcripts/05-crd-create.txt");
    let body = recorded.split_once('\n').unwrap().1.split("\n\n< ").next().unwrap().to_owned();
    let path = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions";
    assert_eq!(send(&server, "POST", path, &[], body).await.status, 201);
    server
}

/// The path of the caches of the default namespace.
#[allow(dead_code)]
pub const CACHES: &str = "/apis/lab.example.com/v1/namespaces/default/caches";

/// A cache to create.
#[allow(dead_code)]
pub fn cache(name: &str) -> Value {
    serde_json::json!({
        "apiVersion": "lab.example.com/v1", "kind": "Cache", "metadata": {"name": name}, "spec": {},
    })
}

/// `metadata.resourceVersion`.
#[allow(dead_code)]
pub fn version(object: &Value) -> String {
    object["metadata"]["resourceVersion"].as_str().unwrap().to_owned()
}
