//! The way of one request: from its headers to an answer, whatever comes.

use super::body::{self, BodyError};
use super::gate::{Gate, Place, Room};
use super::limits::Limits;
use super::{MUTATE_PATH, VALIDATE_PATH, answer, deadline};
use crate::metrics::{PathMetrics, RequestMetrics};
use crate::review::{ReviewError, Reviewer};
use bytes::Bytes;
use http::header::{ALLOW, CONTENT_TYPE, EXPECT, RETRY_AFTER};
use http::{HeaderMap, HeaderValue, Method, Request, Response, StatusCode};
use http_body_util::{BodyExt, Full};
use hyper::body::{Body, Incoming};
use orascache_contract::Response as ReviewResponse;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::time::timeout_at;
use tokio_util::task::AbortOnDropHandle;

/// How long the rest of a refused body is read, so that a client that is still sending it gets to the answer.
const DISCARD_TIME: Duration = Duration::from_secs(2);
/// How many bodies of the allowed length are read for that.
const DISCARD_BODIES: usize = 2;

/// Answers requests.
pub(super) struct Handler {
    reviewer: Arc<dyn Reviewer>,
    gate: Gate,
    deadline: Duration,
    body_bytes: usize,
    mutate: PathMetrics,
    validate: PathMetrics,
}

/// Why a request gets no verdict.
struct Refusal {
    status: StatusCode,
    sentence: String,
}

fn refusal(status: StatusCode, sentence: impl Into<String>) -> Refusal {
    Refusal { status, sentence: sentence.into() }
}

impl Handler {
    pub(super) fn new(reviewer: Arc<dyn Reviewer>, limits: &Limits, metrics: &RequestMetrics) -> Self {
        Self {
            reviewer,
            gate: Gate::new(limits),
            deadline: limits.deadline,
            body_bytes: limits.body_bytes,
            mutate: metrics.of(MUTATE_PATH),
            validate: metrics.of(VALIDATE_PATH),
        }
    }

    /// Answers a request. It never fails: what goes wrong becomes a status and a sentence.
    pub(super) async fn answer(&self, request: Request<Incoming>) -> Response<Full<Bytes>> {
        let metrics = match request.uri().path() {
            MUTATE_PATH => &self.mutate,
            VALIDATE_PATH => &self.validate,
            "/healthz" | "/readyz" => return health(request),
            path => {
                let sentence =
                    format!("there is nothing at this path; reviews go to {MUTATE_PATH} and {VALIDATE_PATH}");
                let path = shortened(path);
                let response = refuse(&path, &refusal(StatusCode::NOT_FOUND, sentence));
                self.discard(request);
                return response;
            }
        };
        let started = Instant::now();
        let in_flight = metrics.begin();
        let response = match self.verdict(request, started, metrics).await {
            Ok(body) => respond(StatusCode::OK, "application/json", body),
            Err(refusal) => refuse(metrics.webhook, &refusal),
        };
        drop(in_flight);
        metrics.end(response.status().as_u16(), started.elapsed());
        response
    }

    async fn verdict(
        &self,
        mut request: Request<Incoming>,
        started: Instant,
        metrics: &PathMetrics,
    ) -> Result<Bytes, Refusal> {
        if let Err(refusal) = check(&request) {
            self.discard(request);
            return Err(refusal);
        }
        let Some(mut place) = self.gate.enter() else {
            self.discard(request);
            return Err(refusal(
                StatusCode::TOO_MANY_REQUESTS,
                "as many reviews as allowed are running and waiting already; try again in a second",
            ));
        };
        let allowed = deadline::of(request.uri().query(), self.deadline);
        let by = tokio::time::Instant::from_std(started + allowed);
        let mut room = self.gate.room();

        let read = timeout_at(by, body::read(request.body_mut(), self.body_bytes, &mut room)).await;
        let body = match read {
            Ok(Ok(body)) => body,
            Ok(Err(error)) => {
                self.discard(request);
                return Err(self.unread(error));
            }
            Err(_) => {
                return Err(refusal(
                    StatusCode::REQUEST_TIMEOUT,
                    format!("the body did not arrive within {allowed:?}, in which it was to be reviewed too"),
                ));
            }
        };
        if body.is_empty() {
            return Err(refusal(
                StatusCode::BAD_REQUEST,
                "there is no body; send an AdmissionReview of admission.k8s.io/v1",
            ));
        }
        if timeout_at(by, self.gate.wait(&mut place)).await.is_err() {
            return Err(refusal(
                StatusCode::GATEWAY_TIMEOUT,
                format!("other reviews took up the {allowed:?} that there were for this one"),
            ));
        }
        let response = self.review(body, place, room, by, allowed, metrics).await?;
        answer::body(&response).map_err(|error| {
            refusal(
                StatusCode::INTERNAL_SERVER_ERROR,
                format!("the response could not be written as JSON: {error}"),
            )
        })
    }

    /// Runs the review in a task of its own: it can panic, or compute beyond its deadline, without taking the
    /// request with it. Place and room belong to the task, so that one that goes on computing still counts.
    async fn review(
        &self,
        body: Bytes,
        place: Place,
        room: Room,
        by: tokio::time::Instant,
        allowed: Duration,
        metrics: &PathMetrics,
    ) -> Result<ReviewResponse, Refusal> {
        let reviewer = self.reviewer.clone();
        let task = tokio::spawn(async move {
            let _held = (place, room);
            let text = std::str::from_utf8(&body).map_err(|error| {
                refusal(StatusCode::BAD_REQUEST, format!("the body is not UTF-8: {error}; send JSON"))
            })?;
            reviewer.review(text).await.map_err(|error| match error {
                ReviewError::Invalid(sentence) => refusal(StatusCode::BAD_REQUEST, sentence),
                ReviewError::Failed(sentence) => refusal(StatusCode::INTERNAL_SERVER_ERROR, sentence),
            })
        });
        match timeout_at(by, AbortOnDropHandle::new(task)).await {
            Ok(Ok(result)) => result,
            Ok(Err(stopped)) => {
                if stopped.is_panic() {
                    metrics.panics.inc();
                }
                Err(refusal(
                    StatusCode::INTERNAL_SERVER_ERROR,
                    "the review was stopped by a defect in this program, which its log says more about",
                ))
            }
            Err(_) => Err(refusal(
                StatusCode::GATEWAY_TIMEOUT,
                format!("the review did not end within the {allowed:?} that there were for it"),
            )),
        }
    }

    fn unread(&self, error: BodyError) -> Refusal {
        match error {
            BodyError::TooLarge => refusal(
                StatusCode::PAYLOAD_TOO_LARGE,
                format!("the body is longer than the {} bytes that a review may have", self.body_bytes),
            ),
            BodyError::NoRoom => refusal(
                StatusCode::TOO_MANY_REQUESTS,
                "the bodies of other requests take up all the memory there is for them; try again in a second",
            ),
            BodyError::Broken(how) => refusal(StatusCode::BAD_REQUEST, format!("the body broke off: {how}")),
        }
    }

    /// Reads what a refused client is still sending and throws it away, in bounds. Otherwise it might see a closed
    /// connection in place of the answer. Who waits to be asked for the body is not asked.
    fn discard(&self, request: Request<Incoming>) {
        let (parts, mut body) = request.into_parts();
        if body.is_end_stream() || parts.headers.contains_key(EXPECT) {
            return;
        }
        let mut left = self.body_bytes.saturating_mul(DISCARD_BODIES);
        tokio::spawn(tokio::time::timeout(DISCARD_TIME, async move {
            while let Some(Ok(frame)) = body.frame().await {
                match left.checked_sub(frame.data_ref().map_or(0, Bytes::len)) {
                    Some(rest) => left = rest,
                    None => return,
                }
            }
        }));
    }
}

/// Checks what can be checked before the body.
fn check(request: &Request<Incoming>) -> Result<(), Refusal> {
    if request.method() != Method::POST {
        return Err(refusal(StatusCode::METHOD_NOT_ALLOWED, "reviews are sent by POST"));
    }
    if !is_json(request.headers()) {
        return Err(refusal(
            StatusCode::UNSUPPORTED_MEDIA_TYPE,
            "reviews are read as JSON only; send them with Content-Type: application/json",
        ));
    }
    Ok(())
}

fn is_json(headers: &HeaderMap) -> bool {
    let Some(Ok(value)) = headers.get(CONTENT_TYPE).map(HeaderValue::to_str) else { return false };
    let essence = value.split(';').next().unwrap_or_default();
    essence.trim().eq_ignore_ascii_case("application/json")
}

fn health(request: Request<Incoming>) -> Response<Full<Bytes>> {
    match *request.method() {
        Method::GET | Method::HEAD => {
            respond(StatusCode::OK, "text/plain; charset=utf-8", Bytes::from_static(b"ok"))
        }
        _ => {
            let mut response = refuse(
                request.uri().path(),
                &refusal(StatusCode::METHOD_NOT_ALLOWED, "health is asked for by GET"),
            );
            response.headers_mut().insert(ALLOW, HeaderValue::from_static("GET, HEAD"));
            response
        }
    }
}

fn refuse(path: &str, refusal: &Refusal) -> Response<Full<Bytes>> {
    tracing::warn!(path, status = refusal.status.as_u16(), "request refused: {}", refusal.sentence);
    let body = Bytes::from(format!("{}\n", refusal.sentence));
    let mut response = respond(refusal.status, "text/plain; charset=utf-8", body);
    match refusal.status {
        StatusCode::METHOD_NOT_ALLOWED => {
            response.headers_mut().insert(ALLOW, HeaderValue::from_static("POST"))
        }
        StatusCode::TOO_MANY_REQUESTS => {
            response.headers_mut().insert(RETRY_AFTER, HeaderValue::from_static("1"))
        }
        _ => None,
    };
    response
}

fn respond(status: StatusCode, content_type: &'static str, body: Bytes) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::new(body));
    *response.status_mut() = status;
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(content_type));
    response
}

/// A path for the log: whoever sends it decides about its length.
fn shortened(path: &str) -> String {
    path.chars().take(100).collect()
}
