//! Copies artifacts from one registry to another, through memory: `copy`.
//!
//! - `args` is the command line, `pairs` what it means, `selection` which artifacts that are, and
//!   `sides` the two registries;
//! - `artifact` copies manifests with all that they name, with `blob` and `referrers`;
//! - `counts` is what was done.

mod args;
mod artifact;
mod blob;
mod counts;
mod pairs;
mod referrers;
mod selection;
mod sides;

pub use args::CopyArgs;

use crate::cancel::Cancel;
use crate::listed::listed;
use crate::log::Log;
use crate::transfer::{TransferFailure, run};
use crate::work::Ended;
use artifact::{Copier, Route};
use counts::Counts;
use futures::stream::{self, StreamExt};
use oci_registry_client::EncodedManifest;
use pairs::Pair;
use selection::Chosen;
use sides::Sides;

/// Number of failures that the last sentence names. The log has all of them.
const NAMED: usize = 5;

/// Copies artifacts. Returns the exit code.
pub fn execute(arguments: &CopyArgs) -> u8 {
    let log = Log::default();
    let ended = try_copy(arguments, &log).unwrap_or_else(Ended::from);
    arguments.work.finish(ended, &log)
}

fn try_copy(arguments: &CopyArgs, log: &Log) -> Result<Ended, TransferFailure> {
    let pairs = pairs::read(arguments, |name| std::env::var(name).ok());
    let pairs = pairs.map_err(TransferFailure::BadRequest)?;
    let sides: Result<Vec<(Pair, Sides)>, String> =
        pairs.into_iter().map(|pair| Sides::of(&pair, arguments).map(|sides| (pair, sides))).collect();
    let sides = sides.map_err(TransferFailure::BadRequest)?;
    let (counts, failures) = run(&Cancel::default(), async {
        let (mut counts, mut failures) = (Counts::default(), Vec::new());
        for (pair, sides) in &sides {
            counts += pair_of(pair, sides, arguments, log, &mut failures).await;
        }
        (counts, failures)
    })?;
    let done = if failures.is_empty() {
        Ok(format!("{counts}\n"))
    } else {
        let named = listed(failures.iter(), NAMED);
        Err(TransferFailure::Failed(format!("{named}; {counts}: run it again to copy the rest")))
    };
    Ok(Ended { done, numbers: Some(counts.numbers()) })
}

/// Copies one pair. Failures are logged, and collected as sentences.
async fn pair_of(
    pair: &Pair,
    sides: &Sides,
    arguments: &CopyArgs,
    log: &Log,
    failures: &mut Vec<String>,
) -> Counts {
    let chosen = match selection::choose(&sides.source, pair, &arguments.tags).await {
        Ok(chosen) => chosen,
        Err(sentence) => {
            log.info(&sentence);
            failures.push(sentence);
            return Counts { failed: 1, ..Counts::default() };
        }
    };
    let copier = Copier::new(sides, arguments.referrers);
    let mut counts = Counts::default();
    let mut failed = |chosen: &Chosen, why: String, counts: &mut Counts| {
        let sentence = format!(
            "cannot copy {} from {} to {}: {why}",
            chosen.from,
            sides.source.endpoint(),
            sides.destination.endpoint()
        );
        log.info(&sentence);
        failures.push(sentence);
        counts.failed += 1;
    };
    let copying = chosen.iter().map(|chosen| {
        let copier = &copier;
        async move { (chosen, content(copier, chosen).await) }
    });
    let mut copying = stream::iter(copying).buffer_unordered(arguments.parallel.into());
    let mut complete = Vec::new();
    while let Some((chosen, copied)) = copying.next().await {
        match copied {
            Ok((manifest, held)) => complete.push((chosen, manifest, held)),
            Err(why) => failed(chosen, why, &mut counts),
        }
    }
    // Tags come last: none names an artifact that is not complete.
    let tagging = complete.iter().map(|(chosen, manifest, held)| async move {
        (*chosen, manifest, tag(sides, chosen, manifest, *held).await)
    });
    let mut tagging = stream::iter(tagging).buffer_unordered(arguments.parallel.into());
    while let Some((chosen, manifest, tagged)) = tagging.next().await {
        match tagged {
            Ok(Tagged::Moved) => {
                counts.copied += 1;
                log.info(format_args!(
                    "copied {} to {}/{} ({})",
                    chosen.from,
                    sides.destination.endpoint().host(),
                    chosen.to,
                    manifest.digest()
                ));
            }
            Ok(Tagged::There) => counts.there += 1,
            Err(why) => failed(chosen, why, &mut counts),
        }
    }
    counts += copier.counts();
    counts
}

/// Copies an artifact without its tag. Returns its manifest, and whether the destination had it.
async fn content(copier: &Copier<'_>, chosen: &Chosen) -> Result<(EncodedManifest, bool), String> {
    let manifest = copier.read(&chosen.from).await?;
    let route = Route { from: &chosen.from.repository, to: &chosen.to.repository };
    let held = copier.holds(route.to, manifest.digest()).await?;
    copier.manifest(route, &manifest, 0).await?;
    Ok((manifest, held))
}

enum Tagged {
    Moved,
    There,
}

/// Moves the tag of the destination, where it has one.
async fn tag(
    sides: &Sides,
    chosen: &Chosen,
    manifest: &EncodedManifest,
    held: bool,
) -> Result<Tagged, String> {
    if chosen.to.tag.is_none() {
        return Ok(if held { Tagged::There } else { Tagged::Moved });
    }
    let held = sides.destination.held_manifest(&chosen.to).await.map_err(|error| error.to_string())?;
    if held.as_ref() == Some(manifest.digest()) {
        return Ok(Tagged::There);
    }
    sides.destination.tag_manifest(&chosen.to, manifest).await.map_err(|error| error.to_string())?;
    Ok(Tagged::Moved)
}
