//! Notifications of registries about pushes (distribution, "Work with notifications").
//!
//! Anybody can send such a request, so that nothing in it is believed: it has the operator look
//! early for artifacts of the repositories that it names, and only for those that somebody waits
//! for.

use axum::Router;
use axum::extract::{DefaultBodyLimit, State};
use axum::http::StatusCode;
use axum::routing::post;
use orascache_controller::Waker;
use serde::Deserialize;
use std::sync::Arc;

/// Path that a registry sends its events to.
pub(crate) const PATH: &str = "/registry-events";
/// Largest request, in bytes. An event has about 1 KiB.
const MOST_BYTES: usize = 256 << 10;

/// An envelope of events, as far as it is read.
#[derive(Deserialize)]
struct Envelope {
    events: Vec<Event>,
}

#[derive(Deserialize)]
struct Event {
    #[serde(default)]
    action: String,
    #[serde(default)]
    target: Target,
}

#[derive(Default, Deserialize)]
struct Target {
    #[serde(default)]
    repository: String,
}

/// Takes events, and wakes the questions that they may answer.
pub(crate) fn router<S: Clone + Send + Sync + 'static>(wakers: Vec<Waker>) -> Router<S> {
    Router::new()
        .route(PATH, post(receive))
        .layer(DefaultBodyLimit::max(MOST_BYTES))
        .with_state::<S>(Arc::from(wakers))
}

/// The type of the content is `application/vnd.docker.distribution.events.v1+json`, whatever its
/// header says.
async fn receive(State(wakers): State<Arc<[Waker]>>, body: String) -> StatusCode {
    let Ok(envelope) = serde_json::from_str::<Envelope>(&body) else { return StatusCode::BAD_REQUEST };
    for event in envelope.events.iter().filter(|event| event.action == "push") {
        for waker in wakers.iter() {
            waker.wake(&event.target.repository);
        }
    }
    StatusCode::ACCEPTED
}
