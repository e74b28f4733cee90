//! Rules for the work on a registry: retention, seeds and export.

use super::report::Report;
use crate::primary::{Flavor, Spec};
use crate::tasks::{Export, Retention, Seed, is_artifact, is_registry, split};
use orascache_api::duration::age;
use orascache_api::pattern::{REPOSITORY_PATTERN, TAG_PATTERN, is_repository_pattern, is_tag_pattern};
use orascache_api::reference::Reference;
use orascache_api::schedule::{SCHEDULE, is_schedule};
use orascache_api::sentences;
use std::collections::BTreeSet;

/// Most artifacts of one list of seeds: each is a pod.
const MAX_SEEDS: usize = 100;

pub(super) fn problems(spec: &Spec<'_>, report: &mut Report) {
    let tasks = &spec.tasks;
    if let Some(retention) = &tasks.retention {
        of_retention(spec, retention, report);
    }
    if let Some(seed) = &tasks.seed {
        of_seed(seed, report);
    }
    if let Some(export) = &tasks.export {
        of_export(export, report);
    }
}

fn of_retention(spec: &Spec<'_>, retention: &Retention<'_>, report: &mut Report) {
    let is_zot = spec.flavor() == Flavor::Zot;
    let knows_pulls = is_zot && retention.unused_since.is_some();
    if retention.keep_tags.is_none() && retention.max_age.is_none() && !knows_pulls {
        report.say("spec.retention", sentences::NOTHING_IS_KEPT);
    }
    if let Some(keep) = retention.keep_tags.filter(|keep| !(1..=1_000_000).contains(keep)) {
        report.add("spec.retention.keepTags", format!("{keep} must be a number from 1 to 1000000"));
    }
    let ages = [
        ("spec.retention.maxAge", retention.max_age),
        ("spec.retention.unusedSince", retention.unused_since),
    ];
    for (field, text) in ages {
        if let Some(text) = text
            && let Err(why) = age(text)
        {
            report.quoted(field, text, why);
        }
    }
    of_schedule("spec.retention.schedule", retention.schedule(), report);
    of_tags("spec.retention.patterns", &retention.patterns, report);
    let collects = retention.garbage_collection;
    let of_collection = "spec.retention.garbageCollection";
    if is_zot {
        report.say_if(retention.has_schedule(), "spec.retention.schedule", sentences::SCHEDULE_OF_ZOT);
        report.say_if(collects == Some(false), of_collection, sentences::COLLECTION_OF_ZOT);
        return;
    }
    let unused = retention.unused_since.is_some();
    report.say_if(unused, "spec.retention.unusedSince", sentences::UNUSED_SINCE);
    let has_other_writers = collects == Some(true) && spec.replicas() > 1;
    report.say_if(has_other_writers, of_collection, sentences::COLLECTION_OF_REPLICAS);
}

fn of_seed(seed: &Seed<'_>, report: &mut Report) {
    const FIELD: &str = "spec.seed.artifacts";
    if seed.artifacts.is_empty() || seed.artifacts.len() > MAX_SEEDS {
        let number = seed.artifacts.len();
        report.add(FIELD, format!("{number} artifacts are named: name from 1 to {MAX_SEEDS}"));
    }
    let mut targets = BTreeSet::new();
    for artifact in &seed.artifacts {
        let (source, target) = (artifact.source, artifact.target());
        if !is_artifact(source) {
            report.quoted(FIELD, source, sentences::SEED_SOURCE);
        } else if Reference::parse(target).is_ok_and(|target| target.digest.is_some())
            || Reference::parse(target).is_err()
        {
            report.quoted(FIELD, target, sentences::SEED_TARGET);
        } else if !targets.insert(target) {
            report.add(FIELD, format!("two sources would become {target}: give one of them another target"));
        }
    }
}

fn of_export(export: &Export<'_>, report: &mut Report) {
    let (host, path) = split(export.destination);
    let is_path = path.is_empty() || (is_repository_pattern(path) && Reference::parse(path).is_ok());
    if !is_registry(host) || !is_path {
        report.quoted("spec.export.destination", export.destination, sentences::EXPORT_DESTINATION);
    }
    for repository in export.repositories.iter().filter(|one| !is_repository_pattern(one)) {
        report.quoted("spec.export.repositories", repository, REPOSITORY_PATTERN);
    }
    of_tags("spec.export.tags", &export.tags, report);
    of_schedule("spec.export.schedule", export.schedule(), report);
}

fn of_schedule(field: &'static str, schedule: &str, report: &mut Report) {
    if !is_schedule(schedule) {
        report.quoted(field, schedule, SCHEDULE);
    }
}

fn of_tags(field: &'static str, patterns: &[&str], report: &mut Report) {
    for pattern in patterns.iter().filter(|one| !is_tag_pattern(one)) {
        report.quoted(field, pattern, TAG_PATTERN);
    }
}
