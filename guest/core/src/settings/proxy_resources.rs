//! CPU and memory of the credential proxy, as far as an administrator sets them.

use super::document::{self, Place};
use crate::findings::Findings;
use crate::json::Json;
use crate::quantity;

/// The setting `proxyResources`. Amounts that are not set have defaults.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct ProxyResources<'a> {
    requests: Settable<'a>,
    limits: Settable<'a>,
}

/// CPU and memory, where they are set.
#[derive(Clone, Copy, Debug, Default)]
struct Settable<'a> {
    cpu: Option<&'a str>,
    memory: Option<&'a str>,
}

/// CPU and memory, as quantities.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Amounts<'a> {
    pub(crate) cpu: &'a str,
    pub(crate) memory: &'a str,
}

/// `resources` of a container.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Resources<'a> {
    pub(crate) requests: Amounts<'a>,
    pub(crate) limits: Amounts<'a>,
}

/// What the proxy gets unless it is set.
const DEFAULTS: Resources<'_> = Resources {
    requests: Amounts { cpu: "50m", memory: "64Mi" },
    limits: Amounts { cpu: "1", memory: "128Mi" },
};
/// Its limits in a pod of quality of service Guaranteed. They are requests there, and must not keep
/// the pod from its node.
const GUARANTEED: Amounts<'_> = Amounts { cpu: "250m", memory: "64Mi" };

impl<'a> Settable<'a> {
    fn or(self, defaults: Amounts<'a>) -> Amounts<'a> {
        Amounts { cpu: self.cpu.unwrap_or(defaults.cpu), memory: self.memory.unwrap_or(defaults.memory) }
    }
}

impl<'a> ProxyResources<'a> {
    /// Reads `{"requests": {"cpu": ..., "memory": ...}, "limits": {...}}`.
    pub(crate) fn read(tree: &'a Json<'a>, place: &Place<'_>, findings: &mut Findings) -> Self {
        let mut read = ProxyResources::default();
        let before = findings.problems.len();
        for (name, value, place) in document::members(tree, place, findings) {
            match name {
                "requests" => read.requests = amounts(value, &place, findings),
                "limits" => read.limits = amounts(value, &place, findings),
                _ => place.refuse_unknown("requests or limits", findings),
            }
        }
        let Resources { requests, limits } = read.resources(false);
        let exceeds = |request, limit| quantity::parse(request) > quantity::parse(limit);
        if findings.problems.len() == before
            && (exceeds(requests.cpu, limits.cpu) || exceeds(requests.memory, limits.memory))
        {
            findings.refuse(format!(
                "{place} asks for more than its limits. With the defaults of what is not written, requests are {} and {}, limits {} and {}: write both",
                requests.cpu, requests.memory, limits.cpu, limits.memory
            ));
        }
        read
    }

    /// What the proxy gets. A pod of quality of service Guaranteed must keep it, so that requests
    /// equal limits there.
    pub(crate) fn resources(&self, is_guaranteed: bool) -> Resources<'a> {
        if is_guaranteed {
            let limits = self.limits.or(GUARANTEED);
            return Resources { requests: limits, limits };
        }
        Resources { requests: self.requests.or(DEFAULTS.requests), limits: self.limits.or(DEFAULTS.limits) }
    }
}

fn amounts<'a>(tree: &'a Json<'a>, place: &Place<'_>, findings: &mut Findings) -> Settable<'a> {
    let mut read = Settable::default();
    for (name, value, place) in document::members(tree, place, findings) {
        let (amount, example) = match name {
            "cpu" => (&mut read.cpu, "50m"),
            "memory" => (&mut read.memory, "64Mi"),
            _ => {
                place.refuse_unknown("cpu or memory", findings);
                continue;
            }
        };
        *amount = document::text(value, &place, findings);
        if amount.is_some_and(|amount| !quantity::is_positive(amount)) {
            findings.refuse(format!("{place} is not a quantity: write one like {example}"));
        }
    }
    read
}
