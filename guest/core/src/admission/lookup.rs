//! The cache that a step names: in the context, to be read from the API, or not there.

use super::Known;
use super::findings::Findings;
use super::pod::{Pod, member_of};
use super::step::Step;
use super::target;
use super::template::fill;
use crate::fields;
use crate::json::Json;
use crate::kinds::{NAMESPACE, ORAS_CACHE};
use crate::primary::Primary;
use orascache_api::names::KIND;
use orascache_api::steps::{PROXY_CONTAINER, annotation};
use orascache_contract::{Error, ObjectRef};

/// What a step needs to know about its cache.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Cache<'a> {
    /// Whether it has a registry.
    pub(crate) deploys: bool,
    /// Its Secret for steps that use a remote registry.
    pub(crate) credentials: Option<&'a str>,
}

/// Where a cache was looked for, and what was found.
pub(crate) enum Found<'a> {
    Cache(Cache<'a>),
    /// The API says that there is none.
    Missing,
    /// It is there, but of no use, says the sentence.
    Useless(String),
    /// It must be read from the API first.
    Need,
}

/// Parsed objects of the context that may be the cache: a name that is not in a text is not its name.
pub(crate) fn candidates<'a>(context: &Known<'a>, name: &str) -> Result<Vec<Json<'a>>, Error> {
    context
        .objects
        .iter()
        .filter(|text| mentions(text, name))
        .map(|text| fields::parse(text, "an object of the context"))
        .collect()
}

/// Whether a name occurs in a text. The standard library's search is a kilobyte and a half of component.
fn mentions(text: &str, name: &str) -> bool {
    text.as_bytes().windows(name.len().max(1)).any(|window| window == name.as_bytes())
}

/// Looks for the cache among the candidates.
pub(crate) fn find<'a>(
    candidates: &'a [Json<'a>],
    context: &Known<'_>,
    name: &str,
    namespace: &str,
) -> Found<'a> {
    let mut useless = None;
    for tree in candidates {
        let of = |field| member_of(tree, "metadata", field).and_then(Json::as_str);
        if of("name") != Some(name) || of("namespace") != Some(namespace) {
            continue;
        }
        match Primary::read(tree) {
            Err(error) => {
                useless =
                    Some(fill("% % cannot be read: %. Correct it first", &[KIND, name, &error.to_string()]));
            }
            Ok(primary) if primary.metadata.is_being_deleted => {
                useless = Some(fill(
                    "% % is being deleted: wait until it is gone and create it again, or name another one in @%",
                    &[KIND, name, annotation::CACHE],
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
    // What the host remembers may be behind: only the API's own word counts against a pod.
    if context.complete {
        return useless.map_or(Found::Missing, Found::Useless);
    }
    Found::Need
}

/// The cache, to be read from the API.
pub(crate) fn cache_reference(name: &str, namespace: &str) -> ObjectRef {
    ObjectRef {
        kind: ORAS_CACHE.clone(),
        namespace: Some(namespace.to_owned()),
        name: name.to_owned(),
        uid: None,
    }
}

/// The namespace itself, for its labels.
pub(crate) fn namespace_reference(name: &str) -> ObjectRef {
    ObjectRef { kind: NAMESPACE.clone(), namespace: None, name: name.to_owned(), uid: None }
}

/// Refuses a cache without a registry where the step names none. The answer is the Secret whose credentials the step
/// needs: the one that it names, or the cache's for remote registries. The cache's own registry never sees them.
pub(crate) fn check<'a>(
    pod: &Pod<'_>,
    step: &Step<'a>,
    cache: Cache<'a>,
    findings: &mut Findings,
) -> Option<&'a str> {
    if !cache.deploys && step.registry.is_none() {
        findings.refuse(
            "@% is missing: % % has no registry of its own (spec.deploy is false), so name one like ghcr.io",
            &[annotation::REGISTRY, KIND, step.cache],
        );
    }
    let credentials = step.credentials.or_else(|| cache.credentials.filter(|_| step.registry.is_some()));
    if credentials.is_some() {
        target::check_name(pod, PROXY_CONTAINER, findings);
        if step.registry.is_some_and(|registry| registry.plain_http) {
            findings.warn("@% begins with http://, so that credentials travel in clear text: remove http:// where the registry has TLS", &[annotation::REGISTRY]);
        }
    }
    credentials
}
