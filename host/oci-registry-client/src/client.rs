//! Requests to a registry: authorized, repeated after a challenge, and redirected.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use bytes::Bytes;
use http_body_util::{BodyExt, Limited};
use hyper::body::Incoming;
use hyper::header::{AUTHORIZATION, CONTENT_TYPE, HeaderValue, LOCATION};
use hyper::{HeaderMap, Method, Response, StatusCode};
use tokio::sync::OnceCell;
use url::Url;

use crate::access::Access;
use crate::authenticator::{Authenticator, Authorization};
use crate::challenge::Challenge;
use crate::credentials::Credentials;
use crate::endpoint::Endpoint;
use crate::error::Error;
use crate::network::Network;
use crate::policy::TransferPolicy;
use crate::response::{self, Identity};
use crate::token::TokenRequest;
use crate::transport::{Body, Transport, empty, full};

/// Longest text of an error or token that is read, in bytes.
const MAX_TEXT: usize = 64 * 1024;
/// Largest number of redirects of one request.
const MAX_REDIRECTS: usize = 5;

/// A client of one registry. Clones share connections and tokens.
#[derive(Clone)]
pub struct Client {
    inner: Arc<Inner>,
}

struct Inner {
    transport: Transport,
    authenticator: Authenticator,
    policy: TransferPolicy,
    /// Whether the registry was asked at `/v2/` how it wants to be authenticated.
    probe: OnceCell<()>,
    /// Largest body that the registry or a proxy in front of it is known to take, in bytes.
    body_limit: AtomicU64,
}

impl Client {
    /// A client of the registry at `endpoint`, through the forward proxies of the environment.
    /// Nothing is sent yet.
    pub fn new(endpoint: Endpoint, credentials: Credentials, policy: TransferPolicy) -> Self {
        Client::with_network(endpoint, credentials, policy, Network::from_environment())
    }

    /// As [`Client::new`], with another network.
    pub fn with_network(
        endpoint: Endpoint,
        credentials: Credentials,
        policy: TransferPolicy,
        network: Network,
    ) -> Self {
        Client::authenticated(endpoint, Authenticator::new(credentials), policy, network)
    }

    /// As [`Client::with_network`], with credentials that are read again before each request: those of
    /// a mounted Secret may be replaced while the client works. Where they cannot be read, those before
    /// stay in use. `read` must not take long.
    ///
    /// # Errors
    /// As the first reading.
    pub fn rereading(
        endpoint: Endpoint,
        read: impl Fn() -> Result<Credentials, String> + Send + Sync + 'static,
        policy: TransferPolicy,
        network: Network,
    ) -> Result<Self, String> {
        let authenticator = Authenticator::new(read()?).rereading(Box::new(move || read().ok()));
        Ok(Client::authenticated(endpoint, authenticator, policy, network))
    }

    fn authenticated(
        endpoint: Endpoint,
        authenticator: Authenticator,
        policy: TransferPolicy,
        network: Network,
    ) -> Self {
        let inner = Inner {
            transport: Transport::new(endpoint, network),
            authenticator,
            policy,
            probe: OnceCell::new(),
            body_limit: AtomicU64::new(u64::MAX),
        };
        Client { inner: Arc::new(inner) }
    }

    /// Where the registry is.
    pub fn endpoint(&self) -> &Endpoint {
        self.inner.transport.endpoint()
    }

    /// How long it waits.
    pub fn policy(&self) -> TransferPolicy {
        self.inner.policy
    }

    /// Largest body that may be sent in one request, as far as is known.
    pub(crate) fn body_limit(&self) -> u64 {
        self.inner.body_limit.load(Ordering::Relaxed)
    }

    /// Remembers that larger bodies are refused.
    pub(crate) fn limit_bodies(&self, bytes: u64) {
        self.inner.body_limit.fetch_min(bytes, Ordering::Relaxed);
    }

    /// Sends a request without a body, with authorization. Redirects of GET and HEAD are followed,
    /// and those of POST that keep the method (307 and 308, RFC 9110, 15.4). Another host gets no
    /// credentials. Any other answer of the registry is returned.
    ///
    /// # Errors
    /// When no answer comes, or a redirect leads from https to http.
    pub async fn request(
        &self,
        access: &Access,
        method: &Method,
        url: &Url,
        headers: &HeaderMap,
    ) -> Result<Response<Incoming>, Error> {
        let mut at = url.clone();
        for _ in 0..=MAX_REDIRECTS {
            let response = self.request_with(access, method, &at, headers, &Bytes::new()).await?;
            let follows = match *method {
                Method::GET | Method::HEAD => response.status().is_redirection(),
                Method::POST => matches!(response.status().as_u16(), 307 | 308),
                _ => false,
            };
            let next = response::header(response.headers(), LOCATION).filter(|_| follows);
            let Some(next) = next.and_then(|next| self.endpoint().redirect(next, &at)) else {
                return Ok(response);
            };
            if self.endpoint().is_encrypted() && next.scheme() == "http" {
                return Err(Error::protocol(url.path(), "the registry redirects from https to plain http"));
            }
            at = next;
        }
        Err(Error::protocol(url.path(), "the registry redirects too often"))
    }

    /// Sends a request whose body is in memory, so that it can be repeated until it is authorized.
    pub(crate) async fn request_with(
        &self,
        access: &Access,
        method: &Method,
        url: &Url,
        headers: &HeaderMap,
        body: &Bytes,
    ) -> Result<Response<Incoming>, Error> {
        let send = || self.send_once(access, method, url, headers.clone(), full(body.clone()));
        // The second attempt answers the challenge. The third one replaces a token that turned out
        // to be revoked, or a password that was replaced meanwhile.
        for _ in 0..2 {
            let (response, is_worth_another) = send().await?;
            if !is_worth_another {
                return Ok(response);
            }
        }
        send().await.map(|(response, _)| response)
    }

    /// Sends a request whose body can be sent only once, with the authorization that is known. The
    /// second value says whether the same request may succeed now, since the registry has said
    /// meanwhile how it wants to be authenticated.
    ///
    /// # Errors
    /// When no answer comes.
    pub async fn send_once(
        &self,
        access: &Access,
        method: &Method,
        url: &Url,
        mut headers: HeaderMap,
        body: Body,
    ) -> Result<(Response<Incoming>, bool), Error> {
        headers.remove(AUTHORIZATION);
        let authorization = self.authorization(access, url).await?;
        let was_sent = authorization.is_some();
        if let Some(authorization) = authorization.clone() {
            headers.insert(AUTHORIZATION, authorization);
        }
        let response = self.inner.transport.send(method, url, headers, body).await?;
        let is_worth_another = match response.status() {
            StatusCode::UNAUTHORIZED => {
                self.learn(access, url, &response, was_sent)
                    || self.probe(access, url, was_sent).await
                    || self.inner.authenticator.has_other_password(access, authorization.as_ref())
            }
            StatusCode::FORBIDDEN | StatusCode::NOT_FOUND => self.probe(access, url, was_sent).await,
            _ => false,
        };
        Ok((response, is_worth_another))
    }

    /// The `Authorization` header for an address: none for another host, and none where a proxy
    /// adds it.
    async fn authorization(&self, access: &Access, url: &Url) -> Result<Option<HeaderValue>, Error> {
        if !self.endpoint().is_own(url) || self.endpoint().socket().is_some() {
            return Ok(None);
        }
        match self.inner.authenticator.authorization(access, Instant::now()) {
            Authorization::None => Ok(None),
            Authorization::Header(header) => Ok(Some(header)),
            // The new token serves for this request, however short its life is.
            Authorization::Request(request) => self.token(access, request).await.map(Some),
        }
    }

    /// Learns from a 401. Returns whether the same request may succeed now.
    fn learn(&self, access: &Access, url: &Url, response: &Response<Incoming>, was_sent: bool) -> bool {
        self.endpoint().is_own(url)
            && self.inner.authenticator.learn(Challenge::read_all(response.headers()), access, was_sent)
    }

    /// Asks the registry at `/v2/` how it wants to be authenticated. Some registries hide private
    /// repositories from anonymous requests and answer 403 or 404 without a challenge. Returns
    /// whether the same request may succeed now.
    async fn probe(&self, access: &Access, url: &Url, was_sent: bool) -> bool {
        let authenticator = &self.inner.authenticator;
        let is_useful = !was_sent
            && self.endpoint().is_own(url)
            && self.endpoint().socket().is_none()
            && authenticator.has_secret(access.action);
        if !is_useful {
            return false;
        }
        let root = self.endpoint().at("/v2/");
        let probe = async || {
            let sent = self.inner.transport.send(&Method::GET, &root, HeaderMap::new(), empty());
            let response = self.within_stall_limit(&root, sent).await?;
            if response.status() == StatusCode::UNAUTHORIZED && !authenticator.is_challenged() {
                self.learn(access, &root, &response, false);
            }
            Ok::<_, Error>(())
        };
        // Where the probe fails the answer to the request itself counts.
        let _ = self.inner.probe.get_or_try_init(probe).await;
        authenticator.is_challenged()
    }

    /// Requests a token. The token service may be another host. It gets credentials over https
    /// only, unless the registry itself speaks plain http.
    async fn token(&self, access: &Access, request: TokenRequest) -> Result<HeaderValue, Error> {
        let what = format!("a token for {}", access.repository);
        let mut url = Url::parse(&request.realm).map_err(|_| {
            Error::protocol(&what, format!("\"{}\" is no address of a token service", request.realm))
        })?;
        let is_safe = match url.scheme() {
            "https" => true,
            "http" => !self.endpoint().is_encrypted(),
            _ => false,
        };
        if !is_safe {
            let kind = if request.has_credentials() { "credentials" } else { "requests" };
            let why = format!(
                "the token service {} is not encrypted, although the registry is: it gets no {kind}",
                request.realm
            );
            return Err(Error::protocol(&what, why));
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
        let sent = self.inner.transport.send(&method, &url, headers, body);
        let response = self.within_stall_limit(&url, sent).await?;
        let response = self.succeeded(&what, access, response).await?;
        let answer = self.read_body(response, MAX_TEXT).await?;
        let kept = self.inner.authenticator.keep(access, &answer, Instant::now());
        kept.map_err(|why| Error::protocol(&what, why))
    }

    /// Bounds the wait for the answer to a request that was sent completely.
    pub(crate) async fn within_stall_limit<T>(
        &self,
        url: &Url,
        answer: impl Future<Output = Result<T, Error>>,
    ) -> Result<T, Error> {
        match tokio::time::timeout(self.inner.policy.stall, answer).await {
            Ok(answer) => answer,
            Err(_) => Err(self.stalled(url)),
        }
    }

    /// The error of a connection on which nothing is transferred.
    pub(crate) fn stalled(&self, url: &Url) -> Error {
        let seconds = self.inner.policy.stall.as_secs();
        let endpoint = self.inner.transport.tried(url);
        Error::Unreachable { endpoint, why: format!("nothing came for {seconds} s") }
    }

    /// The error of a connection that was lost.
    pub(crate) fn unreachable(&self, url: &Url, error: &(dyn std::error::Error + 'static)) -> Error {
        self.inner.transport.unreachable(url, error)
    }

    /// Reads a body of at most `limit` bytes.
    pub(crate) async fn read_body(&self, response: Response<Incoming>, limit: usize) -> Result<Bytes, Error> {
        let root = self.endpoint().at("/");
        let read = async {
            match Limited::new(response.into_body(), limit).collect().await {
                Ok(body) => Ok(body.to_bytes()),
                Err(error) if error.is::<http_body_util::LengthLimitError>() => {
                    Err(Error::protocol("the registry's answer", format!("it is longer than {limit} bytes")))
                }
                Err(error) => Err(self.unreachable(&root, error.as_ref())),
            }
        };
        self.within_stall_limit(&root, read).await
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
        let after: Option<Duration> = response::retry_after(response.headers());
        // Only the credential proxy may speak in this header.
        let reason = response.headers().get(response::REASON).filter(|_| self.endpoint().socket().is_some());
        let reason = reason.map(|reason| String::from_utf8_lossy(reason.as_bytes()).into_owned());
        let body = self.read_body(response, MAX_TEXT).await.unwrap_or_default();
        let identity = if self.endpoint().socket().is_some() {
            Identity::Proxy
        } else if self.inner.authenticator.has_secret(access.action) {
            Identity::Given
        } else {
            Identity::Anonymous
        };
        Err(response::failure(what, status, after, &body, reason.as_deref(), &identity))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::credentials::Secret;

    /// Security: a token service that is not encrypted gets neither a password nor a refresh token
    /// from an encrypted registry.
    #[tokio::test]
    async fn security_credentials_do_not_go_to_a_token_service_without_encryption() {
        let password = Secret::Password("ann".to_owned(), "hunter2".to_owned());
        for secret in [password, Secret::Identity("hunter2".to_owned())] {
            let endpoint = Endpoint::parse("https://registry.invalid").unwrap();
            let policy = TransferPolicy::patient(Duration::ZERO);
            let client = Client::new(endpoint, Credentials::both(secret.clone()), policy);
            for realm in ["http://auth.invalid/token", "ftp://auth.invalid/token", "/token"] {
                let request = TokenRequest::new(realm, None, &Access::pull("a"), Some(&secret));
                let error = client.token(&Access::pull("a"), request).await.unwrap_err();
                // Nothing was sent: a request would fail since there is no such host.
                assert!(matches!(error, Error::Protocol { .. }), "{error}");
                assert!(!error.to_string().contains("hunter2"), "{error}");
            }
        }
    }
}
