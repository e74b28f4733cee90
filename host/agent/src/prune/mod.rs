//! Retention by the API of a registry: `prune`.
//!
//! - `args` is the command line;
//! - `plan` decides what goes, as a pure function; `look` finds out what is there, with the `record`
//!   of since when; `repository` deletes; `referenced` sums up what stays.

mod args;
mod look;
mod plan;
mod record;
mod referenced;
mod repository;

pub use args::PruneArgs;

use crate::cancel::Cancel;
use crate::collection;
use crate::log::Log;
use crate::place::Place;
use crate::transfer::{TransferFailure, run};
use crate::work::{Access, Ended};
use look::Look;
use oci_registry_client::Client;
use orascache_api::names::RETENTION_REPOSITORY;
use plan::Rules;
use record::Record;
use referenced::Referenced;
use repository::{Numbers, Stopped};
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::fmt::Write;
use std::time::SystemTime;

/// Deletes old artifacts. Returns the exit code.
pub fn execute(arguments: &PruneArgs) -> u8 {
    let log = Log::default();
    let mut ended = try_prune(arguments, &log).unwrap_or_else(Ended::from);
    if !arguments.dry_run {
        ended = collection::after(&arguments.collection, ended, &log);
    }
    arguments.work.finish(ended, &log)
}

fn try_prune(arguments: &PruneArgs, log: &Log) -> Result<Ended, TransferFailure> {
    let wrong = |sentence: &str| TransferFailure::BadRequest(sentence.to_owned());
    if arguments.unused_since.is_some() {
        return Err(wrong(
            "--unused-since is refused: registries do not say by their API when an artifact was pulled last; use --max-age, or the retention of a registry that records pulls, such as zot",
        ));
    }
    if arguments.keep_tags.is_none() && arguments.max_age.is_none() {
        return Err(wrong(
            "nothing says what is kept, so that everything would be deleted: give --keep-tags, --max-age or both",
        ));
    }
    let rules = Rules {
        keep_tags: arguments.keep_tags.map(|keep| usize::try_from(keep).unwrap_or(usize::MAX)),
        max_age: arguments.max_age,
        min_age: arguments.min_age,
        patterns: arguments.tags.clone(),
    };
    let place = Place::parse(&arguments.registry).map_err(TransferFailure::BadRequest)?;
    let access = Access { credentials: arguments.credentials.as_deref(), authority: None };
    let client = arguments.work.client(&place.endpoint, &place.path, access);
    let client = client.map_err(TransferFailure::BadRequest)?;
    run(&Cancel::default(), async { all(&client, &place, &rules, arguments, log).await })?
        .map_err(TransferFailure::Failed)
}

/// Prunes all repositories of a place. Returns what was done. The error is a sentence, where nothing
/// was begun.
async fn all(
    client: &Client,
    place: &Place,
    rules: &Rules,
    arguments: &PruneArgs,
    log: &Log,
) -> Result<Ended, String> {
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
    let now = now.map_err(|_| "the clock of this machine is before 1970: set it".to_owned())?.as_secs();
    let repositories = repositories(client, place).await?;
    let before = Record::read(client).await?;
    let mut record = before.clone();
    let (mut total, mut failure) = (Numbers::default(), None);
    let mut referenced = Referenced::default();
    for repository in &repositories {
        let look = Look { client, repository, record: &before, parallel: arguments.parallel.into(), now };
        let done = if arguments.dry_run {
            repository::pretend(&look, rules, log).await.map_err(Stopped::Failed)
        } else {
            let done = repository::prune(&look, rules).await;
            done.map(|(numbers, contents)| {
                record.set(repository, Look::seen(&contents));
                referenced.add(&contents);
                numbers
            })
        };
        match done {
            Ok(numbers) => {
                if numbers.tags + numbers.manifests > 0 && !arguments.dry_run {
                    log.info(format_args!("{repository}: {}", done_sentence(numbers, false)));
                }
                total.tags += numbers.tags;
                total.manifests += numbers.manifests;
                total.left += numbers.left;
                total.shared += numbers.shared;
            }
            Err(stopped) => {
                let why = why(&stopped);
                log.info(format_args!("cannot prune {repository} in {}: {why}", client.endpoint()));
                failure.get_or_insert(format!("cannot prune {repository} in {}: {why}", client.endpoint()));
            }
        }
    }
    if !arguments.dry_run {
        if place.path.is_empty() {
            let exist: BTreeSet<&str> = repositories.iter().map(String::as_str).collect();
            record.retain(|repository| exist.contains(repository));
        }
        if let Err(sentence) = record.write(&before, client, now).await {
            log.info(&sentence);
            failure.get_or_insert(sentence);
        }
    }
    let done = done_sentence(total, arguments.dry_run);
    // Of repositories that could not be looked at, nobody knows what they refer to.
    let bytes = failure.is_none().then(|| referenced.bytes());
    let numbers = (!arguments.dry_run).then(|| numbers(total, bytes));
    let done = match failure {
        None => Ok(format!("{done}\n")),
        Some(sentence) => {
            Err(TransferFailure::Failed(format!("{sentence}; {done}: run it again for the rest")))
        }
    };
    Ok(Ended { done, numbers })
}

/// What was done, as the operator reads it.
fn numbers(total: Numbers, bytes_referenced: Option<u64>) -> Value {
    let mut numbers = json!({
        "deletedTags": total.tags, "deletedManifests": total.manifests, "keptTags": total.left,
    });
    if let (Some(bytes), Some(members)) = (bytes_referenced, numbers.as_object_mut()) {
        members.insert("bytesReferenced".to_owned(), bytes.into());
    }
    numbers
}

/// The repositories that a place stands for, without that of the record.
async fn repositories(client: &Client, place: &Place) -> Result<Vec<String>, String> {
    if !place.is_pattern() {
        return Ok(vec![place.path.clone()]);
    }
    let mut all = client
        .repositories()
        .await
        .map_err(|error| format!("cannot list what is in {}: {error}", client.endpoint()))?;
    all.retain(|repository| place.holds(repository) && repository != RETENTION_REPOSITORY);
    Ok(all)
}

fn why(stopped: &Stopped) -> String {
    match stopped {
        Stopped::Deletion => "the registry does not delete: set spec.delete of the cache to true, or REGISTRY_STORAGE_DELETE_ENABLED=true for the registry".to_owned(),
        Stopped::Failed(error) => error.to_string(),
    }
}

fn done_sentence(numbers: Numbers, is_dry: bool) -> String {
    let verb = if is_dry { "would delete" } else { "deleted" };
    let Numbers { tags, manifests, left, shared } = numbers;
    let mut sentence = format!("{verb} {tags} tags and {manifests} manifests, {left} tags are left");
    if shared > 0 {
        // Writing into a String cannot fail.
        let _ = write!(sentence, ", {shared} of them only because others name the same manifests");
    }
    sentence
}
