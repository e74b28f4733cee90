//! Findings as workflow commands, which GitHub shows as annotations at the lines of a change
//! (docs.github.com/actions/reference/workflow-commands-for-github-actions).

use super::super::finding::{Decision, Finding, NOT_ASKED};
use super::file_of;

/// One line for each error and for each warning. What is allowed or not reviewed has none.
pub(super) fn report(findings: &[Finding]) -> String {
    let mut lines = String::new();
    for finding in findings {
        let note = if finding.is_told_here_only() { format!(" ({NOT_ASKED})") } else { String::new() };
        let title = finding.title();
        match &finding.decision {
            Decision::Refused(refusal) => {
                let message = format!("{}{note}", refusal.message);
                lines.push_str(&command("error", finding, &format!("{title} is refused"), &message));
            }
            Decision::Unusable(why) => {
                let title = if title.is_empty() { "A document".to_owned() } else { title.clone() };
                lines.push_str(&command("error", finding, &format!("{title} cannot be used"), why));
            }
            Decision::Allowed(_) | Decision::NotReviewed(_) => {}
        }
        for warning in &finding.warnings {
            let message = match &finding.decision {
                Decision::NotReviewed(why) => format!("{why}; {warning}"),
                _ => format!("{warning}{note}"),
            };
            lines.push_str(&command("warning", finding, &title, &message));
        }
    }
    lines
}

fn command(level: &str, finding: &Finding, title: &str, message: &str) -> String {
    let place = match file_of(&finding.place) {
        Some(file) => format!("file={},line={},", property(&file), finding.place.line),
        None => String::new(),
    };
    format!("::{level} {place}title={}::{}\n", property(title), data(message))
}

/// Escapes a message.
fn data(text: &str) -> String {
    text.replace('%', "%25").replace('\r', "%0D").replace('\n', "%0A")
}

/// Escapes the value of a property.
fn property(text: &str) -> String {
    data(text).replace(':', "%3A").replace(',', "%2C")
}
