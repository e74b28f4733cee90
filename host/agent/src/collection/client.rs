//! The side of `prune`: asks for a collection, and waits for its end.

use super::args::CollectionArgs;
use super::protocol::{CHALLENGE, Key, Outcome, PATH, SCHEME, State};
use crate::cancel::Cancel;
use crate::log::Log;
use crate::transfer::progress::size;
use crate::transfer::{TransferFailure, run};
use crate::work::Ended;
use bytes::Bytes;
use http_body_util::{BodyExt, Empty, Limited};
use hyper::header::{AUTHORIZATION, HOST, RETRY_AFTER};
use hyper::{Method, Request, StatusCode, Uri};
use hyper_util::rt::TokioIo;
use serde_json::Value;
use std::time::{Duration, Instant};
use tokio::net::TcpStream;

/// Longest answer that is read, in bytes.
const MAX_ANSWER: usize = 64 * 1024;
/// Longest time of one request.
const REQUEST: Duration = Duration::from_secs(10);
/// How long the supervisor may be out of reach. Its registry's restarts do not concern it.
const OUT_OF_REACH: Duration = Duration::from_secs(120);
/// Longest time until a collection begins: another one may have just ended, which took an hour.
const UNTIL_BEGIN: Duration = Duration::from_secs(5 * 3600);
/// Pauses between questions.
const FIRST_PAUSE: Duration = Duration::from_millis(100);
const LONGEST_PAUSE: Duration = Duration::from_secs(5);

/// Asks for a collection after retention, where the arguments say so, and adds what became of it.
pub fn after(arguments: &CollectionArgs, ended: Ended, log: &Log) -> Ended {
    let (Some(url), Some(key)) = (&arguments.url, &arguments.key) else { return ended };
    // Nothing was deleted by a run whose arguments are wrong.
    let (text, has_failed) = match ended.done {
        Ok(text) => (text, false),
        Err(TransferFailure::Failed(text)) => (text, true),
        other => return Ended { done: other, ..ended },
    };
    let text = text.trim_end();
    log.info(format_args!("{text}; now the garbage is collected"));
    let outcome = Key::read(key).and_then(|key| {
        let collecting = run(&Cancel::default(), async { collect(url, key).await });
        collecting.map_err(|_| "it cannot be asked for".to_owned())?
    });
    let outcome = outcome.unwrap_or_else(|why| Outcome::Failed { why });
    let mut numbers = ended.numbers;
    if let (Some(bytes), Some(Value::Object(members))) = (freed(&outcome), &mut numbers) {
        members.insert("freedBytes".to_owned(), bytes.into());
    }
    let done = match (sentence(&outcome), has_failed) {
        (Ok(sentence), false) => Ok(format!("{text}; {sentence}\n")),
        (Ok(sentence) | Err(sentence), _) => Err(TransferFailure::Failed(format!("{text}; {sentence}"))),
    };
    Ended { done, numbers }
}

/// How many bytes were freed, where that is known.
fn freed(outcome: &Outcome) -> Option<u64> {
    match outcome {
        Outcome::Nothing => Some(0),
        Outcome::Freed { bytes, .. } => *bytes,
        Outcome::Failed { .. } => None,
    }
}

/// The sentence about a collection. It is an error for one that failed.
pub fn sentence(outcome: &Outcome) -> Result<String, String> {
    match outcome {
        Outcome::Nothing => Ok("garbage collection found nothing to free".to_owned()),
        Outcome::Freed { blobs, bytes, seconds } => {
            let bytes = bytes.map(|bytes| format!("{}, ", size(bytes))).unwrap_or_default();
            Ok(format!(
                "garbage collection freed {bytes}{blobs} blobs, and the registry took no writes for {seconds} s"
            ))
        }
        Outcome::Failed { why } => Err(format!("garbage collection failed: {why}")),
    }
}

/// An answer of the supervisor.
struct Answer {
    status: StatusCode,
    after: Option<Duration>,
    state: Option<State>,
}

/// A supervisor of a registry.
struct Supervisor {
    key: Key,
    host: String,
    port: u16,
    challenge: String,
}

/// Has garbage collected by the supervisor at a URL. The error is the rest of a sentence.
async fn collect(url: &str, key: Key) -> Result<Outcome, String> {
    let uri: Uri = url.parse().map_err(|_| format!("\"{url}\" is no URL"))?;
    let is_plain = uri.scheme_str() == Some("http") && matches!(uri.path(), "" | "/");
    let (Some(host), Some(port), true) = (uri.host(), uri.port_u16(), is_plain) else {
        return Err(format!("\"{url}\" must be like http://host:5002"));
    };
    let host = host.trim_matches(['[', ']']).to_owned();
    let mut supervisor = Supervisor { key, host, port, challenge: String::new() };
    let begun = supervisor.begin().await?;
    let mut pause = FIRST_PAUSE;
    loop {
        tokio::time::sleep(pause).await;
        pause = LONGEST_PAUSE.min(pause * 2);
        let state = supervisor.signed(&Method::GET).await?.state;
        let state = state.ok_or_else(|| "the supervisor does not say what became of it".to_owned())?;
        if state.supervisor != begun.supervisor {
            return Err("the registry's container was started again meanwhile".to_owned());
        }
        if state.number > begun.number || !state.is_running {
            return state.outcome.ok_or_else(|| "the supervisor does not say how it ended".to_owned());
        }
    }
}

impl Supervisor {
    /// Asks until a collection begins.
    async fn begin(&mut self) -> Result<State, String> {
        let start = Instant::now();
        loop {
            let answer = self.signed(&Method::POST).await?;
            let wait = match answer.status {
                StatusCode::ACCEPTED => {
                    return answer
                        .state
                        .ok_or_else(|| "the supervisor does not say that it begins".to_owned());
                }
                // One is running, which began before everything was deleted.
                StatusCode::CONFLICT => LONGEST_PAUSE.min(Duration::from_secs(2)),
                StatusCode::TOO_MANY_REQUESTS => answer.after.unwrap_or(LONGEST_PAUSE),
                status => return Err(format!("the supervisor answered {status}")),
            };
            if start.elapsed() + wait > UNTIL_BEGIN {
                return Err(format!("none can begin within {} hours", UNTIL_BEGIN.as_secs() / 3600));
            }
            tokio::time::sleep(wait).await;
        }
    }

    /// Sends a signed request until it is answered.
    async fn signed(&mut self, method: &Method) -> Result<Answer, String> {
        let (start, mut pause, mut refusals) = (Instant::now(), FIRST_PAUSE, 0);
        loop {
            let sent = tokio::time::timeout(REQUEST, self.send(method)).await;
            match sent.unwrap_or_else(|_| Err(format!("no answer for {} s", REQUEST.as_secs()))) {
                // The first answer has the challenge. Another collection may have changed it since.
                Ok(answer) if answer.status == StatusCode::UNAUTHORIZED => {
                    refusals += 1;
                    if refusals > 3 {
                        return Err("the supervisor has another key".to_owned());
                    }
                }
                Ok(answer) => return Ok(answer),
                Err(why) if start.elapsed() > OUT_OF_REACH => {
                    return Err(format!("{}:{} cannot be reached: {why}", self.host, self.port));
                }
                Err(_) => {
                    tokio::time::sleep(pause).await;
                    pause = LONGEST_PAUSE.min(pause * 2);
                }
            }
        }
    }

    async fn send(&mut self, method: &Method) -> Result<Answer, String> {
        let text = |error: &dyn std::fmt::Display| error.to_string();
        let stream =
            TcpStream::connect((self.host.as_str(), self.port)).await.map_err(|error| text(&error))?;
        let connected = hyper::client::conn::http1::handshake(TokioIo::new(stream)).await;
        let (mut sender, connection) = connected.map_err(|error| text(&error))?;
        // The request fails where the connection does.
        let connection = tokio::spawn(connection);
        let signature = format!("{SCHEME}{}", self.key.sign(method, &self.challenge));
        let request = Request::builder()
            .method(method)
            .uri(PATH)
            .header(HOST, format!("{}:{}", self.host, self.port))
            .header(AUTHORIZATION, signature)
            .body(Empty::<Bytes>::new())
            .map_err(|error| text(&error))?;
        let response = sender.send_request(request).await.map_err(|error| text(&error))?;
        let header = |name| response.headers().get(name).and_then(|value| value.to_str().ok());
        if let Some(challenge) = header(CHALLENGE) {
            self.challenge = challenge.to_owned();
        }
        let after = header(RETRY_AFTER).and_then(|seconds| seconds.parse().ok()).map(Duration::from_secs);
        let status = response.status();
        let body = Limited::new(response.into_body(), MAX_ANSWER).collect().await;
        let state = body.ok().and_then(|body| serde_json::from_slice(&body.to_bytes()).ok());
        connection.abort();
        Ok(Answer { status, after, state })
    }
}
