//! Requests to a registry: sent, authorized, redirected, and their failures told apart.

use std::io;
use std::path::PathBuf;
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use bytes::Bytes;
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt, Empty, Full, Limited};
use hyper::body::Incoming;
use hyper::header::{AUTHORIZATION, CONTENT_TYPE, HOST, HeaderValue, LOCATION, RETRY_AFTER};
use hyper::{HeaderMap, Method, Request, Response, StatusCode};
use hyper_rustls::HttpsConnector;
use hyper_util::client::legacy::Client as Pool;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::{TokioExecutor, TokioTimer};
use url::Url;

use crate::auth::{Access, Authenticator, Authorization, Credentials, TokenRequest};
use crate::challenge::Challenge;
use crate::connect::{self, SearchingResolver, SocketConnector};
use crate::endpoint::Endpoint;
use crate::error::{self, Error};

/// Body of a request.
pub type Body = UnsyncBoxBody<Bytes, io::Error>;

/// No body.
pub fn empty() -> Body {
    Empty::new().map_err(|never| match never {}).boxed_unsync()
}

/// A body in memory.
pub fn full(bytes: impl Into<Bytes>) -> Body {
    Full::new(bytes.into()).map_err(|never| match never {}).boxed_unsync()
}

/// How long things may last.
#[derive(Clone, Copy, Debug)]
pub struct Policy {
    /// What can pass is tried again until nothing has moved for so long.
    pub patience: Duration,
    /// A connection on which nothing moves for so long is given up.
    pub stall: Duration,
}

impl Default for Policy {
    fn default() -> Self {
        Policy { patience: Duration::from_secs(120), stall: Duration::from_secs(60) }
    }
}

impl Policy {
    /// A policy that gives up when nothing has moved for so long, also on a connection that stays open: patience that is
    /// shorter than a stall would not be heeded otherwise.
    pub fn patient(patience: Duration) -> Self {
        let stall = Policy::default().stall.min(patience).max(MIN_STALL);
        Policy { patience, stall }
    }
}

/// Answers may take so long, however impatient somebody is.
const MIN_STALL: Duration = Duration::from_secs(1);
/// Longest text of an error or token that is read.
const MAX_TEXT: usize = 64 * 1024;
/// Redirects of one request.
const MAX_REDIRECTS: usize = 5;
/// Idle connections do not outlive those of common load balancers.
const IDLE: Duration = Duration::from_secs(20);

type Plain = Pool<HttpConnector<SearchingResolver>, Body>;
type Encrypted = Pool<HttpsConnector<HttpConnector<SearchingResolver>>, Body>;

enum Connections {
    /// Certificates are read when the first encrypted connection is made: that takes longer than a small transfer.
    Tcp(Plain, OnceLock<Box<Encrypted>>),
    Socket(Pool<SocketConnector, Body>),
}

fn pool() -> hyper_util::client::legacy::Builder {
    let mut builder = Pool::builder(TokioExecutor::new());
    builder.pool_timer(TokioTimer::new()).pool_idle_timeout(IDLE);
    builder
}

/// A registry. Clones share connections and tokens.
#[derive(Clone)]
pub struct Client {
    inner: Arc<Inner>,
}

struct Inner {
    endpoint: Endpoint,
    connections: Connections,
    authenticator: Authenticator,
    policy: Policy,
}

impl Client {
    /// A client of one registry. Nothing is sent yet.
    pub fn new(endpoint: Endpoint, credentials: Credentials, policy: Policy) -> Self {
        let connections = match endpoint.socket().map(PathBuf::from) {
            Some(path) => Connections::Socket(pool().build(SocketConnector(Arc::new(path)))),
            None => Connections::Tcp(pool().build(connect::plain()), OnceLock::new()),
        };
        let authenticator = Authenticator::new(credentials);
        Client { inner: Arc::new(Inner { endpoint, connections, authenticator, policy }) }
    }

    /// Where it is.
    pub fn endpoint(&self) -> &Endpoint {
        &self.inner.endpoint
    }

    pub(crate) fn policy(&self) -> Policy {
        self.inner.policy
    }

    /// Sends a request with an empty body, authorized. Redirects of GET and HEAD are followed, without credentials elsewhere.
    /// Whatever the registry answers is returned; waiting for its head is bounded.
    ///
    /// # Errors
    /// When no answer comes.
    pub async fn ask(
        &self,
        access: &Access,
        method: &Method,
        url: &Url,
        headers: &HeaderMap,
    ) -> Result<Response<Incoming>, Error> {
        let mut response = self.authorized(access, method, url, headers, &Bytes::new()).await?;
        let mut at = url.clone();
        if !matches!(*method, Method::GET | Method::HEAD) {
            return Ok(response);
        }
        for _ in 0..MAX_REDIRECTS {
            if !response.status().is_redirection() {
                return Ok(response);
            }
            let location = response.headers().get(LOCATION).and_then(|location| location.to_str().ok());
            let Some(next) = location.and_then(|location| self.inner.endpoint.locate(location, &at)) else {
                return Ok(response);
            };
            if self.inner.endpoint.is_encrypted() && next.scheme() == "http" {
                return Err(Error::protocol(url.path(), "the registry redirects from https to plain http"));
            }
            response = self.authorized(access, method, &next, headers, &Bytes::new()).await?;
            at = next;
        }
        Err(Error::protocol(url.path(), "the registry redirects too often"))
    }

    /// Sends a request whose body is in memory until it is authorized.
    pub(crate) async fn authorized(
        &self,
        access: &Access,
        method: &Method,
        url: &Url,
        headers: &HeaderMap,
        body: &Bytes,
    ) -> Result<Response<Incoming>, Error> {
        let send = || self.send(access, method, url, headers.clone(), full(body.clone()));
        // Once to learn the challenge, once more where a token that was kept turned out to be revoked.
        for _ in 0..2 {
            let (response, is_worth_another) = send().await?;
            if !is_worth_another {
                return Ok(response);
            }
        }
        send().await.map(|(response, _)| response)
    }

    /// Sends a request with a body, authorized with what is known: a body cannot be sent twice. After a 401 the
    /// next request may succeed, which the second value tells.
    ///
    /// # Errors
    /// When no answer comes.
    pub async fn send(
        &self,
        access: &Access,
        method: &Method,
        url: &Url,
        headers: HeaderMap,
        body: Body,
    ) -> Result<(Response<Incoming>, bool), Error> {
        let (response, sent) = self.once(access, method, url, headers, body).await?;
        let is_worth_another =
            response.status() == StatusCode::UNAUTHORIZED && self.is_answerable(access, url, &response, sent);
        Ok((response, is_worth_another))
    }

    /// Learns from a 401.
    fn is_answerable(&self, access: &Access, url: &Url, response: &Response<Incoming>, sent: bool) -> bool {
        self.inner.endpoint.is_own(url)
            && Challenge::read(response.headers())
                .is_some_and(|challenge| self.inner.authenticator.learn(challenge, access, sent))
    }

    /// One request and its answer, and whether it carried an authorization.
    async fn once(
        &self,
        access: &Access,
        method: &Method,
        url: &Url,
        mut headers: HeaderMap,
        body: Body,
    ) -> Result<(Response<Incoming>, bool), Error> {
        headers.remove(HOST);
        let mut sent = false;
        if self.inner.endpoint.is_own(url) && self.inner.endpoint.socket().is_none() {
            match self.inner.authenticator.authorization(access, Instant::now()) {
                Authorization::None => {}
                Authorization::Header(header) => sent = headers.insert(AUTHORIZATION, header).is_none(),
                Authorization::Ask(request) => {
                    // However short it lives, it serves for this request.
                    let header = self.token(access, request).await?;
                    sent = headers.insert(AUTHORIZATION, header).is_none();
                }
            }
        }
        self.dispatch(method, url, headers, body).await.map(|response| (response, sent))
    }

    async fn dispatch(
        &self,
        method: &Method,
        url: &Url,
        headers: HeaderMap,
        body: Body,
    ) -> Result<Response<Incoming>, Error> {
        let mut request = Request::new(body);
        *request.method_mut() = method.clone();
        *request.uri_mut() = url
            .as_str()
            .parse()
            .map_err(|_| Error::protocol(url.path(), "the address cannot be asked for"))?;
        *request.headers_mut() = headers;
        let answer = async {
            match &self.inner.connections {
                Connections::Tcp(_, encrypted) if url.scheme() == "https" => {
                    encrypted
                        .get_or_init(|| Box::new(pool().build(connect::encrypted())))
                        .request(request)
                        .await
                }
                Connections::Tcp(plain, _) => plain.request(request).await,
                Connections::Socket(pool) => pool.request(request).await,
            }
        };
        answer.await.map_err(|error| self.unreachable(&error))
    }

    /// The error of a connection. What rustls says about a certificate will not pass.
    pub(crate) fn unreachable(&self, error: &(dyn std::error::Error + 'static)) -> Error {
        let endpoint = match self.inner.endpoint.socket() {
            Some(socket) => format!("{} (through {})", self.inner.endpoint, socket.display()),
            None => self.inner.endpoint.to_string(),
        };
        let why = error::causes(error);
        let is_lasting = error::find::<rustls::Error>(error).is_some_and(|error| {
            !matches!(
                error,
                rustls::Error::General(_) | rustls::Error::DecryptError | rustls::Error::AlertReceived(_)
            )
        });
        let is_parse = error::find::<hyper::Error>(error).is_some_and(hyper::Error::is_parse);
        if is_lasting || is_parse {
            Error::Untrusted { endpoint, why }
        } else {
            Error::Unreachable { endpoint, why }
        }
    }

    /// Asks a token service. Credentials do not go from an encrypted registry to one that is not.
    async fn token(&self, access: &Access, request: TokenRequest) -> Result<HeaderValue, Error> {
        let what = format!("a token for {}", access.repository);
        let mut url = Url::parse(&request.realm).map_err(|_| {
            Error::protocol(&what, format!("\"{}\" is no address of a token service", request.realm))
        })?;
        if self.inner.endpoint.is_encrypted() && url.scheme() != "https" {
            return Err(Error::protocol(
                &what,
                format!("the token service {} is not encrypted", request.realm),
            ));
        }
        if !request.query.is_empty() {
            url.query_pairs_mut().extend_pairs(&request.query);
        }
        let mut headers = HeaderMap::new();
        if let Some(authorization) = request.authorization {
            headers.insert(AUTHORIZATION, authorization);
        }
        let (method, body) = match request.form {
            None => (Method::GET, empty()),
            Some(form) => {
                headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/x-www-form-urlencoded"));
                let form = url::form_urlencoded::Serializer::new(String::new()).extend_pairs(form).finish();
                (Method::POST, full(form))
            }
        };
        let response = self.answer_in_time(self.dispatch(&method, &url, headers, body)).await?;
        let response = self.succeeded(&what, access, response).await?;
        let answer = self.text(response).await?;
        self.inner
            .authenticator
            .keep(access, &answer, Instant::now())
            .map_err(|why| Error::protocol(&what, why))
    }

    /// Bounds the wait for an answer to something that was sent whole.
    pub(crate) async fn answer_in_time<T>(
        &self,
        answer: impl Future<Output = Result<T, Error>>,
    ) -> Result<T, Error> {
        match tokio::time::timeout(self.inner.policy.stall, answer).await {
            Ok(answer) => answer,
            Err(_) => Err(self.stalled()),
        }
    }

    /// The error of a connection on which nothing moves.
    pub(crate) fn stalled(&self) -> Error {
        let seconds = self.inner.policy.stall.as_secs();
        Error::Unreachable {
            endpoint: self.inner.endpoint.to_string(),
            why: format!("nothing came for {seconds} s"),
        }
    }

    /// A short body.
    async fn text(&self, response: Response<Incoming>) -> Result<Bytes, Error> {
        self.bounded(response, MAX_TEXT).await
    }

    /// A body of at most so many bytes.
    pub(crate) async fn bounded(&self, response: Response<Incoming>, limit: usize) -> Result<Bytes, Error> {
        let read = async {
            let body = Limited::new(response.into_body(), limit).collect().await;
            match body {
                Ok(body) => Ok(body.to_bytes()),
                Err(error) if error.is::<http_body_util::LengthLimitError>() => {
                    Err(Error::protocol("the registry's answer", format!("it is longer than {limit} bytes")))
                }
                Err(error) => Err(self.unreachable(error.as_ref())),
            }
        };
        self.answer_in_time(read).await
    }

    /// The response, if its status is a success; otherwise the error that it means.
    pub(crate) async fn succeeded(
        &self,
        what: &str,
        access: &Access,
        response: Response<Incoming>,
    ) -> Result<Response<Incoming>, Error> {
        let status = response.status();
        if status.is_success() {
            return Ok(response);
        }
        let after = response.headers().get(RETRY_AFTER).and_then(|value| value.to_str().ok()?.parse().ok());
        let detail = self.text(response).await.map(|body| detail(&body)).unwrap_or_default();
        let what = what.to_owned();
        Err(match status.as_u16() {
            408 | 429 | 500 | 502 | 503 | 504 => {
                Error::Busy { what, status, detail, after: after.map(Duration::from_secs) }
            }
            401 | 403 => {
                let hint = if self.inner.endpoint.socket().is_some() {
                    "check the Secret with ORAS_USER, ORAS_PULL_PASS and ORAS_PUSH_PASS"
                } else if self.inner.authenticator.has_secret(access.action) {
                    "check the credentials and what they may do"
                } else {
                    "it wants credentials, and none were given"
                };
                Error::Denied { what, status, detail, hint }
            }
            404 => Error::NotFound { what, detail },
            _ => Error::Refused { what, status, detail },
        })
    }
}

/// What the registry says about an error (distribution-spec, "Error Codes"), with a space in front. HTML pages say nothing.
fn detail(body: &[u8]) -> String {
    #[derive(serde::Deserialize)]
    struct Errors {
        errors: Vec<Item>,
    }
    #[derive(serde::Deserialize)]
    struct Item {
        #[serde(default)]
        code: String,
        #[serde(default)]
        message: String,
    }
    let Ok(Errors { errors }) = serde_json::from_slice(body) else { return String::new() };
    let sentences: Vec<String> = errors
        .iter()
        .map(|item| [item.code.as_str(), item.message.as_str()].into_iter().filter(|text| !text.is_empty()))
        .map(|texts| texts.collect::<Vec<_>>().join(": "))
        .filter(|text| !text.is_empty())
        .collect();
    if sentences.is_empty() {
        return String::new();
    }
    let text: String = sentences.join("; ").chars().filter(|c| !c.is_control()).take(500).collect();
    format!(" {text}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn errors_of_registries_are_read() {
        let body = br#"{"errors":[{"code":"MANIFEST_UNKNOWN","message":"manifest unknown","detail":{"Tag":"x"}},{"code":"X"}]}"#;
        assert_eq!(detail(body), " MANIFEST_UNKNOWN: manifest unknown; X");
        assert_eq!(detail(b"<html>502</html>"), "");
        assert_eq!(detail(br#"{"errors":[]}"#), "");
    }
}
