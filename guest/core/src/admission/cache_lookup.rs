//! The cache that a step names: known, to be looked up by the host, or missing.

use super::cache_of_step::Cache;
use super::decision::Decision;
use super::known::Known;
use super::pod::{Container, Pod};
use super::policy;
use super::step::Step;
use super::step_container;
use crate::credentials::Credentials;
use crate::findings::Findings;
use crate::json::Json;
use crate::kinds::{NAMESPACE, ORAS_CACHE};
use crate::primary::Primary;
use crate::settings::Settings;
use orascache_api::names::KIND;
use orascache_api::steps::{ANNOTATION_PREFIX as PREFIX, annotation};
use orascache_contract::{ArtifactQuestion, Needs, ObjectRef};

/// Result of the lookup of a cache.
pub(crate) enum Found<'a> {
    Cache(Cache<'a>),
    /// The host says that there is none.
    Missing,
    /// The cache exists, but no step can use it. The sentence says why.
    Unusable(String),
    /// The host must look it up first.
    Need,
}

/// Looks for the cache among the candidates.
pub(crate) fn find<'a>(
    candidates: &'a [Json<'a>],
    known: &Known<'_>,
    name: &str,
    namespace: &str,
) -> Found<'a> {
    let mut unusable = None;
    for tree in candidates {
        let of = |field| tree.member_of("metadata", field).and_then(Json::as_str);
        if of("name") != Some(name) || of("namespace") != Some(namespace) {
            continue;
        }
        match Primary::read(tree) {
            // The sentence does not say what is wrong: whoever reviews a pod need not be somebody
            // who may read caches.
            Err(_) => {
                unusable = Some(format!("{KIND} {name} has fields of wrong types: correct it first"));
            }
            Ok(primary) if primary.metadata.is_being_deleted => {
                unusable = Some(format!(
                    "{KIND} {name} is being deleted: wait until it is gone and create it again, or name another one in {PREFIX}{}",
                    annotation::CACHE
                ));
            }
            Ok(primary) => {
                return Found::Cache(Cache::of(&primary));
            }
        }
    }
    // The host's object cache may lag behind the API. A pod is refused only after the host has read
    // the API itself.
    if known.complete { unusable.map_or(Found::Missing, Found::Unusable) } else { Found::Need }
}

/// The cache, for the host to look up.
fn cache_reference(name: &str, namespace: &str) -> ObjectRef {
    ObjectRef {
        kind: ORAS_CACHE.clone(),
        namespace: Some(namespace.to_owned()),
        name: name.to_owned(),
        uid: None,
    }
}

/// The namespace, for the host to look up its labels.
fn namespace_reference(name: &str) -> ObjectRef {
    ObjectRef { kind: NAMESPACE.clone(), namespace: None, name: name.to_owned(), uid: None }
}

/// Checks what a step wants of its cache. Returns the Secret with the credentials of the step: the
/// one that it names, or the cache's, if the step uses the registry that this one is for. The
/// cache's own registry gets the account of `spec.auth`, and never the Secret for another registry.
/// Messages name no Secret.
pub(crate) fn check<'a>(
    pod: &Pod<'_>,
    container: Option<&Container<'_>>,
    step: &Step<'a>,
    cache: &Cache<'a>,
    settings: &Settings<'_>,
    findings: &mut Findings,
) -> Option<Credentials<'a>> {
    let key = annotation::REGISTRY;
    let Some(registry) = &step.registry else {
        check_own_registry(step, cache, findings);
        if let Some(container) = container.filter(|_| cache.authority.is_some() && step.authority.is_none()) {
            step_container::check_authority_names(pod, container, findings);
        }
        let credentials = step.credentials.map(Credentials::named).or_else(|| cache.account.clone());
        if credentials.is_some() {
            step_container::check_shared_processes(pod, findings);
        }
        return credentials;
    };
    let wanted = step.credentials.or(cache.credentials)?;
    // This also holds where the cache's Secret is for another registry: otherwise the same pod
    // would be refused later, when somebody corrects the cache.
    step_container::check_shared_processes(pod, findings);
    let is_bound = cache.credentials_registry.is_some_and(|bound| policy::is_bound_to(registry, bound));
    if step.credentials.is_none() && !is_bound {
        findings.warn(format!(
            "{PREFIX}{key} is {registry}, which spec.secrets.orasEnvRegistry of {KIND} {} does not name, so that no credentials are sent there: name a Secret in {PREFIX}{}, or correct the cache",
            step.cache,
            annotation::ORAS_ENV
        ));
        return None;
    }
    policy::check_plain_http(settings, step, findings);
    Some(Credentials::named(wanted))
}

/// Refuses what the cache's own registry cannot do, and warns of what has no effect there.
fn check_own_registry(step: &Step<'_>, cache: &Cache<'_>, findings: &mut Findings) {
    let name = step.cache;
    if !cache.deploys {
        findings.refuse(format!(
            "{PREFIX}{} is missing: {KIND} {name} has no registry of its own (spec.deploy is false), so name one like ghcr.io",
            annotation::REGISTRY
        ));
        return;
    }
    if cache.is_scaled_to_zero {
        findings.warn(format!(
            "{KIND} {name} has no registry pods (spec.replicas is 0): the step cannot reach its registry until it is scaled up"
        ));
    }
    if let Some(why) = cache.refuses_pushes.filter(|_| !step.outputs.is_empty()) {
        findings.refuse(format!(
            "{PREFIX}{} cannot be pushed, since {KIND} {name} {why}: name another cache in {PREFIX}{}, or another registry in {PREFIX}{}",
            annotation::OUTPUT_URI,
            annotation::CACHE,
            annotation::REGISTRY
        ));
    }
    if cache.has_accounts && cache.account.is_none() && step.credentials.is_none() {
        findings.refuse(format!(
            "{PREFIX}{} is missing: the registry of {KIND} {name} asks for an account (spec.auth), and its spec names none for steps, so name a Secret with one",
            annotation::ORAS_ENV
        ));
    }
    if step.authority.is_some() && !cache.has_tls() {
        findings.warn(format!(
            "{PREFIX}{} has no effect without {PREFIX}{}: the cache's own registry has no TLS",
            annotation::REGISTRY_CA,
            annotation::REGISTRY
        ));
    }
}

/// What the host must look up before there is an answer.
pub(crate) fn need(
    found: &Found<'_>,
    step: &Step<'_>,
    namespace: &str,
    needs_namespace: bool,
    question: Option<&ArtifactQuestion>,
) -> Option<Decision> {
    if !needs_namespace && !matches!(found, Found::Need) && question.is_none() {
        return None;
    }
    // The next context has what is asked for now, and nothing else: so the cache is asked for in
    // any case.
    let mut objects = vec![cache_reference(step.cache, namespace)];
    if needs_namespace {
        objects.push(namespace_reference(namespace));
    }
    Some(Decision::Need(Needs { objects, questions: question.cloned().into_iter().collect() }))
}
