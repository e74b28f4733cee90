//! CPU and memory of the sidecar, as far as an administrator sets them.

use super::findings::Findings;
use super::members::{self, At};
use super::settings::is_amount;
use crate::json::Json;
use crate::quantity;

/// `resources` of a container: CPU and memory of its requests and of its limits, where they are set.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Bounds<'a>([[Option<&'a str>; 2]; 2]);

/// What the sidecar gets otherwise.
const DEFAULTS: [[&str; 2]; 2] = [["50m", "64Mi"], ["1", "128Mi"]];
/// Its limits in a guaranteed pod: they are requests there, and must not keep the pod from its node.
const GUARANTEED: [&str; 2] = ["250m", "64Mi"];

impl<'a> Bounds<'a> {
    /// Reads `{"requests": {"cpu": ..., "memory": ...}, "limits": {...}}`; what is wrong is among the findings.
    pub(crate) fn read(tree: &'a Json<'a>, at: &At<'_>, findings: &mut Findings) -> Self {
        let mut bounds = Bounds::default();
        let Bounds([requests, limits]) = &mut bounds;
        let before = findings.problems.len();
        for (name, value, at) in members::object(tree, at, findings) {
            match name {
                "requests" => *requests = amounts(value, &at, findings),
                "limits" => *limits = amounts(value, &at, findings),
                _ => at.unknown("requests or limits", findings),
            }
        }
        let [requests, limits] = bounds.amounts(false);
        let is_more = |(request, limit): (&str, &str)| quantity::parse(request) > quantity::parse(limit);
        if findings.problems.len() == before && requests.into_iter().zip(limits).any(is_more) {
            let found = [requests.join(" and "), limits.join(" and ")].join(", limits ");
            at.refuse("% asks for more than its limits, with what is not written left as it was: requests are %: write both", &found, findings);
        }
        bounds
    }

    /// CPU and memory of requests and of limits.
    pub(crate) fn amounts(&self, is_guaranteed: bool) -> [[&'a str; 2]; 2] {
        let Bounds([requests, limits]) = *self;
        let or = |set: [Option<&'a str>; 2], [cpu, memory]: [&'a str; 2]| {
            let [own_cpu, own_memory] = set;
            [own_cpu.unwrap_or(cpu), own_memory.unwrap_or(memory)]
        };
        if is_guaranteed {
            // A guaranteed pod stays one.
            let limits = or(limits, GUARANTEED);
            return [limits, limits];
        }
        let [default_requests, default_limits] = DEFAULTS;
        [or(requests, default_requests), or(limits, default_limits)]
    }
}

fn amounts<'a>(tree: &'a Json<'a>, at: &At<'_>, findings: &mut Findings) -> [Option<&'a str>; 2] {
    let (mut cpu, mut memory) = (None, None);
    for (name, value, at) in members::object(tree, at, findings) {
        let amount = match name {
            "cpu" => &mut cpu,
            "memory" => &mut memory,
            _ => {
                at.unknown("cpu or memory", findings);
                continue;
            }
        };
        *amount = members::text(value, &at, findings);
        if amount.is_some_and(|amount| !is_amount(amount)) {
            at.refuse(
                "% is not a quantity: write one like %",
                if name == "cpu" { "50m" } else { "64Mi" },
                findings,
            );
        }
    }
    [cpu, memory]
}
