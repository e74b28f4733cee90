//! Findings as JSON.

use super::super::finding::{Decision, Finding, Tally};
use super::file_of;
use serde_json::{Map, Value, json};

/// All findings, in the order of the input, and how many of each there are.
pub(super) fn report(findings: &[Finding]) -> Value {
    let tally = Tally::of(findings);
    json!({
        "decisions": findings.iter().map(entry).collect::<Vec<_>>(),
        "summary": {
            "allowed": tally.allowed,
            "refused": tally.refused,
            "unusable": tally.unusable,
            "notReviewed": tally.not_reviewed,
            "warnings": tally.warnings,
        },
    })
}

fn entry(finding: &Finding) -> Value {
    let mut members = Map::new();
    let mut set = |name: &str, value: Value| members.insert(name.to_owned(), value);
    set("file", file_of(&finding.place).unwrap_or_else(|| "-".to_owned()).into());
    set("line", finding.place.line.into());
    if let Some(object) = &finding.object {
        set("object", object.as_str().into());
    }
    if let Some(part) = &finding.part {
        set("part", json!({"kind": part.kind, "path": part.path}));
    }
    match &finding.decision {
        Decision::Allowed(patch) => {
            set("decision", "allowed".into());
            if let Some(patch) = patch {
                set("patch", patch.clone());
            }
        }
        Decision::Refused(refusal) => {
            set("decision", "refused".into());
            set("code", refusal.code.into());
            set("message", refusal.message.as_str().into());
        }
        Decision::NotReviewed(why) => {
            set("decision", "notReviewed".into());
            set("message", why.as_str().into());
        }
        Decision::Unusable(why) => {
            set("decision", "unusable".into());
            set("message", why.as_str().into());
        }
    }
    if matches!(finding.decision, Decision::Allowed(_) | Decision::Refused(_)) {
        set("asked", finding.is_asked.into());
    }
    set("warnings", finding.warnings.as_slice().into());
    Value::Object(members)
}
