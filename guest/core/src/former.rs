//! Children that the former operator made, and that nobody has taken over yet.
//!
//! The former operator is the one in Go (converged-computing/oras-operator), whose OrasCaches this
//! one reads. Its objects have the cache as their controller, so that they look like children. But
//! its pods have no volume, and the selector of its StatefulSet cannot change: a registry that was
//! simply replaced would lose its artifacts. So its objects stay as they are until somebody takes
//! them over.

use crate::issue::{Impact, Issue, Reason};
use crate::kinds::{SERVICE, STATEFUL_SET};
use crate::observed::{Object, Objects};
use crate::primary::Primary;
use orascache_api::names::{CONSENT_ANNOTATION, FORMER_SELECTOR};
use orascache_contract::Kind;

/// Which objects of the former operator a cache has.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Former {
    has_stateful_set: bool,
    has_service: bool,
}

impl Former {
    pub(crate) fn of(primary: &Primary<'_>, owned: &Objects<'_>) -> Self {
        let name = primary.metadata.name;
        let is_former = |kind: &Kind, path: &[&str]| {
            owned.find(kind, name).is_some_and(|object| selects_as_former(object, path))
        };
        let consents = owned
            .find(&SERVICE, name)
            .and_then(|service| service.text_of("annotations", CONSENT_ANNOTATION))
            .is_some_and(|cache| cache == name);
        Former {
            has_stateful_set: is_former(&STATEFUL_SET, &["selector", "matchLabels"]),
            has_service: is_former(&SERVICE, &["selector"]) && !consents,
        }
    }

    /// Whether its registry serves the cache. Then no child is written or deleted.
    pub(crate) fn serves(self) -> bool {
        self.has_stateful_set
    }

    /// Whether an object is left as the former operator made it, while other children are written.
    pub(crate) fn keeps(self, primary: &Primary<'_>, kind: &Kind, name: &str) -> bool {
        self.has_service && *kind == SERVICE && name == primary.metadata.name
    }

    /// What it means for the cache.
    pub(crate) fn issue(self, primary: &Primary<'_>) -> Option<Issue> {
        let name = primary.metadata.name;
        let consent = format!("annotation {CONSENT_ANNOTATION}: {name}");
        let (impact, message) = match self {
            Former { has_stateful_set: true, .. } => (
                Impact::Warning,
                format!(
                    "StatefulSet {name} was made by the former operator (oras-operator), so that nothing of this cache is changed. orascache migrate says how it is taken over together with its artifacts."
                ),
            ),
            Former { has_service: false, .. } => return None,
            Former { .. } if primary.spec.deploy() => (
                Impact::Blocking,
                format!(
                    "Service {name} was made by the former operator (oras-operator) and does not lead to the registry pods. orascache migrate takes it over, and so does the {consent}."
                ),
            ),
            Former { .. } => (
                Impact::Warning,
                format!(
                    "Service {name} was made by the former operator (oras-operator). It is not needed, because spec.deploy is false, and stays for pods that have names by it. The {consent} lets the cache delete it."
                ),
            ),
        };
        Some(Issue::new(Reason::FormerOperator, impact, message))
    }
}

/// Whether a selector of the spec has the label by which the former operator selects.
fn selects_as_former(object: &Object<'_>, selector: &[&str]) -> bool {
    let spec = object.spec;
    let labels = spec.and_then(|spec| selector.iter().try_fold(spec, |at, member| at.get(member)));
    labels.is_some_and(|labels| labels.get(FORMER_SELECTOR).is_some())
}
