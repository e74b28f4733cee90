//! Whether a gated pod waits or is let go.

use super::INPUT_WAIT;
use super::pod::GatedPod;
use crate::admission::awaited::{Artifact, Awaited};
use crate::admission::pod::{Pod, PodSource};
use crate::desired;
use crate::findings::Findings;
use crate::json::Json;
use crate::kinds::{ORAS_CACHE, SECRET};
use crate::primary::Primary;
use crate::settings::Settings;
use orascache_api::duration::Duration;
use orascache_api::endpoint::Endpoint;
use orascache_api::names::KIND;
use orascache_contract::time::rfc3339;
use orascache_contract::{
    ArtifactAspect, ArtifactFinding, ArtifactQuestion, Error, Event, ObjectRef, Observed, Plan, Severity,
};
use std::collections::BTreeMap;

/// For so many seconds, a cache that nobody has seen may be one that the watch has not delivered:
/// admission has seen it.
const UNSEEN: u32 = 10;
/// So many seconds without any answer are worth an event.
const SILENCE: u32 = 30;
/// Artifacts that an event names.
const NAMED: usize = 10;

/// The time of a pod, in seconds.
#[derive(Clone, Copy, Debug)]
struct Time {
    /// How long it has waited. Nothing for a pod that was created in the future: one of the two
    /// clocks is wrong, and the pod waits no longer than it asks for.
    waited: u32,
    remaining: u32,
    /// When the time is over, seconds since the Unix epoch.
    until: u64,
}

impl Time {
    fn of(pod: &GatedPod<'_>, wait: Duration, now: u64) -> Self {
        let created = pod.created.unwrap_or(now);
        let waited = u32::try_from(now.saturating_sub(created)).unwrap_or(u32::MAX);
        let remaining = wait.seconds().saturating_sub(waited);
        Time { waited, remaining, until: created.saturating_add(wait.seconds().into()) }
    }
}

/// Why a pod is let go.
struct Release {
    reason: &'static str,
    severity: Severity,
    sentence: String,
}

impl Release {
    fn normal(reason: &'static str, sentence: String) -> Self {
        Release { reason, severity: Severity::Normal, sentence }
    }

    /// Waiting cannot help.
    fn untold(why: &str) -> Self {
        Release::normal(
            "InputsUnknown",
            format!("The operator cannot find out whether the inputs exist: {why}. The agent looks itself."),
        )
    }
}

/// Plans for a pod with a gate.
pub(super) fn decide<T: AsRef<str>>(
    pod: &GatedPod<'_>,
    settings: &Settings<'_>,
    caches: &[Json<'_>],
    observed: &Observed<T>,
) -> Result<Plan, Error> {
    let awaited = Awaited::read(pod.annotations);
    let Some(wait) = awaited.wait.and_then(|text| Duration::parse(text).ok()) else {
        let sentence =
            format!("The pod has no usable annotation {INPUT_WAIT}, so that it waits for nothing.");
        return Ok(release(pod, None, Release::normal("NothingToWaitFor", sentence)));
    };
    let time = Time::of(pod, wait, observed.now);
    Ok(match plan(pod, &awaited, time, settings, caches, observed) {
        Ok(plan) => plan,
        Err(why) => release(pod, Some(time.remaining), why),
    })
}

fn plan<T: AsRef<str>>(
    pod: &GatedPod<'_>,
    awaited: &Awaited<'_>,
    time: Time,
    settings: &Settings<'_>,
    caches: &[Json<'_>],
    observed: &Observed<T>,
) -> Result<Plan, Release> {
    if !settings.gates {
        return Err(Release::untold("the administrator switched gates off"));
    }
    let read = Pod::read(pod.tree, PodSource::Pod, &mut Findings::default());
    let read = read.ok_or_else(|| Release::untold("the pod has fields of wrong types"))?;
    let is_unsure = observed.omitted.contains(&ORAS_CACHE);
    let mut own = None;
    match Cache::find(caches, awaited.cache) {
        Cache::Usable(cache) => {
            own = Primary::read(cache).ok().map(|cache| desired::endpoint(&cache, settings.cluster_domain));
        }
        Cache::WithoutRegistry if !awaited.is_of_cache() => {}
        Cache::WithoutRegistry => return Err(gone(awaited.cache, "has no registry of its own")),
        Cache::Missing if is_unsure => {}
        Cache::Missing if time.waited < UNSEEN && time.remaining > 0 => {
            return Ok(again_after(time.remaining.min(UNSEEN - time.waited)));
        }
        Cache::Missing => return Err(gone(awaited.cache, "does not exist")),
        Cache::Leaving => return Err(gone(awaited.cache, "is being deleted")),
    }
    let endpoint = awaited.endpoint(&read, pod.namespace, settings, own).map_err(Release::untold)?;
    let credentials = pod.credentials();
    if credentials.is_some() && !awaited.may_get_credentials(&endpoint, settings) {
        return Err(Release::untold("credentials may not travel to the registry in clear text"));
    }
    let names = (pod.name, pod.namespace);
    let artifacts = awaited.artifacts(&read, names, settings.maximum_inputs).map_err(Release::untold)?;
    let questions = questions(&artifacts, &endpoint, credentials, pod.namespace);
    let state = State::of(&artifacts, &questions, observed);
    if let Some(why) = state.unknown {
        return Err(Release::untold(why.trim_end_matches('.')));
    }
    if state.missing.is_empty() && state.unanswered.is_empty() {
        return Err(Release::normal("InputsArrived", "All inputs exist.".to_owned()));
    }
    if time.remaining == 0 {
        let missing: Vec<&Artifact> = state.missing.iter().chain(&state.unanswered).copied().collect();
        let sentence =
            format!("The time of {INPUT_WAIT} is over, and {} did not come to {endpoint}.", list(&missing));
        return Err(Release { reason: "InputWaitOver", severity: Severity::Warning, sentence });
    }
    let mut plan = again_after(time.remaining);
    if state.unanswered.is_empty() {
        let sentence =
            format!("It waits until {} for {} in {endpoint}.", rfc3339(time.until), list(&state.missing));
        plan.events.push(event("WaitsForInputs", Severity::Normal, "Wait", sentence));
    } else if time.waited >= SILENCE {
        let sentence = format!("{endpoint} has given no answer yet about {}.", list(&state.unanswered));
        plan.events.push(event("NoAnswer", Severity::Warning, "Wait", sentence));
    } else {
        plan.requeue_after = Some(time.remaining.min(SILENCE - time.waited));
    }
    plan.questions = questions;
    Ok(plan)
}

/// The cache of a step.
enum Cache<'a> {
    Usable(&'a Json<'a>),
    WithoutRegistry,
    Leaving,
    Missing,
}

impl<'a> Cache<'a> {
    /// The caches are those of the pod's namespace.
    fn find(caches: &'a [Json<'a>], name: &str) -> Self {
        let is_it =
            |cache: &&Json<'_>| cache.member_of("metadata", "name").and_then(Json::as_str) == Some(name);
        match caches.iter().find(is_it) {
            None => Cache::Missing,
            Some(cache) if cache.member_of("metadata", "deletionTimestamp").is_some() => Cache::Leaving,
            Some(cache) if cache.member_of("spec", "deploy") == Some(&Json::Bool(false)) => {
                Cache::WithoutRegistry
            }
            Some(cache) => Cache::Usable(cache),
        }
    }
}

fn gone(cache: &str, what: &str) -> Release {
    Release::untold(&format!("{KIND} {cache} {what}"))
}

fn questions(
    artifacts: &[Artifact],
    endpoint: &Endpoint<'_>,
    credentials: Option<&str>,
    namespace: &str,
) -> Vec<ArtifactQuestion> {
    let secret = credentials.map(|name| ObjectRef {
        kind: SECRET.clone(),
        namespace: Some(namespace.to_owned()),
        name: name.to_owned(),
        uid: None,
    });
    let question = |artifact: &Artifact| ArtifactQuestion {
        registry: endpoint.host().to_owned(),
        plain_http: endpoint.is_plain_http(),
        repository: artifact.repository.clone(),
        reference: artifact.reference.clone(),
        credentials: secret.clone(),
        aspect: ArtifactAspect::Digest,
    };
    artifacts.iter().map(question).collect()
}

/// What is known about the inputs.
struct State<'s> {
    missing: Vec<&'s Artifact>,
    unanswered: Vec<&'s Artifact>,
    /// Why waiting brings no answer about one of them.
    unknown: Option<&'s str>,
}

impl<'s> State<'s> {
    fn of<T>(artifacts: &'s [Artifact], questions: &[ArtifactQuestion], observed: &'s Observed<T>) -> Self {
        let of_question = |question: &'s ArtifactQuestion| (&*question.repository, &*question.reference);
        // All questions have the same registry and the same credentials.
        let is_ours = |other: &ArtifactQuestion| {
            questions.first().is_some_and(|ours| {
                (&ours.registry, ours.plain_http, &ours.credentials)
                    == (&other.registry, other.plain_http, &other.credentials)
            })
        };
        let ours = observed.answers.iter().filter(|answer| is_ours(&answer.question));
        let mut answers = BTreeMap::new();
        answers.extend(ours.map(|answer| (of_question(&answer.question), &answer.finding)));
        let mut state = State { missing: Vec::new(), unanswered: Vec::new(), unknown: None };
        for artifact in artifacts {
            match answers.get(&(&*artifact.repository, &*artifact.reference)) {
                Some(ArtifactFinding::Digest(_) | ArtifactFinding::ImageConfig(_)) => {}
                Some(ArtifactFinding::Missing) => state.missing.push(artifact),
                Some(ArtifactFinding::Unknown(why)) => state.unknown = Some(why),
                None => state.unanswered.push(artifact),
            }
        }
        state
    }
}

/// The first artifacts by their names, and how many more there are.
fn list(artifacts: &[&Artifact]) -> String {
    let named: Vec<String> = artifacts.iter().take(NAMED).map(ToString::to_string).collect();
    let named = named.join(", ");
    match artifacts.len().saturating_sub(NAMED) {
        0 => named,
        more => format!("{named} and {more} more"),
    }
}

fn again_after(seconds: u32) -> Plan {
    Plan { requeue_after: Some(seconds), ..Plan::default() }
}

fn release(pod: &GatedPod<'_>, remaining: Option<u32>, why: Release) -> Plan {
    let note = match remaining
        .filter(|remaining| *remaining > 0)
        .and_then(|left| Duration::from_seconds(left.into()))
    {
        Some(left) => format!("{} The pod is let go, and {left} of {INPUT_WAIT} are left.", why.sentence),
        None => format!("{} The pod is let go.", why.sentence),
    };
    Plan {
        patch: pod.release(remaining).into_iter().collect(),
        events: vec![event(why.reason, why.severity, "Release", note)],
        ..Plan::default()
    }
}

fn event(reason: &'static str, severity: Severity, action: &'static str, note: String) -> Event {
    Event { severity, reason: reason.into(), action: action.into(), note }
}
