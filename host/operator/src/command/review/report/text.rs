//! Findings as text for people.

use super::super::finding::{Decision, Finding, NOT_ASKED, Tally};
use super::summary;
use std::fmt::Write;

/// The parts of a report.
#[derive(Debug, Default)]
pub(super) struct Report {
    /// What was decided.
    pub(super) decisions: String,
    /// What could not be decided, and why.
    pub(super) asides: String,
    /// How many of each there are; empty for a single decision, which says it all.
    pub(super) summary: String,
}

pub(super) fn report(findings: &[Finding]) -> Report {
    let mut report = Report::default();
    // Writing to a String cannot fail.
    for finding in findings {
        let head = head(finding);
        let place = one_line(&finding.place.to_string());
        let to = match &finding.decision {
            Decision::Allowed(_) | Decision::Refused(_) => &mut report.decisions,
            Decision::NotReviewed(_) | Decision::Unusable(_) => &mut report.asides,
        };
        let _ = match &finding.decision {
            Decision::Allowed(None) => writeln!(to, "{head}allowed, unchanged"),
            Decision::Allowed(Some(_)) => writeln!(to, "{head}allowed, patched"),
            Decision::Refused(refusal) => {
                writeln!(to, "{head}refused ({}): {}", refusal.code, one_line(&refusal.message))
            }
            Decision::NotReviewed(why) => {
                writeln!(to, "{place}: {}not reviewed: {}", titled(finding), one_line(why))
            }
            Decision::Unusable(why) => writeln!(to, "error: {place}: {}{}", titled(finding), one_line(why)),
        };
        for warning in &finding.warnings {
            let _ = writeln!(to, "  warning: {}", one_line(warning));
        }
        if finding.is_told_here_only() {
            let _ = writeln!(to, "  note: {NOT_ASKED}");
        }
    }
    if findings.len() != 1 {
        report.summary = format!("{}\n", summary(&Tally::of(findings)));
    }
    report
}

/// What stands in front of a decision. Standard input is named in errors only.
fn head(finding: &Finding) -> String {
    let place = match finding.place.file {
        Some(_) => format!("{}: ", one_line(&finding.place.to_string())),
        None => String::new(),
    };
    format!("{place}{}", titled(finding))
}

fn titled(finding: &Finding) -> String {
    let title = finding.title();
    if title.is_empty() { title } else { format!("{}: ", one_line(&title)) }
}

/// The text without control characters. What a document says must not look like a line of this
/// program: CI systems take commands from lines.
fn one_line(text: &str) -> String {
    text.chars().map(|character| if character.is_control() { ' ' } else { character }).collect()
}
