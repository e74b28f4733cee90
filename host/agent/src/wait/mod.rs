//! Waiting for inputs that are not in the registry yet.
//!
//! Each round asks for the heads of manifests. What was found is what is pulled later: the inputs
//! are one consistent set, although their tags may move while others are waited for.
//!
//! - `pauses` decides how long to wait between two rounds, and when to end;
//! - `search` keeps what was found, and decides what is said about it.

mod pauses;
mod search;

use crate::log::Log;
use crate::transfer::cannot_pull;
use futures::stream::{self, StreamExt};
use oci_registry_client::{ArtifactReference, Client, Digest, Error};
use pauses::{Next, Pauses};
use search::{Answer, Search, WINDOW};
use std::cell::Cell;
use std::hash::{BuildHasher, RandomState};
use std::time::{Duration, Instant};

/// Number of inputs that are asked for at the same time.
const REQUESTS: usize = 4;
/// Longest wait for one answer. A registry that is silent for longer counts as away.
const SILENCE: Duration = Duration::from_secs(10);

/// Waits until a registry has all inputs, for at most `limit`. A registry that cannot be reached or
/// is overloaded counts as one that does not have them yet. Returns the manifests of the inputs, in
/// their order.
///
/// # Errors
/// A sentence, when the time is up, or at once when waiting does not help: access is refused, or
/// what answers is no registry.
pub async fn for_inputs(
    client: &Client,
    inputs: &[ArtifactReference],
    limit: Duration,
    log: &Log,
) -> Result<Vec<Digest>, String> {
    let (start, shown) = (Instant::now(), shown(limit));
    let mut pauses = Pauses::new(limit);
    let mut search = Search::new(inputs);
    let mut is_whole_round = true;
    loop {
        search.begin_round();
        let missing = search.missing();
        let asked = if is_whole_round { missing.len() } else { missing.len().min(WINDOW) };
        let wanted =
            missing.iter().take(asked).filter_map(|number| Some((*number, inputs.get(*number)?.clone())));
        ask(client, wanted.collect(), &mut search).await?;
        if search.missing().is_empty() {
            let to_confirm = search.to_confirm();
            ask(client, to_confirm, &mut search).await?;
        }
        if let Some(digests) = search.complete().filter(|_| !search.is_away()) {
            if search.has_spoken() {
                log.info(format_args!("all inputs are there after {} s", start.elapsed().as_secs()));
            }
            return Ok(digests);
        }
        // Where everything that was asked for is there, the rest may be there too.
        let is_progress = !search.is_away() && search.missing().len() + asked == missing.len();
        if is_progress && asked > 0 {
            is_whole_round = false;
            continue;
        }
        if let Some(news) = search.news(&shown) {
            log.info(news);
        }
        let pause = match pauses.next(start.elapsed(), search.asked(), share()) {
            Next::Pause(pause) => {
                is_whole_round = false;
                pause
            }
            Next::LastPause(pause) => {
                is_whole_round = true;
                pause
            }
            Next::End => {
                // Where all were found and the registry does not confirm it, the pull says why.
                return search
                    .complete()
                    .ok_or_else(|| search.failure(&shown, &client.endpoint().to_string()));
            }
        };
        tokio::time::sleep(pause).await;
    }
}

/// Asks for inputs, until the registry does not answer.
async fn ask(
    client: &Client,
    wanted: Vec<(usize, ArtifactReference)>,
    search: &mut Search<'_>,
) -> Result<(), String> {
    let is_over = Cell::new(false);
    let asking = wanted.iter().map(|(number, reference)| {
        let is_over = &is_over;
        async move {
            if is_over.get() {
                return Ok::<_, String>(None);
            }
            let answer = answer(client, reference).await?;
            if matches!(answer, Answer::Away(..)) {
                is_over.set(true);
            }
            Ok(Some((*number, answer)))
        }
    });
    let mut answers = stream::iter(asking).buffer_unordered(REQUESTS);
    while let Some(answered) = answers.next().await {
        if let Some((number, answer)) = answered? {
            search.answer(number, answer);
        }
    }
    Ok(())
}

async fn answer(client: &Client, reference: &ArtifactReference) -> Result<Answer, String> {
    match tokio::time::timeout(SILENCE, client.find_manifest(reference)).await {
        Err(_) => {
            let why = format!("{} does not answer within {} s", client.endpoint(), SILENCE.as_secs());
            Ok(Answer::Away(why, None))
        }
        Ok(Ok(digest)) => Ok(Answer::There(digest)),
        Ok(Err(Error::NotFound { .. })) => Ok(Answer::Missing),
        Ok(Err(error)) if error.is_transient() => Ok(Answer::Away(error.to_string(), error.retry_after())),
        Ok(Err(error)) => Err(cannot_pull(client, reference, &error)),
    }
}

/// A random number from 0 to 1.
fn share() -> f64 {
    (RandomState::new().hash_one(0) % 1024) as f64 / 1023.0
}

/// A time for people.
fn shown(limit: Duration) -> String {
    orascache_api::duration::Duration::from_seconds(limit.as_secs())
        .map_or_else(|| format!("{} s", limit.as_secs()), |duration| duration.to_string())
}
