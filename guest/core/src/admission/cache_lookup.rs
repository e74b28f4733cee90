//! The cache that a step names: known, to be looked up by the host, or missing.

use super::known::Known;
use super::pod::Pod;
use super::step::Step;
use super::step_container;
use crate::fields;
use crate::findings::Findings;
use crate::json::Json;
use crate::kinds::{NAMESPACE, ORAS_CACHE};
use crate::primary::Primary;
use orascache_api::endpoint::Endpoint;
use orascache_api::names::KIND;
use orascache_api::steps::{ANNOTATION_PREFIX as PREFIX, PROXY_CONTAINER, annotation};
use orascache_contract::{Error, ObjectRef};

/// What a step needs to know about its cache.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Cache<'a> {
    /// Whether it has a registry.
    pub(crate) deploys: bool,
    /// Its Secret for steps that use a remote registry.
    pub(crate) credentials: Option<&'a str>,
}

/// What came of looking for a cache.
pub(crate) enum Found<'a> {
    Cache(Cache<'a>),
    /// The host says that there is none.
    Missing,
    /// It exists, and no step can use it. The sentence says why.
    Unusable(String),
    /// The host must look it up first.
    Need,
}

/// Parsed objects that may have this name. Parsing is skipped for texts in which the name does not occur.
pub(crate) fn candidates<'a>(known: &Known<'a>, name: &str) -> Result<Vec<Json<'a>>, Error> {
    known
        .objects
        .iter()
        .filter(|text| text.contains(name))
        .map(|text| fields::parse(text, "an object of the context"))
        .collect()
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
            Err(error) => {
                unusable = Some(format!("{KIND} {name} cannot be read: {error}. Correct it first"));
            }
            Ok(primary) if primary.metadata.is_being_deleted => {
                unusable = Some(format!(
                    "{KIND} {name} is being deleted: wait until it is gone and create it again, or name another one in {PREFIX}{}",
                    annotation::CACHE
                ));
            }
            Ok(primary) => {
                return Found::Cache(Cache {
                    deploys: primary.spec.deploy(),
                    credentials: primary.spec.oras_env,
                });
            }
        }
    }
    // The host's memory may lag behind the API. Only what it has just looked up counts against a pod.
    if known.complete { unusable.map_or(Found::Missing, Found::Unusable) } else { Found::Need }
}

/// The cache, for the host to look up.
pub(crate) fn cache_reference(name: &str, namespace: &str) -> ObjectRef {
    ObjectRef {
        kind: ORAS_CACHE.clone(),
        namespace: Some(namespace.to_owned()),
        name: name.to_owned(),
        uid: None,
    }
}

/// The namespace, for the host to look up its labels.
pub(crate) fn namespace_reference(name: &str) -> ObjectRef {
    ObjectRef { kind: NAMESPACE.clone(), namespace: None, name: name.to_owned(), uid: None }
}

/// Refuses a cache without a registry where the step names none. Returns the Secret with the credentials of the step:
/// the one that it names, or the cache's for remote registries. The cache's own registry never gets these.
pub(crate) fn check<'a>(
    pod: &Pod<'_>,
    step: &Step<'a>,
    cache: Cache<'a>,
    findings: &mut Findings,
) -> Option<&'a str> {
    let key = annotation::REGISTRY;
    if !cache.deploys && step.registry.is_none() {
        findings.refuse(format!(
            "{PREFIX}{key} is missing: {KIND} {} has no registry of its own (spec.deploy is false), so name one like ghcr.io",
            step.cache
        ));
    }
    let credentials = step.credentials.or_else(|| cache.credentials.filter(|_| step.registry.is_some()));
    if credentials.is_some() {
        step_container::check_container_name(pod, PROXY_CONTAINER, findings);
        if step.registry.as_ref().is_some_and(Endpoint::is_plain_http) {
            findings.warn(format!(
                "{PREFIX}{key} begins with http://, so that credentials travel in clear text: remove http:// where the registry has TLS"
            ));
        }
    }
    credentials
}
