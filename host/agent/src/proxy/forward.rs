//! Sends requests to the registry, with credentials, and brings back the answers without them.

use super::rules::{Route, Rules};
use super::sessions::Sessions;
use crate::log::Log;
use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::body::{Body as _, Incoming};
use hyper::header::{
    ACCEPT, ACCEPT_RANGES, CONTENT_LENGTH, CONTENT_RANGE, CONTENT_TYPE, DATE, ETAG, HeaderName, HeaderValue,
    LOCATION, RANGE, RETRY_AFTER,
};
use hyper::{HeaderMap, Method, Request, Response, StatusCode};
use oci_registry_client::{Access, Body, Client, Error, REASON, Url};
use std::sync::Arc;

/// Headers of a GET request that are passed on.
const READING: [HeaderName; 2] = [ACCEPT, RANGE];
/// Headers of another request without a body that are passed on.
const BODILESS: [HeaderName; 1] = [ACCEPT];
/// Headers of a request with a body that are passed on. The length is that of the body, and not
/// copied from a header.
const WITH_BODY: [HeaderName; 3] = [ACCEPT, CONTENT_RANGE, CONTENT_TYPE];
/// Headers of an answer that are passed on. The Location is written anew. The date is that of the
/// registry, with which a date in Retry-After is compared.
const ANSWERED: [HeaderName; 8] =
    [ACCEPT_RANGES, CONTENT_LENGTH, CONTENT_RANGE, CONTENT_TYPE, DATE, ETAG, RANGE, RETRY_AFTER];
/// Digest of the content of an answer (distribution-spec, "Pulling manifests").
const DOCKER_CONTENT_DIGEST: HeaderName = HeaderName::from_static("docker-content-digest");

/// A registry, and the requests that may be sent to it. Clones share everything.
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

    /// Answers a request. An error is an answer too.
    pub async fn answer(&self, request: Request<Incoming>) -> Response<Body> {
        let (method, path) = (request.method().clone(), request.uri().path().to_owned());
        let response = self.decide(request).await;
        self.inner.log.debug(format_args!("{method} {path}: {}", response.status().as_u16()));
        response
    }

    async fn decide(&self, request: Request<Incoming>) -> Response<Body> {
        let path = request.uri().path().to_owned();
        let endpoint = self.inner.client.endpoint();
        let route = self.inner.rules.route(request.method(), &path, request.uri().query());
        let is_allowed = !matches!(route, Route::Refuse(_));
        if is_allowed && let Err((status, sentence)) = check_body(&request) {
            return answer_with(status, "UNSUPPORTED", &sentence);
        }
        match route {
            Route::Refuse(sentence) => answer_with(StatusCode::FORBIDDEN, "DENIED", &sentence),
            Route::Ping => answer_with(StatusCode::OK, "", ""),
            Route::Pass(access) => {
                let url = endpoint.at(&path);
                match self.send(&access, request, &url).await {
                    Ok((response, false)) => relay(response),
                    Ok((_, true)) => repeat_the_request(),
                    Err(error) => failed(&error),
                }
            }
            Route::Begin { access, query } => {
                let url = endpoint.at(&format!("{path}?{query}"));
                let answer = self.send(&access, request, &url).await;
                self.with_session(answer, &url, &path, None)
            }
            Route::Continue { access, session, query } => {
                let Some(mut url) = self.inner.sessions.find(&session) else {
                    return answer_with(
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
                let answer = self.send(&access, request, &url).await;
                if is_last && answer.as_ref().is_ok_and(|(response, _)| response.status().is_success()) {
                    self.inner.sessions.close(&session);
                }
                let uploads = path.strip_suffix(session.as_str()).unwrap_or_default();
                self.with_session(answer, &url, uploads, Some(&session))
            }
        }
    }

    /// Sends a request. The second value says whether it must be repeated, since the registry
    /// wanted another authorization and the body can be sent only once. Requests without a body are
    /// repeated and redirected here.
    async fn send(
        &self,
        access: &Access,
        request: Request<Incoming>,
        url: &Url,
    ) -> Result<(Response<Incoming>, bool), Error> {
        let client = &self.inner.client;
        let (parts, body) = request.into_parts();
        if !may_have_body(&parts.method) {
            let names: &[HeaderName] = if parts.method == Method::GET { &READING } else { &BODILESS };
            let headers = chosen(&parts.headers, names);
            let response = client.request(access, &parts.method, url, &headers).await?;
            return Ok((response, false));
        }
        let headers = chosen(&parts.headers, &WITH_BODY);
        let body = body.map_err(std::io::Error::other).boxed_unsync();
        client.send_once(access, &parts.method, url, headers, body).await
    }

    /// The answer to a request of an upload, with the name of the upload instead of its address.
    fn with_session(
        &self,
        answer: Result<(Response<Incoming>, bool), Error>,
        asked: &Url,
        uploads: &str,
        session: Option<&str>,
    ) -> Response<Body> {
        let response = match answer {
            Ok((response, false)) => response,
            Ok((_, true)) => return repeat_the_request(),
            Err(error) => return failed(&error),
        };
        // After the end of an upload, the Location is that of the blob.
        let goes_on = matches!(response.status(), StatusCode::ACCEPTED | StatusCode::NO_CONTENT);
        let location = response.headers().get(LOCATION).and_then(|location| location.to_str().ok());
        let endpoint = self.inner.client.endpoint();
        let location = location.filter(|_| goes_on).map(|location| endpoint.upload_location(location, asked));
        let location = match location.transpose() {
            Ok(location) => location,
            Err(why) => return answer_with(StatusCode::BAD_REQUEST, "UNKNOWN", &why),
        };
        let sessions = &self.inner.sessions;
        let name = match (location, session) {
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

/// Whether requests of a method may have a body. Others have none in the requests of a step.
fn may_have_body(method: &Method) -> bool {
    matches!(*method, Method::PUT | Method::PATCH)
}

/// Checks the body of a request. The registry must never disagree with the proxy about where a
/// request ends: the rest of one request would be read as another one, with the credentials of the
/// proxy and without its rules.
fn check_body(request: &Request<Incoming>) -> Result<(), (StatusCode, String)> {
    let method = request.method();
    if !may_have_body(method) && !request.body().is_end_stream() {
        return Err((StatusCode::BAD_REQUEST, format!("a {method} request must have no body")));
    }
    if request.body().size_hint().exact().is_none() {
        let sentence = format!("a {method} request must have a Content-Length, and no Transfer-Encoding");
        return Err((StatusCode::LENGTH_REQUIRED, sentence));
    }
    Ok(())
}

/// The answer to a request whose body was sent before the registry said what authorization it
/// wants. The next attempt has it.
fn repeat_the_request() -> Response<Body> {
    let mut response =
        answer_with(StatusCode::SERVICE_UNAVAILABLE, "TOOMANYREQUESTS", "the registry wants another token");
    response.headers_mut().insert(RETRY_AFTER, HeaderValue::from_static("0"));
    response
}

fn failed(error: &Error) -> Response<Body> {
    // The step repeats requests that get 503. Other errors do not pass by waiting, and must not
    // look like that.
    let status = if error.is_transient() { StatusCode::SERVICE_UNAVAILABLE } else { StatusCode::BAD_REQUEST };
    let mut response = answer_with(status, "UNKNOWN", &error.to_string());
    if let Some(after) = error.retry_after() {
        response.headers_mut().insert(RETRY_AFTER, HeaderValue::from(after.as_secs()));
    }
    response
}

/// An answer of the proxy itself, in the form of a registry (distribution-spec, "Error Codes").
fn answer_with(status: StatusCode, code: &str, message: &str) -> Response<Body> {
    let body = if code.is_empty() {
        serde_json::json!({})
    } else {
        serde_json::json!({ "errors": [{ "code": code, "message": message }] })
    };
    let body = Full::new(Bytes::from(body.to_string())).map_err(|never| match never {});
    let mut response = Response::new(body.boxed_unsync());
    *response.status_mut() = status;
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    // The answer to a HEAD request has no body, and the step still has to learn the reason.
    let reason: String = message.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
    if let Ok(reason) = HeaderValue::from_bytes(reason.trim().as_bytes())
        && !reason.is_empty()
    {
        response.headers_mut().insert(REASON, reason);
    }
    response
}
