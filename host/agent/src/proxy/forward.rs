//! Sends what passes to the registry, with credentials, and brings back the answer without them.

use super::rules::{Rules, Verdict};
use super::sessions::Sessions;
use crate::log::Log;
use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::header::{
    ACCEPT, ACCEPT_RANGES, CONTENT_LENGTH, CONTENT_RANGE, CONTENT_TYPE, ETAG, HeaderName, HeaderValue,
    LOCATION, RANGE, RETRY_AFTER, USER_AGENT,
};
use hyper::{HeaderMap, Method, Request, Response, StatusCode};
use oci_registry_client::{Access, Body, Client, Error, Url};
use std::sync::Arc;

/// Headers of requests that a registry looks at.
const ASKED: [HeaderName; 6] = [ACCEPT, CONTENT_LENGTH, CONTENT_RANGE, CONTENT_TYPE, RANGE, USER_AGENT];
/// Headers of answers that a client looks at. Location is written anew.
const ANSWERED: [HeaderName; 7] =
    [ACCEPT_RANGES, CONTENT_LENGTH, CONTENT_RANGE, CONTENT_TYPE, ETAG, RANGE, RETRY_AFTER];
/// Digest of what was asked for or written (distribution-spec).
const DOCKER_CONTENT_DIGEST: HeaderName = HeaderName::from_static("docker-content-digest");

/// One registry and what may be done with it. Clones are the same.
#[derive(Clone)]
pub struct Forward {
    inner: Arc<Inner>,
}

struct Inner {
    client: Client,
    rules: Rules,
    sessions: Sessions,
    log: Log,
}

impl Forward {
    pub fn new(client: Client, rules: Rules, log: Log) -> Self {
        Forward { inner: Arc::new(Inner { client, rules, sessions: Sessions::default(), log }) }
    }

    /// Answers a request, whatever happens.
    pub async fn answer(&self, request: Request<Incoming>) -> Response<Body> {
        let (method, path) = (request.method().clone(), request.uri().path().to_owned());
        let response = self.decide(request).await;
        self.inner.log.debug(format_args!("{method} {path}: {}", response.status().as_u16()));
        response
    }

    async fn decide(&self, request: Request<Incoming>) -> Response<Body> {
        let path = request.uri().path().to_owned();
        let endpoint = self.inner.client.endpoint();
        match self.inner.rules.judge(request.method(), &path, request.uri().query()) {
            Verdict::Ping => said(StatusCode::OK, "", ""),
            Verdict::Refuse(sentence) => said(StatusCode::FORBIDDEN, "DENIED", &sentence),
            Verdict::Pass(access) => {
                let url = endpoint.at(&path);
                self.pass(&access, request, &url).await
            }
            Verdict::Begin { access, query } => {
                let url = endpoint.at(&format!("{path}?{query}"));
                let answer = self.pass_bare(&access, &request, &url).await;
                self.with_session(answer, &url, &path, None)
            }
            Verdict::Continue { access, session, query } => {
                let Some(mut url) = self.inner.sessions.find(&session) else {
                    return said(
                        StatusCode::NOT_FOUND,
                        "BLOB_UPLOAD_UNKNOWN",
                        "this upload was not begun here",
                    );
                };
                if !query.is_empty() {
                    let pairs: Vec<_> = oci_registry_client::query_pairs(&query).collect();
                    url.query_pairs_mut().extend_pairs(pairs);
                }
                let is_last = matches!(*request.method(), Method::PUT | Method::DELETE);
                let answer = self.send_through(&access, request, &url).await;
                if is_last && answer.as_ref().is_ok_and(|(response, _)| response.status().is_success()) {
                    self.inner.sessions.close(&session);
                }
                let uploads = path.strip_suffix(session.as_str()).unwrap_or_default();
                self.with_session(answer, &url, uploads, Some(&session))
            }
        }
    }

    /// Requests without a body are sent until they are authorized; redirects are followed here, where there may be a network.
    async fn pass(&self, access: &Access, request: Request<Incoming>, url: &Url) -> Response<Body> {
        match self.send_through(access, request, url).await {
            Ok((response, false)) => relay(response),
            Ok((_, true)) => another(),
            Err(error) => failed(&error),
        }
    }

    async fn send_through(
        &self,
        access: &Access,
        request: Request<Incoming>,
        url: &Url,
    ) -> Result<(Response<Incoming>, bool), Error> {
        if matches!(*request.method(), Method::PUT | Method::PATCH) {
            let (parts, body) = request.into_parts();
            let body = body.map_err(std::io::Error::other).boxed_unsync();
            return self
                .inner
                .client
                .send(access, &parts.method, url, chosen(&parts.headers, &ASKED), body)
                .await;
        }
        self.pass_bare(access, &request, url).await
    }

    async fn pass_bare(
        &self,
        access: &Access,
        request: &Request<Incoming>,
        url: &Url,
    ) -> Result<(Response<Incoming>, bool), Error> {
        let headers = chosen(request.headers(), &ASKED);
        self.inner.client.ask(access, request.method(), url, &headers).await.map(|response| (response, false))
    }

    /// The answer about an upload, with its name instead of its address.
    fn with_session(
        &self,
        answer: Result<(Response<Incoming>, bool), Error>,
        asked: &Url,
        uploads: &str,
        session: Option<&str>,
    ) -> Response<Body> {
        let response = match answer {
            Ok((response, false)) => response,
            Ok((_, true)) => return another(),
            Err(error) => return failed(&error),
        };
        // Only what is accepted goes on elsewhere; once an upload has ended its Location is that of the blob.
        let goes_on = matches!(response.status(), StatusCode::ACCEPTED | StatusCode::NO_CONTENT);
        let location = response.headers().get(LOCATION).and_then(|location| location.to_str().ok());
        let location = location.and_then(|location| self.inner.client.endpoint().locate(location, asked));
        let sessions = &self.inner.sessions;
        let name = match (location.filter(|_| goes_on), session) {
            (Some(url), None) => Some(sessions.open(url)),
            (Some(url), Some(session)) => {
                sessions.moved(session, url);
                Some(session.to_owned())
            }
            (None, session) => session.filter(|_| goes_on).map(str::to_owned),
        };
        let mut response = relay(response);
        if let Some(location) = name.and_then(|name| HeaderValue::from_str(&format!("{uploads}{name}")).ok())
        {
            response.headers_mut().insert(LOCATION, location);
        }
        response
    }
}

fn chosen(headers: &HeaderMap, names: &[HeaderName]) -> HeaderMap {
    let mut chosen = HeaderMap::new();
    for name in names {
        for value in headers.get_all(name) {
            chosen.append(name, value.clone());
        }
    }
    chosen
}

fn relay(response: Response<Incoming>) -> Response<Body> {
    let (parts, body) = response.into_parts();
    let mut headers = chosen(&parts.headers, &ANSWERED);
    if let Some(digest) = parts.headers.get(DOCKER_CONTENT_DIGEST) {
        headers.insert(DOCKER_CONTENT_DIGEST, digest.clone());
    }
    let mut response = Response::new(body.map_err(std::io::Error::other).boxed_unsync());
    *response.status_mut() = parts.status;
    *response.headers_mut() = headers;
    response
}

/// The registry wanted to be asked in another way, which it is from now on. What was sent must be sent again.
fn another() -> Response<Body> {
    let mut response =
        said(StatusCode::SERVICE_UNAVAILABLE, "TOOMANYREQUESTS", "the registry wants another token");
    response.headers_mut().insert(RETRY_AFTER, HeaderValue::from_static("0"));
    response
}

fn failed(error: &Error) -> Response<Body> {
    // What may pass is tried again by whoever asked; everything else must not look as if it could.
    let status = if error.is_transient() { StatusCode::SERVICE_UNAVAILABLE } else { StatusCode::BAD_REQUEST };
    said(status, "UNKNOWN", &error.to_string())
}

/// An answer of the proxy itself, as registries give them (distribution-spec, "Error Codes").
fn said(status: StatusCode, code: &str, message: &str) -> Response<Body> {
    let body = if code.is_empty() {
        serde_json::json!({})
    } else {
        serde_json::json!({ "errors": [{ "code": code, "message": message }] })
    };
    let body = Full::new(Bytes::from(body.to_string())).map_err(|never| match never {});
    let mut response = Response::new(body.boxed_unsync());
    *response.status_mut() = status;
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    response
}
