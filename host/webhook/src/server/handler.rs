//! Answers one request, from its headers to the response.

use super::arriving_bodies::{ArrivingBodies, MemoryPermit};
use super::body::{self, BodyError, BodyLimits};
use super::connection_table::{AdmittedConnection, RunningReview};
use super::drain::Drain;
use super::error_log::ErrorLog;
use super::limits::ServerLimits;
use super::load_shedder::{LoadShedder, Slot};
use super::paths::{HEALTH_PATHS, MUTATE_PATH, VALIDATE_PATH};
use super::timers::{Timer, Timers};
use super::{deadline, in_place, review_response};
use crate::metrics::{PathMetrics, RequestMetrics};
use crate::reviewer::{ReviewError, Reviewer};
use bytes::Bytes;
use futures::FutureExt;
use http::header::{ALLOW, CONTENT_TYPE, RETRY_AFTER};
use http::{HeaderMap, HeaderValue, Method, Request, Response, StatusCode};
use http_body_util::Full;
use hyper::body::Incoming;
use orascache_contract::{Response as ReviewResponse, Verdict};
use prometheus_client::metrics::counter::Counter;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;
use tokio::time::Instant;
use tokio_util::task::AbortOnDropHandle;

/// Bytes of a body up to which a review is begun in the task of its connection. A longer review
/// would keep other requests of an HTTP/2 connection waiting.
const SHORT_REVIEW: usize = 64 << 10;

/// Answers requests.
pub(super) struct Handler {
    reviewer: Arc<dyn Reviewer>,
    shedder: LoadShedder,
    bodies: Arc<ArrivingBodies>,
    body_limits: BodyLimits,
    drain: Drain,
    timers: Timers,
    deadline: Duration,
    mutate: PathMetrics,
    validate: PathMetrics,
    errors: Arc<ErrorLog>,
}

/// An HTTP error that answers a request.
struct HttpError {
    status: StatusCode,
    sentence: String,
}

fn http_error(status: StatusCode, sentence: impl Into<String>) -> HttpError {
    HttpError { status, sentence: sentence.into() }
}

/// What a running review holds until it ends.
struct Held {
    _slot: Slot,
    _memory: MemoryPermit,
    _connection: RunningReview,
}

/// When a request must be answered.
#[derive(Clone, Copy)]
struct Deadline {
    at: Instant,
    allowed: Duration,
}

impl Handler {
    /// `bodies_evicted` counts bodies that give way to newer ones.
    pub(super) fn new(
        reviewer: Arc<dyn Reviewer>,
        limits: &ServerLimits,
        metrics: &RequestMetrics,
        bodies_evicted: Counter,
        errors: Arc<ErrorLog>,
    ) -> Self {
        Self {
            reviewer,
            shedder: LoadShedder::new(limits),
            bodies: Arc::new(ArrivingBodies::new(limits, bodies_evicted)),
            body_limits: BodyLimits::new(limits),
            drain: Drain::new(limits.body_bytes),
            timers: Timers::default(),
            deadline: limits.deadline,
            mutate: metrics.of(MUTATE_PATH),
            validate: metrics.of(VALIDATE_PATH),
            errors,
        }
    }

    /// Answers a request. Every problem becomes a status and a sentence.
    pub(super) async fn answer(
        &self,
        request: Request<Incoming>,
        connection: &AdmittedConnection,
    ) -> Response<Full<Bytes>> {
        let metrics = match request.uri().path() {
            MUTATE_PATH => &self.mutate,
            VALIDATE_PATH => &self.validate,
            path if HEALTH_PATHS.contains(&path) => return self.health(request),
            path => {
                let sentence = format!(
                    "there is nothing at this path; send reviews to {MUTATE_PATH} or {VALIDATE_PATH}"
                );
                let error = http_error(StatusCode::NOT_FOUND, sentence);
                let response = self.refuse("others", &shortened(path), &error);
                self.drain.start(request);
                return response;
            }
        };
        let started = Instant::now();
        let in_flight = metrics.begin();
        let response = match self.review_request(request, started, metrics, connection).await {
            Ok(body) => respond(StatusCode::OK, "application/json", body),
            Err(error) => self.refuse(metrics.webhook, metrics.webhook, &error),
        };
        drop(in_flight);
        metrics.end(response.status().as_u16(), started.elapsed());
        response
    }

    async fn review_request(
        &self,
        mut request: Request<Incoming>,
        started: Instant,
        metrics: &PathMetrics,
        connection: &AdmittedConnection,
    ) -> Result<Bytes, HttpError> {
        if let Err(error) = check_head(&request) {
            self.drain.start(request);
            return Err(error);
        }
        let allowed = deadline::of(request.uri().query(), self.deadline);
        let deadline = Deadline { at: started + allowed, allowed };

        let mut timer = self.timers.timer();

        let arriving = self.bodies.begin();
        let read = body::read(request.body_mut(), &self.body_limits, arriving, deadline.at, &mut timer);
        let (body, memory) = match read.await {
            Ok(read) => read,
            Err(error) => {
                if error != BodyError::Late {
                    self.drain.start(request);
                }
                return Err(self.body_error(error, deadline));
            }
        };
        if body.is_empty() {
            return Err(http_error(
                StatusCode::BAD_REQUEST,
                "there is no body; send an AdmissionReview of admission.k8s.io/v1",
            ));
        }
        let Some(mut slot) = self.shedder.take_slot() else {
            return Err(http_error(
                StatusCode::TOO_MANY_REQUESTS,
                "as many reviews as allowed are running and waiting; try again in a second",
            ));
        };
        let running = connection.note_review();
        if timer.until(deadline.at, self.shedder.wait_for_turn(&mut slot)).await.is_none() {
            return Err(http_error(
                StatusCode::GATEWAY_TIMEOUT,
                format!("other reviews took the {allowed:?} that this one had"),
            ));
        }
        let held = Held { _slot: slot, _memory: memory, _connection: running };
        let response = self.run_review(body, held, deadline, &mut timer, metrics).await?;
        log_decision(metrics.webhook, &response);
        review_response::to_json(&response).map_err(|error| {
            http_error(
                StatusCode::INTERNAL_SERVER_ERROR,
                format!("the response could not be written as JSON: {error}"),
            )
        })
    }

    /// Runs the review in a task of its own, so that a review that computes beyond its deadline does
    /// not keep the request from being answered. A short review by a cooperative reviewer is begun
    /// here: it mostly ends at once. `held` moves into the review: one that goes on computing keeps
    /// its slot.
    async fn run_review(
        &self,
        body: Bytes,
        held: Held,
        deadline: Deadline,
        timer: &mut Timer,
        metrics: &PathMetrics,
    ) -> Result<ReviewResponse, HttpError> {
        let reviewer = self.reviewer.clone();
        let is_short = reviewer.is_cooperative() && body.len() <= SHORT_REVIEW;
        // Of many reviews of a connection that take long, one is begun in a turn of the connection.
        let begins_here = is_short && in_place::has_time_left();
        let review = async move {
            let _held = held;
            let text = std::str::from_utf8(&body).map_err(|error| {
                http_error(StatusCode::BAD_REQUEST, format!("the body is not UTF-8: {error}; send JSON"))
            })?;
            reviewer.review(text).await.map_err(|error| match error {
                ReviewError::Invalid(sentence) => http_error(StatusCode::BAD_REQUEST, sentence),
                ReviewError::Failed(sentence) => http_error(StatusCode::INTERNAL_SERVER_ERROR, sentence),
            })
        };
        // Nothing of a review that panicked is used again.
        let mut review = AssertUnwindSafe(review).catch_unwind().boxed();
        let begun = if begins_here { futures::poll!(&mut review) } else { Poll::Pending };
        let ended = match begun {
            Poll::Ready(ended) => Some(Ok(ended)),
            Poll::Pending => timer.until(deadline.at, AbortOnDropHandle::new(tokio::spawn(review))).await,
        };
        match ended {
            Some(Ok(Ok(result))) => result,
            // The review panicked, or the runtime ends.
            Some(stopped) => {
                if stopped.is_ok() {
                    metrics.panics.inc();
                }
                Err(http_error(
                    StatusCode::INTERNAL_SERVER_ERROR,
                    "the review ended by a defect of this program; its log has the details",
                ))
            }
            None => Err(http_error(
                StatusCode::GATEWAY_TIMEOUT,
                format!("the review did not end within its {:?}", deadline.allowed),
            )),
        }
    }

    fn health(&self, request: Request<Incoming>) -> Response<Full<Bytes>> {
        match *request.method() {
            Method::GET | Method::HEAD => {
                respond(StatusCode::OK, "text/plain; charset=utf-8", Bytes::from_static(b"ok"))
            }
            _ => {
                let error = http_error(StatusCode::METHOD_NOT_ALLOWED, "ask for health by GET");
                let mut response = self.refuse("health", request.uri().path(), &error);
                response.headers_mut().insert(ALLOW, HeaderValue::from_static("GET, HEAD"));
                response
            }
        }
    }

    /// Answers with an HTTP error. `path` tells kinds of errors apart in the log.
    fn refuse(&self, path: &'static str, asked: &str, error: &HttpError) -> Response<Full<Bytes>> {
        self.errors.request(path, asked, error.status, &error.sentence);
        let body = Bytes::from(format!("{}\n", error.sentence));
        let mut response = respond(error.status, "text/plain; charset=utf-8", body);
        match error.status {
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

    fn body_error(&self, error: BodyError, deadline: Deadline) -> HttpError {
        match error {
            BodyError::Late => http_error(
                StatusCode::REQUEST_TIMEOUT,
                format!(
                    "the body did not arrive within {:?}, the time for the whole review",
                    deadline.allowed
                ),
            ),
            BodyError::TooLarge => http_error(
                StatusCode::PAYLOAD_TOO_LARGE,
                format!("the body is longer than {} bytes, the most for a review", self.body_limits.bytes),
            ),
            BodyError::NoMemory => http_error(
                StatusCode::TOO_MANY_REQUESTS,
                "other requests use up the memory for bodies; try again in a second",
            ),
            BodyError::TooSlow => {
                http_error(StatusCode::REQUEST_TIMEOUT, "the body arrives too slowly; send it in one go")
            }
            BodyError::Evicted => http_error(
                StatusCode::TOO_MANY_REQUESTS,
                "newer requests took the place of this one, whose body had not arrived; \
                 try again in a second",
            ),
            BodyError::Broken(how) => {
                http_error(StatusCode::BAD_REQUEST, format!("the body broke off: {how}"))
            }
        }
    }
}

/// Checks what does not need the body.
fn check_head(request: &Request<Incoming>) -> Result<(), HttpError> {
    if request.method() != Method::POST {
        return Err(http_error(StatusCode::METHOD_NOT_ALLOWED, "send reviews by POST"));
    }
    if !is_json(request.headers()) {
        return Err(http_error(
            StatusCode::UNSUPPORTED_MEDIA_TYPE,
            "reviews must be JSON; send them with Content-Type: application/json",
        ));
    }
    Ok(())
}

fn is_json(headers: &HeaderMap) -> bool {
    let Some(Ok(value)) = headers.get(CONTENT_TYPE).map(HeaderValue::to_str) else { return false };
    let essence = value.split(';').next().unwrap_or_default();
    essence.trim().eq_ignore_ascii_case("application/json")
}

/// Decisions are logged for people who look for one. The client has the answer.
fn log_decision(path: &'static str, response: &ReviewResponse) {
    let uid = || shortened(&response.uid);
    match &response.verdict {
        Verdict::Allowed(patch) => {
            tracing::debug!(path, uid = uid(), is_patched = patch.is_some(), "review allowed");
        }
        Verdict::Refused(refusal) => {
            tracing::debug!(path, uid = uid(), code = refusal.code, "review refused: {}", refusal.message);
        }
    }
}

fn respond(status: StatusCode, content_type: &'static str, body: Bytes) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::new(body));
    *response.status_mut() = status;
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(content_type));
    response
}

/// A text for the log, at most 100 characters: clients choose its length.
fn shortened(text: &str) -> String {
    text.chars().take(100).collect()
}
