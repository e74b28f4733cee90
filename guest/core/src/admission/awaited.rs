//! What a pod waits for, as its annotations say it, and where the operator may look for it.

use super::foreign_caches;
use super::pod::Pod;
use super::policy;
use super::step::Step;
use super::step_container;
use crate::findings::Findings;
use crate::json::Json;
use crate::settings::Settings;
use crate::step_annotations::{self, numbered};
use orascache_api::endpoint::Endpoint;
use orascache_api::reference::{DEFAULT_TAG, Reference};
use orascache_api::steps::annotation as name;
use orascache_api::template::{InputTemplate, Placeholder, total};
use std::collections::BTreeMap;

/// Why the operator does not look into a registry whose certificate a private authority signed.
const UNKNOWN_AUTHORITY: &str = "the operator does not know the authority of the registry";

/// What the annotations of a pod ask for, as far as waiting depends on it.
#[derive(Debug, Default)]
pub(crate) struct Awaited<'a> {
    pub(crate) cache: &'a str,
    pub(crate) wait: Option<&'a str>,
    /// In the order in which they are pulled.
    pub(crate) inputs: Vec<&'a str>,
    registry: Option<&'a str>,
    has_authority: bool,
}

/// One artifact, without its registry.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Artifact {
    pub(crate) repository: String,
    /// A tag or a digest.
    pub(crate) reference: String,
}

/// As in `flow/words:1`.
impl std::fmt::Display for Artifact {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let separator = if self.reference.contains(':') { '@' } else { ':' };
        write!(formatter, "{}{separator}{}", self.repository, self.reference)
    }
}

impl<'a> Awaited<'a> {
    pub(crate) fn read(annotations: Option<&'a Json<'a>>) -> Self {
        let mut awaited = Awaited::default();
        let mut inputs = BTreeMap::new();
        for (key, value) in step_annotations::of(annotations) {
            let Some(text) = value.as_str() else { continue };
            match key {
                name::CACHE => awaited.cache = text,
                name::INPUT_WAIT => awaited.wait = Some(text),
                name::REGISTRY => awaited.registry = Some(text),
                name::REGISTRY_CA => awaited.has_authority = true,
                _ => inputs.extend(
                    numbered(key)
                        .filter(|(base, _)| *base == name::INPUT_URI)
                        .map(|(_, number)| (number, text)),
                ),
            }
        }
        awaited.inputs = inputs.into_values().collect();
        awaited
    }

    /// Whether the registry is the cache's own.
    pub(crate) fn is_of_cache(&self) -> bool {
        self.registry.is_none()
    }

    /// The registry that the operator may look into: the cache's own, or one that the administrator
    /// allows by name. Annotations can change after admission, and the operator reaches further than
    /// a pod: without such a name it looks nowhere else. `own` is the cache's own registry, where the
    /// cache is known.
    ///
    /// # Errors
    /// Why it may not look, as the rest of a sentence.
    pub(crate) fn endpoint(
        &self,
        pod: &Pod<'_>,
        namespace: &str,
        settings: &Settings<'_>,
        own: Option<Endpoint<'a>>,
    ) -> Result<Endpoint<'a>, &'static str> {
        let Some(registry) = self.registry else {
            // Another namespace than the pod's: the search domains of the operator's own pod complete
            // the name, if need be.
            let first_pod = || Endpoint::of_cache(self.cache, namespace, settings.cluster_domain);
            let own = own.unwrap_or_else(first_pod);
            return if own.is_plain_http() { Ok(own) } else { Err(UNKNOWN_AUTHORITY) };
        };
        let Ok(endpoint) = Endpoint::parse(registry) else { return Err("the registry is no host") };
        let has_authority = self.has_authority || settings.registry_ca.is_some();
        if has_authority && !endpoint.is_plain_http() {
            return Err(UNKNOWN_AUTHORITY);
        }
        let step = Step { cache: self.cache, registry: Some(endpoint.clone()), ..Step::default() };
        let mut findings = Findings::default();
        foreign_caches::check(settings, &step, pod, namespace, &mut findings);
        // Search domains would make another host of a name without a dot.
        let is_named = endpoint.host().contains('.') && policy::names_registry(settings, &endpoint);
        if !is_named || !findings.problems.is_empty() {
            return Err("the setting allowedRegistries does not name the registry");
        }
        Ok(endpoint)
    }

    /// Whether credentials may travel to the registry of [`Awaited::endpoint`].
    pub(crate) fn may_get_credentials(&self, endpoint: &Endpoint<'a>, settings: &Settings<'_>) -> bool {
        let registry = (!self.is_of_cache()).then(|| endpoint.clone());
        let mut findings = Findings::default();
        policy::check_plain_http(settings, &Step { registry, ..Step::default() }, &mut findings);
        findings.problems.is_empty()
    }

    /// All artifacts, each once, in the order in which they are pulled.
    ///
    /// # Errors
    /// Why they cannot be told, as the rest of a sentence.
    pub(crate) fn artifacts(
        &self,
        pod: &Pod<'_>,
        (pod_name, namespace): (&str, &str),
        at_most: u64,
    ) -> Result<Vec<Artifact>, &'static str> {
        let templates: Result<Vec<InputTemplate<'_>>, _> =
            self.inputs.iter().map(|text| InputTemplate::parse(text)).collect();
        let templates = templates.map_err(|_| "an input is no reference")?;
        if total(&templates) > at_most {
            return Err("there are more inputs than a step may have");
        }
        let value = |placeholder: Placeholder| match placeholder {
            Placeholder::Pod => Some(pod_name.to_owned()),
            Placeholder::Namespace => Some(namespace.to_owned()),
            Placeholder::Job => pod.label(step_container::job_label(pod)?).map(str::to_owned),
            Placeholder::Index => match step_container::index_field(pod)? {
                ("metadata.labels", key) => pod.label(key).map(str::to_owned),
                (_, key) => pod.annotation(key).map(str::to_owned),
            },
        };
        let mut artifacts = Vec::new();
        let mut seen = std::collections::BTreeSet::new();
        for template in &templates {
            let expanded = template.expand(|placeholder| value(placeholder).ok_or(()));
            for text in expanded.map_err(|()| "a placeholder of an input has no value")? {
                let reference = Reference::parse(&text).map_err(|_| "an input is no reference")?;
                let artifact = Artifact {
                    repository: reference.repository.to_owned(),
                    reference: reference.digest.or(reference.tag).unwrap_or(DEFAULT_TAG).to_owned(),
                };
                if seen.insert(artifact.clone()) {
                    artifacts.push(artifact);
                }
            }
        }
        Ok(artifacts)
    }
}
