//! HTTPS calls of webhooks (`k8s.io/apiserver/pkg/util/webhook`, `k8s.io/client-go/rest`).

use std::collections::HashMap;
use std::error::Error;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use http::header::{ACCEPT, CONTENT_TYPE, HOST, RETRY_AFTER, USER_AGENT};
use http::{Request, Response, StatusCode, Uri};
use http_body_util::{BodyExt, Full, Limited};
use hyper::body::Incoming;
use hyper_rustls::{FixedServerNameResolver, HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy::Client as Pool;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use rustls_pki_types::ServerName;
use serde_json::Value;
use tokio::task::JoinSet;
use tokio::time::Instant;

use super::services::Services;
use super::tls;

/// The largest answer to an AdmissionReview, in bytes: many times the largest object.
const LARGEST_ANSWER: usize = 32 * 1024 * 1024;
/// How often a webhook that answers with `Retry-After` is called again (client-go).
const RETRIES: usize = 10;
/// How many bytes of an unexpected answer an error quotes (client-go).
const QUOTED: usize = 2048;

/// The address of a webhook, and the authorities that its certificate may come from.
#[derive(Debug)]
pub struct ClientConfig {
    /// The address.
    pub place: Place,
    /// PEM certificates of trusted authorities. An empty bundle trusts nobody: there are no system
    /// roots.
    pub ca_bundle: Arc<[u8]>,
}

/// The address of a webhook.
#[derive(Debug)]
pub enum Place {
    /// A service of the cluster.
    Service {
        /// Its namespace.
        namespace: String,
        /// Its name.
        name: String,
        /// Its port.
        port: u16,
        /// The path of the URL; empty means `/`.
        path: String,
    },
    /// A URL.
    Url(String),
}

/// The key of a pool of connections.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Peer {
    address: String,
    server_name: String,
    ca_bundle: Arc<[u8]>,
}

type Client = Pool<HttpsConnector<HttpConnector>, Full<Bytes>>;

/// Pools of connections to webhooks.
#[derive(Default)]
pub struct Clients(Mutex<HashMap<Peer, Client>>);

impl ClientConfig {
    /// The URL without its query.
    ///
    /// # Errors
    /// A sentence when the URL cannot be parsed.
    pub fn url(&self) -> Result<String, String> {
        match &self.place {
            Place::Service { namespace, name, port, path } => {
                let path = path.trim_start_matches('/');
                Ok(format!("https://{name}.{namespace}.svc:{port}/{path}"))
            }
            Place::Url(url) => {
                let uri: Uri = url.parse().map_err(|error| format!("Unparsable URL: {error}"))?;
                let authority = uri.authority().ok_or("Unparsable URL: it names no host")?;
                Ok(format!("https://{authority}{}", uri.path()))
            }
        }
    }

    fn peer(&self, services: &Services, uri: &Uri) -> Result<Peer, String> {
        let host = uri.host().unwrap_or_default();
        let address = match &self.place {
            Place::Service { namespace, name, port, .. } => services
                .find(namespace, name, *port)
                .ok_or_else(|| format!("no endpoints available for service {name:?}"))?
                .to_string(),
            Place::Url(_) => format!("{host}:{}", uri.port_u16().unwrap_or(443)),
        };
        let server_name = host.trim_start_matches('[').trim_end_matches(']').to_owned();
        Ok(Peer { address, server_name, ca_bundle: self.ca_bundle.clone() })
    }

    /// Whether HTTP/2 is offered: for URLs on loopback only, as kube-apiserver does, so that calls
    /// of services are spread over their endpoints.
    fn allows_http2(&self, peer: &Peer) -> bool {
        let name = peer.server_name.as_str();
        let loopback = name.eq_ignore_ascii_case("localhost")
            || name.parse::<std::net::IpAddr>().is_ok_and(|address| address.is_loopback());
        matches!(self.place, Place::Url(_)) && loopback
    }
}

impl Clients {
    /// POSTs a body and returns the body of the answer. `timeout` bounds the whole call.
    ///
    /// # Errors
    /// Why the call failed, in the words of kube-apiserver.
    pub async fn post(
        &self,
        services: &Services,
        config: &ClientConfig,
        body: Bytes,
        timeout: Duration,
    ) -> Result<Bytes, String> {
        let seconds = timeout.as_secs() + u64::from(timeout.subsec_nanos() > 0);
        let url = format!("{}?timeout={seconds}s", config.url()?);
        let failed = |why: String| format!("failed to call webhook: Post {url:?}: {why}");
        let uri: Uri = url.parse().map_err(|error| format!("Unparsable URL: {error}"))?;
        let peer = config.peer(services, &uri).map_err(failed)?;
        let client = self.client(config, &peer).map_err(|why| format!("could not get REST client: {why}"))?;
        // In a task of its own: a large request that waits for its turn takes no time of the webhook's.
        // Dropping the set ends the call.
        let mut call = JoinSet::new();
        call.spawn(tokio::time::timeout(timeout, async move { ask(&client, &uri, &peer, body).await }));
        match call.join_next().await {
            Some(Ok(Ok(Ok(answer)))) => Ok(answer),
            Some(Ok(Ok(Err(CallError::Transport(why))))) => Err(failed(why)),
            Some(Ok(Ok(Err(CallError::Answer(why))))) => Err(format!("failed to call webhook: {why}")),
            Some(Ok(Err(_))) => Err(failed("context deadline exceeded".to_owned())),
            Some(Err(_)) | None => Err(failed("the call did not end".to_owned())),
        }
    }

    /// Closes the connections that none of these configurations needs.
    pub fn keep<'a>(&self, configs: impl Iterator<Item = &'a ClientConfig>) {
        let needed: Vec<(String, &Arc<[u8]>)> = configs
            .filter_map(|config| {
                let uri: Uri = config.url().ok()?.parse().ok()?;
                Some((uri.host()?.trim_matches(['[', ']']).to_owned(), &config.ca_bundle))
            })
            .collect();
        let mut clients = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        clients.retain(|peer, _| {
            needed.iter().any(|(name, bundle)| *name == peer.server_name && **bundle == peer.ca_bundle)
        });
    }

    fn client(&self, config: &ClientConfig, peer: &Peer) -> Result<Client, String> {
        let mut clients = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(client) = clients.get(peer) {
            return Ok(client.clone());
        }
        let name = ServerName::try_from(peer.server_name.clone())
            .map_err(|error| format!("{:?} is no server name: {error}", peer.server_name))?;
        let mut http = HttpConnector::new();
        http.enforce_http(false);
        http.set_nodelay(true);
        let builder = HttpsConnectorBuilder::new()
            .with_tls_config(tls::trusting(&peer.ca_bundle)?)
            .https_only()
            .with_server_name_resolver(FixedServerNameResolver::new(name));
        let connector = if config.allows_http2(peer) {
            builder.enable_all_versions().wrap_connector(http)
        } else {
            builder.enable_http1().wrap_connector(http)
        };
        let client = Pool::builder(TokioExecutor::new()).build(connector);
        clients.insert(peer.clone(), client.clone());
        Ok(client)
    }
}

#[derive(Debug)]
enum CallError {
    /// There was no answer.
    Transport(String),
    /// The answer was an error, or unreadable.
    Answer(String),
}

/// Calls the webhook, and calls it again later when it answers with `Retry-After`.
async fn ask(client: &Client, uri: &Uri, peer: &Peer, body: Bytes) -> Result<Bytes, CallError> {
    let mut attempts = 0;
    loop {
        let response = send(client, uri, peer, body.clone()).await?;
        match retry_after(&response) {
            Some(pause) if attempts < RETRIES => tokio::time::sleep_until(Instant::now() + pause).await,
            _ => return read(response).await,
        }
        attempts += 1;
    }
}

async fn send(client: &Client, uri: &Uri, peer: &Peer, body: Bytes) -> Result<Response<Incoming>, CallError> {
    let transport = |why: String| CallError::Transport(why);
    let path = uri.path_and_query().map_or("/", |path| path.as_str());
    let request = Request::post(format!("https://{}{path}", peer.address))
        .header(HOST, uri.authority().map_or("", |authority| authority.as_str()))
        .header(CONTENT_TYPE, "application/json")
        .header(ACCEPT, "application/json, */*")
        .header(USER_AGENT, "kube-apiserver-admission")
        .body(Full::new(body))
        .map_err(|error| transport(error.to_string()))?;
    client.request(request).await.map_err(|error| transport(tls::explain(&error, &peer.address)))
}

/// The `Retry-After` of an answer that means "later": 429 or a server error.
fn retry_after(response: &Response<Incoming>) -> Option<Duration> {
    let status = response.status();
    if status != StatusCode::TOO_MANY_REQUESTS && !status.is_server_error() {
        return None;
    }
    let seconds = response.headers().get(RETRY_AFTER)?.to_str().ok()?.parse().ok()?;
    Some(Duration::from_secs(seconds))
}

async fn read(response: Response<Incoming>) -> Result<Bytes, CallError> {
    let (parts, body) = response.into_parts();
    let unreadable = |error: Box<dyn Error + Send + Sync>| {
        CallError::Answer(format!(
            "unexpected error when reading response body. Please retry. Original error: {error}"
        ))
    };
    let body = Limited::new(body, LARGEST_ANSWER).collect().await.map_err(unreadable)?.to_bytes();
    let content_type = parts.headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok());
    let content_type = content_type.unwrap_or_default();
    if !(200..=206).contains(&parts.status.as_u16()) {
        return Err(CallError::Answer(unexpected(parts.status, content_type, &body)));
    }
    if body.is_empty() {
        return Err(CallError::Answer(format!(
            "0-length response with status code: {} and content type: {content_type}",
            parts.status.as_u16()
        )));
    }
    Ok(body)
}

/// The message of client-go about an answer that is an error
/// (`apierrors.NewGenericServerResponse`).
fn unexpected(status: StatusCode, content_type: &str, body: &[u8]) -> String {
    if let Ok(Value::Object(answer)) = serde_json::from_slice(body)
        && answer.get("status").and_then(Value::as_str) == Some("Failure")
        && let Some(message) = answer.get("message").and_then(Value::as_str)
    {
        return message.to_owned();
    }
    let is_text = content_type.is_empty() || content_type.starts_with("text/");
    let quoted = body.get(..QUOTED).unwrap_or(body);
    let said = if is_text { String::from_utf8_lossy(quoted).trim().to_owned() } else { "unknown".to_owned() };
    match status.as_u16() {
        400 => "the server rejected our request for an unknown reason".to_owned(),
        401 => "the server has asked for the client to provide credentials".to_owned(),
        403 | 415 => said,
        404 => "the server could not find the requested resource".to_owned(),
        405 => "the server does not allow this method on the requested resource".to_owned(),
        409 => "the server reported a conflict".to_owned(),
        422 => "the server rejected our request due to an error in our request".to_owned(),
        429 => "the server has received too many requests and has asked us to try again later".to_owned(),
        503 => "the server is currently unable to handle the request".to_owned(),
        504 => "the server was unable to return a response in the time allotted, but may still be processing the request"
            .to_owned(),
        500.. => format!("an error on the server ({said:?}) has prevented the request from succeeding"),
        code => format!("the server responded with the status code {code} but did not return more information"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn service(path: &str) -> ClientConfig {
        let (namespace, name) = ("hooks".to_owned(), "hook".to_owned());
        let place = Place::Service { namespace, name, port: 443, path: path.to_owned() };
        ClientConfig { place, ca_bundle: Arc::default() }
    }

    fn by_url(url: &str) -> ClientConfig {
        ClientConfig { place: Place::Url(url.to_owned()), ca_bundle: Arc::default() }
    }

    #[tokio::test]
    async fn a_service_without_a_route_has_no_endpoints() {
        let (clients, services, config) = (Clients::default(), Services::default(), service("/mutate"));
        let answer = clients.post(&services, &config, Bytes::new(), Duration::from_secs(5)).await;
        assert_eq!(
            answer.unwrap_err(),
            "failed to call webhook: Post \"https://hook.hooks.svc:443/mutate?timeout=5s\": no \
             endpoints available for service \"hook\""
        );
    }

    #[tokio::test]
    async fn a_call_goes_on_while_its_request_waits_for_a_turn() {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let config = by_url(&format!("https://{}/", listener.local_addr().unwrap()));
        let (clients, services) = (Clients::default(), Services::default());
        let call = clients.post(&services, &config, Bytes::new(), Duration::from_secs(30));
        let mut call = std::pin::pin!(call);
        // From here on nobody polls the call.
        assert!(futures::poll!(call.as_mut()).is_pending());
        let received = async {
            let (mut stream, _) = listener.accept().await.unwrap();
            tokio::io::AsyncReadExt::read_u8(&mut stream).await.unwrap()
        };
        let first = tokio::time::timeout(Duration::from_secs(20), received).await.expect("it goes on");
        assert_eq!(first, 22, "the first byte of a TLS handshake");
    }

    #[test]
    fn peers_are_found_by_route_or_url() {
        let services = Services::default();
        services.route("hooks", "hook", 443, "127.0.0.1:9443".parse().unwrap());
        let peer = |config: &ClientConfig| {
            let uri: Uri = config.url().unwrap().parse().unwrap();
            config
                .peer(&services, &uri)
                .map(|peer| (peer.address.clone(), peer.server_name.clone(), config.allows_http2(&peer)))
        };
        let expected = |address: &str, name: &str, http2| Ok((address.to_owned(), name.to_owned(), http2));
        assert_eq!(peer(&service("")), expected("127.0.0.1:9443", "hook.hooks.svc", false));
        assert_eq!(peer(&by_url("https://h.example/x")), expected("h.example:443", "h.example", false));
        assert_eq!(peer(&by_url("https://[::1]:8/x")), expected("[::1]:8", "::1", true));
        assert_eq!(peer(&by_url("https://localhost:8")), expected("localhost:8", "localhost", true));
        services.remove("hooks", "hook", 443);
        assert!(peer(&service("")).is_err());
    }

    #[test]
    fn unneeded_connections_are_closed() {
        let (clients, services) = (Clients::default(), Services::default());
        let (first, second) = (by_url("https://127.0.0.1:8/x"), by_url("https://h.example/y"));
        for config in [&first, &second] {
            let uri: Uri = config.url().unwrap().parse().unwrap();
            clients.client(config, &config.peer(&services, &uri).unwrap()).unwrap();
        }
        clients.keep([&first, &second].into_iter());
        assert_eq!(clients.0.lock().unwrap().len(), 2);
        let renewed = ClientConfig { ca_bundle: Arc::from(*b"new"), ..by_url("https://127.0.0.1:8/x") };
        clients.keep([&renewed, &second].into_iter());
        assert_eq!(clients.0.lock().unwrap().keys().next().unwrap().server_name, "h.example");
        clients.keep(std::iter::empty());
        assert!(clients.0.lock().unwrap().is_empty());
    }

    #[test]
    fn bad_answers_are_worded_like_client_gos() {
        let say = |code: u16, content_type: &str, body: &str| {
            unexpected(StatusCode::from_u16(code).unwrap(), content_type, body.as_bytes())
        };
        assert_eq!(
            say(500, "text/plain", "oh\n"),
            "an error on the server (\"oh\") has prevented the request from succeeding"
        );
        assert_eq!(
            say(502, "text/html", "<p>"),
            "an error on the server (\"<p>\") has prevented the request from succeeding"
        );
        assert_eq!(say(404, "", ""), "the server could not find the requested resource");
        assert_eq!(
            say(302, "", ""),
            "the server responded with the status code 302 but did not return more information"
        );
        let status = r#"{"kind":"Status","status":"Failure","message":"mine"}"#;
        assert_eq!(say(500, "application/json", status), "mine");
    }
}
