//! Pods that work on a registry with the agent, and the Jobs and CronJobs that they belong to. They
//! satisfy Pod Security `restricted`.

use super::pod_parts::{container_security, pod_security};
use super::task_access::Mounted;
use super::task_resources;
use super::{Child, owner_name, selector_labels_of};
use crate::digest;
use crate::json::Json;
use crate::kinds::{CRON_JOB, JOB};
use crate::kubernetes::{escaped, variable};
use crate::primary::Primary;
use crate::settings::Settings;
use orascache_api::names::labels;
use orascache_api::steps::{AGENT_PROGRAM, env};
use std::borrow::Cow;

/// Name of the container.
pub(crate) const CONTAINER: &str = "agent";
/// Longest name of a CronJob, which adds eleven characters to it for its Jobs.
const MAX_NAME: usize = 52;

/// Work of the agent.
pub(crate) struct Task<'a> {
    /// What it is for: a part of the name, and the role of the pods.
    pub(crate) role: &'static str,
    /// The words behind the name of the program.
    pub(crate) words: Vec<Json<'a>>,
    /// Accounts and authorities, each with the flag that names it.
    pub(crate) mounted: Vec<Mounted<'a>>,
    /// Whether it reaches other registries than that of the cache. A forward proxy is for them alone.
    pub(crate) reaches_others: bool,
}

/// A CronJob that does the work by a schedule, one run at a time.
pub(crate) fn cron_job<'a>(
    primary: &'a Primary<'a>,
    settings: &Settings<'a>,
    schedule: &'a str,
    task: Task<'a>,
) -> Child<'a> {
    let name = task_name(primary, task.role);
    let role = task.role;
    let job =
        Json::object([("backoffLimit", Some(2.into())), ("template", Some(pod(primary, settings, task)))]);
    let template = Json::object([
        ("metadata", Some(Json::object([("labels", Some(labels_of(primary, role)))]))),
        ("spec", Some(job)),
    ]);
    let spec = Json::object([
        ("concurrencyPolicy", Some("Forbid".into())),
        ("failedJobsHistoryLimit", Some(1.into())),
        ("jobTemplate", Some(template)),
        ("schedule", Some(schedule.into())),
        // A run that was missed for an hour waits for the next one.
        ("startingDeadlineSeconds", Some(3600.into())),
        ("successfulJobsHistoryLimit", Some(1.into())),
    ]);
    Child::new(primary, &CRON_JOB, name, [("spec", spec)])
}

/// A Job that does the work once, with a pod for each of a number of items. What a Job does cannot
/// change, so that its name depends on it.
pub(crate) fn indexed_job<'a>(
    primary: &'a Primary<'a>,
    settings: &Settings<'a>,
    items: i64,
    task: Task<'a>,
) -> Child<'a> {
    let role = task.role;
    let spec = Json::object([
        // One item that fails does not stop the others.
        ("backoffLimitPerIndex", Some(3.into())),
        ("completionMode", Some("Indexed".into())),
        ("completions", Some(items.into())),
        ("parallelism", Some(items.min(2).into())),
        ("template", Some(pod(primary, settings, task))),
    ]);
    let content = digest::of(&spec);
    let suffix = format!("{role}-{}", content.get(..8).unwrap_or_default());
    Child::new(primary, &JOB, task_name(primary, &suffix), [("spec", spec)])
}

/// The name of the object for some work. A long name of a cache is cut, and made unique again.
pub(crate) fn task_name<'a>(primary: &Primary<'_>, role: &str) -> Cow<'a, str> {
    let name = owner_name(primary);
    if name.len() + 1 + role.len() <= MAX_NAME {
        return format!("{name}-{role}").into();
    }
    let unique = digest::of(&Json::from(name));
    let unique = unique.get(..8).unwrap_or_default();
    let cut = MAX_NAME.saturating_sub(role.len() + unique.len() + 2);
    let name = name.get(..cut).unwrap_or(name).trim_end_matches('-');
    format!("{name}-{unique}-{role}").into()
}

/// Labels of the pods. They are none of the registry, so that neither its Service nor its policy
/// selects them.
fn labels_of<'a>(primary: &'a Primary<'a>, role: &'static str) -> Json<'a> {
    let mut all = selector_labels_of(primary, role);
    if let Json::Object(members) = &mut all {
        members.push((labels::MANAGED_BY.into(), labels::MANAGED_BY_VALUE.into()));
    }
    all
}

fn pod<'a>(primary: &'a Primary<'a>, settings: &Settings<'a>, task: Task<'a>) -> Json<'a> {
    let spec = &primary.spec;
    let labels = labels_of(primary, task.role);
    let volumes = list(task.mounted.iter().map(|mounted| mounted.volume.clone()));
    let spec = Json::object([
        ("automountServiceAccountToken", Some(false.into())),
        ("containers", Some(Json::Array(vec![container(primary, settings, task)]))),
        ("enableServiceLinks", Some(false.into())),
        ("imagePullSecrets", spec.image_pull_secrets.cloned()),
        ("nodeSelector", spec.node_selector.cloned()),
        ("restartPolicy", Some("Never".into())),
        ("securityContext", Some(pod_security(false))),
        ("tolerations", spec.tolerations.cloned()),
        ("volumes", volumes),
    ]);
    Json::object([("metadata", Some(Json::object([("labels", Some(labels))]))), ("spec", Some(spec))])
}

fn container<'a>(primary: &'a Primary<'a>, settings: &Settings<'a>, task: Task<'a>) -> Json<'a> {
    let mut words = vec![Json::from(AGENT_PROGRAM)];
    words.extend(task.words);
    words.extend(task.mounted.iter().map(|mounted| Json::from(mounted.word.clone())));
    for (name, value) in settings.forward_proxy.named().filter(|_| task.reaches_others) {
        words.push(escaped(&format!("--{name}-proxy={value}")).into());
    }
    let variables =
        settings.registry_ca.map(|pem| Json::Array(vec![variable(env::CA_PEM, escaped(pem).into())]));
    let mounts = list(task.mounted.into_iter().map(|mounted| mounted.mount));
    Json::object([
        ("command", Some(Json::Array(words))),
        ("env", variables),
        ("image", Some(settings.agent_image.into())),
        ("name", Some(CONTAINER.into())),
        ("resources", Some(task_resources::of(&primary.spec))),
        ("securityContext", Some(container_security())),
        ("terminationMessagePolicy", Some("FallbackToLogsOnError".into())),
        ("volumeMounts", mounts),
    ])
}

/// A list, where it has items.
fn list<'a>(items: impl Iterator<Item = Json<'a>>) -> Option<Json<'a>> {
    let items: Vec<Json<'a>> = items.collect();
    (!items.is_empty()).then_some(Json::Array(items))
}
