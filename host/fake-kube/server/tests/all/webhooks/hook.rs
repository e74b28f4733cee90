//! A webhook for tests: TLS, HTTP/1.1 and HTTP/2, and a function that computes the answers.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use futures::future::BoxFuture;
use http::{Request, Response, Version};
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::server::conn::auto;
use rcgen::{CertificateParams, IsCa, KeyPair};
use rustls::ServerConfig;
use rustls_pki_types::PrivateKeyDer;
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;

/// A call that the webhook received.
#[derive(Clone, Debug)]
pub struct Seen {
    pub path_and_query: String,
    pub host: String,
    pub version: Version,
    pub review: Value,
}

impl Seen {
    pub fn request(&self) -> &Value {
        &self.review["request"]
    }
}

/// The answer to a review: HTTP status, headers, and a body.
pub struct Reply {
    pub status: u16,
    pub headers: Vec<(&'static str, String)>,
    pub body: String,
}

impl Reply {
    pub fn body(body: impl Into<String>) -> Self {
        Self { status: 200, headers: vec![("content-type", "application/json".into())], body: body.into() }
    }
}

type Answer = dyn Fn(Seen) -> BoxFuture<'static, Reply> + Send + Sync;

/// A certificate authority.
pub struct Authority {
    key: KeyPair,
    params: CertificateParams,
    pem: String,
}

impl Authority {
    pub fn new() -> Self {
        let key = KeyPair::generate().unwrap();
        let mut params = CertificateParams::new(Vec::<String>::new()).unwrap();
        params.is_ca = IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
        let pem = params.self_signed(&key).unwrap().pem();
        Self { key, params, pem }
    }

    /// The certificate in the form of `caBundle`.
    pub fn bundle(&self) -> String {
        STANDARD.encode(&self.pem)
    }

    fn server_config(&self, names: &[&str]) -> ServerConfig {
        let names: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
        let key = KeyPair::generate().unwrap();
        let issuer = rcgen::Issuer::from_params(&self.params, &self.key);
        let certificate = CertificateParams::new(names).unwrap().signed_by(&key, &issuer).unwrap();
        let mut config =
            ServerConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
                .with_safe_default_protocol_versions()
                .unwrap()
                .with_no_client_auth()
                .with_single_cert(
                    vec![certificate.der().clone()],
                    PrivateKeyDer::try_from(key.serialize_der()).unwrap(),
                )
                .unwrap();
        config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
        config
    }
}

/// A running webhook server. Dropping it stops it.
pub struct Hook {
    pub address: SocketAddr,
    pub authority: Authority,
    seen: Arc<Mutex<Vec<Seen>>>,
    connections: Arc<AtomicUsize>,
    task: tokio::task::JoinHandle<()>,
}

impl Drop for Hook {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Hook {
    /// A server with a function that computes its answers.
    pub async fn start(answer: impl Fn(&Seen) -> Reply + Send + Sync + 'static) -> Self {
        Self::start_async(move |seen| {
            let said = answer(&seen);
            Box::pin(std::future::ready(said))
        })
        .await
    }

    /// A server with an asynchronous function that computes its answers.
    pub async fn start_async(
        answer: impl Fn(Seen) -> BoxFuture<'static, Reply> + Send + Sync + 'static,
    ) -> Self {
        let authority = Authority::new();
        let tls = authority.server_config(&["hook.hooks.svc", "localhost", "127.0.0.1"]);
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (seen, connections) = (Arc::<Mutex<Vec<Seen>>>::default(), Arc::<AtomicUsize>::default());
        let (log, count) = (seen.clone(), connections.clone());
        let answer: Arc<Answer> = Arc::new(answer);
        let acceptor = TlsAcceptor::from(Arc::new(tls));
        let task = tokio::spawn(async move {
            let mut open = tokio::task::JoinSet::new();
            loop {
                let (stream, _) = listener.accept().await.unwrap();
                let (acceptor, log, answer, count) =
                    (acceptor.clone(), log.clone(), answer.clone(), count.clone());
                open.spawn(async move {
                    // The handshake fails when the client does not trust the certificate.
                    let Ok(stream) = acceptor.accept(stream).await else { return };
                    count.fetch_add(1, Ordering::SeqCst);
                    let service = service_fn(|request| serve(request, log.clone(), answer.clone()));
                    let builder = auto::Builder::new(TokioExecutor::new());
                    let _ = builder.serve_connection(TokioIo::new(stream), service).await;
                });
            }
        });
        Self { address, authority, seen, connections, task }
    }

    /// All calls so far.
    pub fn seen(&self) -> Vec<Seen> {
        self.seen.lock().unwrap().clone()
    }

    /// The review of the only call so far.
    pub fn only(&self) -> Value {
        let seen = self.seen();
        assert_eq!(seen.len(), 1, "{seen:#?}");
        seen[0].request().clone()
    }

    /// Forgets all calls.
    pub fn forget(&self) {
        self.seen.lock().unwrap().clear();
    }

    /// How many TLS connections were made.
    pub fn connections(&self) -> usize {
        self.connections.load(Ordering::SeqCst)
    }

    /// `clientConfig` of this server by the service that it is routed as.
    pub fn by_service(&self, path: &str) -> Value {
        let service = json!({"namespace": "hooks", "name": "hook", "path": path});
        json!({"service": service, "caBundle": self.authority.bundle()})
    }

    /// `clientConfig` of this server by its URL.
    pub fn by_url(&self, path: &str) -> Value {
        let url = format!("https://localhost:{}{path}", self.address.port());
        json!({"url": url, "caBundle": self.authority.bundle()})
    }
}

async fn serve(
    request: Request<Incoming>,
    log: Arc<Mutex<Vec<Seen>>>,
    answer: Arc<Answer>,
) -> Result<Response<Full<Bytes>>, std::convert::Infallible> {
    let (parts, body) = request.into_parts();
    let body = body.collect().await.unwrap().to_bytes();
    let host = parts.headers.get("host").map(|host| host.to_str().unwrap().to_owned());
    let seen = Seen {
        path_and_query: parts.uri.path_and_query().unwrap().to_string(),
        host: host.unwrap_or_default(),
        version: parts.version,
        review: serde_json::from_slice(&body).unwrap(),
    };
    log.lock().unwrap().push(seen.clone());
    let said = answer(seen).await;
    let mut response = Response::builder().status(said.status);
    for (name, value) in said.headers {
        response = response.header(name, value);
    }
    Ok(response.body(Full::new(said.body.into())).unwrap())
}

/// An answer with the given `response` of the review.
pub fn respond(seen: &Seen, mut response: Value) -> Reply {
    response["uid"] = seen.request()["uid"].clone();
    Reply::body(
        json!({"apiVersion": "admission.k8s.io/v1", "kind": "AdmissionReview", "response": response})
            .to_string(),
    )
}

/// Allows the request.
pub fn allow(seen: &Seen) -> Reply {
    respond(seen, json!({"allowed": true}))
}

/// Allows the request with a JSON patch.
pub fn patch(seen: &Seen, operations: &Value) -> Reply {
    let patch = STANDARD.encode(operations.to_string());
    respond(seen, json!({"allowed": true, "patchType": "JSONPatch", "patch": patch}))
}

/// Refuses the request with a status.
pub fn deny(seen: &Seen, status: Value) -> Reply {
    respond(seen, json!({"allowed": false, "status": status}))
}
