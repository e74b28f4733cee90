//! The Jobs and CronJobs for retention, seeds and export.

use super::Child;
use super::collection;
use super::registry_service::endpoint;
use super::task::{Task, cron_job, indexed_job, task_name};
use super::task_access::{DESTINATION, ONLY, SOURCE};
use crate::json::Json;
use crate::kinds::{CRON_JOB, JOB};
use crate::observed::{Object, Objects};
use crate::primary::{Flavor, Primary};
use crate::settings::Settings;
use std::borrow::Cow;

/// Roles of the pods, and parts of the names of their CronJobs.
pub(super) const RETENTION: &str = "retention";
const SEED: &str = "seed";
const EXPORT: &str = "export";
/// All roles.
pub(crate) const TASK_ROLES: [&str; 3] = [RETENTION, SEED, EXPORT];

/// The objects for the work that the spec asks for. `may_copy` is false where the administrator does
/// not allow a registry that it names. `pods_retain` says whether the registry pods do their part of
/// retention ([`super::pods_retain`]).
pub(crate) fn task_children<'a>(
    primary: &'a Primary<'a>,
    settings: &Settings<'a>,
    may_copy: bool,
    pods_retain: bool,
) -> Vec<Child<'a>> {
    // The short name, which every certificate of the registry is for, and which no forward proxy gets.
    let endpoint = endpoint(primary, None).to_string();
    let mut children = Vec::new();
    children.extend(retention(primary, settings, &endpoint, pods_retain));
    if may_copy {
        children.extend(seed(primary, settings, &endpoint));
        children.extend(export(primary, settings, &endpoint));
    }
    children
}

/// The names that CronJobs for the work of a cache have, whether it wants them or not.
pub(crate) fn cron_job_names<'a>(primary: &Primary<'_>) -> [Cow<'a, str>; 2] {
    [RETENTION, EXPORT].map(|role| task_name(primary, role))
}

/// The CronJob for retention, where there is one.
pub(crate) fn retention_of<'o, 'a>(primary: &Primary<'_>, owned: &'o Objects<'a>) -> Option<&'o Object<'a>> {
    owned.find(&CRON_JOB, &task_name(primary, RETENTION))
}

/// The CronJob for the export, where there is one.
pub(crate) fn export_of<'o, 'a>(primary: &Primary<'_>, owned: &'o Objects<'a>) -> Option<&'o Object<'a>> {
    owned.find(&CRON_JOB, &task_name(primary, EXPORT))
}

/// The Job for the seeds, where there is one: the one that is wanted.
pub(crate) fn seed_of<'o, 'a>(children: &[Child<'_>], owned: &'o Objects<'a>) -> Option<&'o Object<'a>> {
    let child = children.iter().find(|child| *child.kind == JOB)?;
    owned.find(&JOB, &child.name)
}

fn retention<'a>(
    primary: &'a Primary<'a>,
    settings: &Settings<'a>,
    endpoint: &str,
    pods_retain: bool,
) -> Option<Child<'a>> {
    let retention = primary.spec.tasks.retention.as_ref()?;
    if pods_retain && primary.spec.flavor() == Flavor::Zot {
        return None;
    }
    let mut words = vec![Json::from("prune")];
    words.extend(retention.keep_tags.map(|keep| Json::from(format!("--keep-tags={keep}"))));
    words.extend(retention.max_age.map(|age| Json::from(format!("--max-age={age}"))));
    words.extend(retention.patterns.iter().map(|pattern| Json::from(format!("--tags={pattern}"))));
    let mut mounted: Vec<_> = ONLY.of_cache(primary).collect();
    if pods_retain && primary.spec.collects_garbage() {
        words.push(collection::word(primary));
        mounted.push(collection::mounted(primary));
    }
    words.push(endpoint.to_owned().into());
    let task = Task { role: RETENTION, words, mounted, reaches_others: false };
    Some(cron_job(primary, settings, retention.schedule(), task))
}

fn seed<'a>(primary: &'a Primary<'a>, settings: &Settings<'a>, endpoint: &str) -> Option<Child<'a>> {
    let seed = primary.spec.tasks.seed.as_ref()?;
    // The registry may come up later than the Job.
    let mut words: Vec<Json<'a>> = vec!["copy".into(), "--by-index".into(), "--patience=600".into()];
    for artifact in &seed.artifacts {
        words.push(artifact.source.into());
        words.push(format!("{endpoint}/{}", artifact.target()).into());
    }
    let mounted = SOURCE.of_other(seed.secret).into_iter().chain(DESTINATION.of_cache(primary)).collect();
    let items = i64::try_from(seed.artifacts.len()).unwrap_or(i64::MAX);
    let task = Task { role: SEED, words, mounted, reaches_others: true };
    Some(indexed_job(primary, settings, items, task))
}

fn export<'a>(primary: &'a Primary<'a>, settings: &Settings<'a>, endpoint: &str) -> Option<Child<'a>> {
    let export = primary.spec.tasks.export.as_ref()?;
    let destination = export.destination.trim_end_matches('/');
    let mut words: Vec<Json<'a>> = vec!["copy".into()];
    if export.tags.is_empty() {
        words.push("--all-tags".into());
    }
    words.extend(export.tags.iter().map(|pattern| Json::from(format!("--tags={pattern}"))));
    if export.repositories.is_empty() {
        words.extend([endpoint.to_owned().into(), destination.into()]);
    }
    for repository in &export.repositories {
        words.push(format!("{endpoint}/{repository}").into());
        // Repositories of a pattern keep their names, and so does a single one.
        let is_pattern = repository.contains(['*', '?']);
        words.push(if is_pattern {
            destination.into()
        } else {
            format!("{destination}/{repository}").into()
        });
    }
    let mounted = DESTINATION.of_other(export.secret).into_iter().chain(SOURCE.of_cache(primary)).collect();
    let task = Task { role: EXPORT, words, mounted, reaches_others: true };
    Some(cron_job(primary, settings, export.schedule(), task))
}
