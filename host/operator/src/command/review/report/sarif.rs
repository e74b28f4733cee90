//! Findings as SARIF 2.1.0 (docs.oasis-open.org/sarif/sarif/v2.1.0).

use super::super::finding::{Decision, Finding, NOT_ASKED};
use super::file_of;
use serde_json::{Value, json};

const SCHEMA: &str =
    "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json";
/// What stands for standard input, which has no file.
const STANDARD_INPUT: &str = "stdin";

/// The rules: their names, and what they are about.
const RULES: [(&str, &str, &str); 3] = [
    ("refused", "error", "The API server refuses the object, or the pods that are made of it."),
    ("warning", "warning", "The object is accepted, and will probably not do what is meant."),
    ("unusable", "error", "Nothing can be decided about the document."),
];

/// All findings with something to say. What is not reviewed is a notification of the tool.
pub(super) fn report(findings: &[Finding]) -> Value {
    let rules = RULES.iter().map(|(id, level, about)| {
        json!({
            "id": id,
            "shortDescription": {"text": about},
            "defaultConfiguration": {"level": level},
        })
    });
    let skipped = findings.iter().filter_map(|finding| match &finding.decision {
        Decision::NotReviewed(why) => Some(json!({
            "level": "note",
            "message": {"text": format!("not reviewed: {why}")},
            "locations": [location(finding)],
        })),
        _ => None,
    });
    json!({
        "$schema": SCHEMA,
        "version": "2.1.0",
        "runs": [{
            "tool": {"driver": {
                "name": "orascache review",
                "version": env!("CARGO_PKG_VERSION"),
                "informationUri": env!("CARGO_PKG_REPOSITORY"),
                "rules": rules.collect::<Vec<_>>(),
            }},
            "invocations": [{
                "executionSuccessful": true,
                "toolExecutionNotifications": skipped.collect::<Vec<_>>(),
            }],
            "results": findings.iter().flat_map(results).collect::<Vec<_>>(),
        }],
    })
}

fn results(finding: &Finding) -> Vec<Value> {
    let title = finding.title();
    let head = if title.is_empty() { String::new() } else { format!("{title}: ") };
    let note = if finding.is_told_here_only() { format!(" ({NOT_ASKED})") } else { String::new() };
    let result = |rule: &str, text: &str| {
        let position = RULES.iter().position(|(id, ..)| *id == rule);
        let level = position.and_then(|position| RULES.get(position)).map(|(_, level, _)| *level);
        json!({
            "ruleId": rule,
            "ruleIndex": position,
            "level": level,
            "message": {"text": format!("{head}{text}{note}")},
            "locations": [location(finding)],
        })
    };
    let decided = match &finding.decision {
        Decision::Refused(refusal) => Some(result("refused", &refusal.message)),
        Decision::Unusable(why) => Some(result("unusable", why)),
        Decision::Allowed(_) | Decision::NotReviewed(_) => None,
    };
    decided.into_iter().chain(finding.warnings.iter().map(|warning| result("warning", warning))).collect()
}

fn location(finding: &Finding) -> Value {
    let file = file_of(&finding.place);
    let uri = file.as_deref().map_or_else(|| STANDARD_INPUT.to_owned(), uri);
    let mut location = json!({"physicalLocation": {
        "artifactLocation": {"uri": uri},
        "region": {"startLine": finding.place.line},
    }});
    if let (Some(object), Some(members)) = (&finding.object, location.as_object_mut()) {
        let path = finding.part.as_ref().map(|part| format!("{object}/{}", part.path));
        let name = path.as_deref().unwrap_or(object);
        members.insert("logicalLocations".to_owned(), json!([{"fullyQualifiedName": name}]));
    }
    location
}

/// A path as a URI reference (RFC 3986).
fn uri(path: &str) -> String {
    let mut uri = String::new();
    if path.starts_with('/') {
        uri.push_str("file://");
    }
    for byte in path.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~/".contains(&byte) {
            uri.push(char::from(byte));
        } else {
            uri.push_str(&format!("%{byte:02X}"));
        }
    }
    uri
}
