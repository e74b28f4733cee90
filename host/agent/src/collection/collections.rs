//! Who is answered what: the collections that a supervisor has made, and when the next one may begin.

use super::protocol::{Key, Outcome, State, random};
use hyper::{Method, StatusCode};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// A registry takes writes for this many times as long as a collection took, before the next one.
const SHARE: u32 = 4;

/// The collections of one process.
pub struct Collections {
    key: Key,
    /// Shortest time without a collection.
    pause: Duration,
    inner: Mutex<Inner>,
}

struct Inner {
    challenge: String,
    state: State,
    /// When the collection began that is running.
    begun: Instant,
    /// When the next one may begin.
    next: Instant,
}

/// An answer.
#[derive(Debug)]
pub struct Answer {
    /// Its status.
    pub status: StatusCode,
    /// The challenge of the next request.
    pub challenge: String,
    /// When to ask again.
    pub after: Option<Duration>,
    /// What is known, for those who have the key.
    pub state: Option<State>,
    /// Whether a collection is to begin.
    pub begins: bool,
}

impl Collections {
    /// None so far.
    ///
    /// # Errors
    /// A sentence, where the system has no random numbers.
    pub fn new(key: Key, pause: Duration, now: Instant) -> Result<Self, String> {
        let state = State { supervisor: random()?, number: 0, is_running: false, outcome: None };
        let inner = Inner { challenge: random()?, state, begun: now, next: now + pause };
        Ok(Collections { key, pause, inner: Mutex::new(inner) })
    }

    /// Answers a request with this signature.
    pub fn answer(&self, method: &Method, signature: Option<&str>, now: Instant) -> Answer {
        let mut inner = self.inner();
        let is_signed = |signature| self.key.verifies(method, &inner.challenge, signature);
        if !signature.is_some_and(is_signed) {
            return inner.answer(StatusCode::UNAUTHORIZED, None, false);
        }
        if *method != Method::POST {
            return inner.answer(StatusCode::OK, None, true);
        }
        if inner.state.is_running {
            return inner.answer(StatusCode::CONFLICT, None, true);
        }
        let left = inner.next.saturating_duration_since(now);
        if !left.is_zero() {
            return inner.answer(StatusCode::TOO_MANY_REQUESTS, Some(left), true);
        }
        let Ok(challenge) = random() else {
            return inner.answer(StatusCode::SERVICE_UNAVAILABLE, None, true);
        };
        inner.challenge = challenge;
        inner.state.number += 1;
        inner.state.is_running = true;
        inner.begun = now;
        Answer { begins: true, ..inner.answer(StatusCode::ACCEPTED, None, true) }
    }

    /// Notes the end of the collection that is running.
    pub fn finish(&self, outcome: Outcome, now: Instant) {
        let mut inner = self.inner();
        let took = now.saturating_duration_since(inner.begun);
        inner.next = now + self.pause.max(took * SHARE);
        inner.state.is_running = false;
        inner.state.outcome = Some(outcome);
    }

    fn inner(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Inner {
    fn answer(&self, status: StatusCode, after: Option<Duration>, is_signed: bool) -> Answer {
        let state = is_signed.then(|| self.state.clone());
        Answer { status, challenge: self.challenge.clone(), after, state, begins: false }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MINUTE: Duration = Duration::from_secs(60);

    /// Sends a signed request.
    fn ask(collections: &Collections, method: &Method, now: Instant) -> Answer {
        let challenge = collections.answer(method, None, now).challenge;
        let signature = Key::of(b"key").sign(method, &challenge);
        collections.answer(method, Some(&signature), now)
    }

    #[test]
    fn security_without_the_key_nothing_begins_and_nothing_is_told() {
        let start = Instant::now();
        let collections = Collections::new(Key::of(b"key"), Duration::ZERO, start).unwrap();
        let challenge = collections.answer(&Method::POST, None, start).challenge;
        let other = Key::of(b"other").sign(&Method::POST, &challenge);
        let of_reading = Key::of(b"key").sign(&Method::GET, &challenge);
        for signature in [None, Some(""), Some("key"), Some(other.as_str()), Some(of_reading.as_str())] {
            let answer = collections.answer(&Method::POST, signature, start);
            assert_eq!((answer.status, answer.begins), (StatusCode::UNAUTHORIZED, false), "{signature:?}");
            assert_eq!(answer.state, None);
        }
    }

    #[test]
    fn security_a_request_cannot_be_repeated() {
        let start = Instant::now();
        let collections = Collections::new(Key::of(b"key"), Duration::ZERO, start).unwrap();
        let challenge = collections.answer(&Method::POST, None, start).challenge;
        let signature = Key::of(b"key").sign(&Method::POST, &challenge);
        assert!(collections.answer(&Method::POST, Some(&signature), start).begins);
        collections.finish(Outcome::Nothing, start);
        let answer = collections.answer(&Method::POST, Some(&signature), start);
        assert_eq!(answer.status, StatusCode::UNAUTHORIZED);
    }

    #[test]
    fn security_nobody_can_keep_the_registry_read_only() {
        let start = Instant::now();
        let collections = Collections::new(Key::of(b"key"), MINUTE, start).unwrap();
        let early = ask(&collections, &Method::POST, start);
        assert_eq!((early.status, early.after), (StatusCode::TOO_MANY_REQUESTS, Some(MINUTE)));
        let begun = start + MINUTE;
        assert!(ask(&collections, &Method::POST, begun).begins);
        let second = ask(&collections, &Method::POST, begun);
        assert_eq!((second.status, second.begins), (StatusCode::CONFLICT, false));
        let ended = begun + 10 * MINUTE;
        collections.finish(Outcome::Nothing, ended);
        let early = ask(&collections, &Method::POST, ended);
        assert_eq!(early.after, Some(40 * MINUTE), "four times as long as it took");
        assert!(ask(&collections, &Method::POST, ended + 40 * MINUTE).begins);
        let state = ask(&collections, &Method::GET, ended).state.unwrap();
        assert_eq!((state.number, state.is_running), (2, true));
    }
}
