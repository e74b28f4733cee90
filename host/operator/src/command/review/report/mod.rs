//! Findings in the formats that people and programs read.

mod github;
mod json;
mod sarif;
mod text;

use super::finding::{Finding, Tally};
use crate::cli::ReviewFormat;
use crate::input::Place;
use crate::output::{self, Format};
use serde_json::Value;
use similar::TextDiff;
use std::path::Path;

/// Prints what was found. Results go to standard output, everything else to standard error.
#[allow(clippy::print_stderr, reason = "for the person at the terminal")]
pub(super) fn print(findings: &[Finding], stored: &[Value], format: ReviewFormat) -> anyhow::Result<()> {
    let text = text::report(findings);
    let printed = match format {
        ReviewFormat::Text => {
            eprint!("{}", text.asides);
            return output::print(&text.decisions).map(|()| eprint!("{}", text.summary));
        }
        ReviewFormat::Json => Format::Json.render(&json::report(findings))?,
        ReviewFormat::Github => github::report(findings),
        ReviewFormat::Sarif => Format::Json.render(&sarif::report(findings))?,
        ReviewFormat::Yaml => Format::Yaml.render_all(stored)?,
        ReviewFormat::Diff => findings.iter().map(diff).collect::<anyhow::Result<String>>()?,
    };
    match format {
        ReviewFormat::Yaml | ReviewFormat::Diff => {
            eprint!("{}{}{}", text.asides, text.decisions, text.summary)
        }
        _ => eprint!("{}", text.summary),
    }
    output::print(&printed)
}

/// What a patch changes, as a unified diff of YAML.
fn diff(finding: &Finding) -> anyhow::Result<String> {
    let Some((before, after)) = finding.change.as_ref().filter(|(before, after)| before != after) else {
        return Ok(String::new());
    };
    let (before, after) = (Format::Yaml.render(before)?, Format::Yaml.render(after)?);
    let title = finding.title();
    Ok(TextDiff::from_lines(&before, &after)
        .unified_diff()
        .header(&format!("{title} as it was"), &format!("{title} as it is stored"))
        .to_string())
}

/// The file of a place, relative to the working directory where it is below, with `/` between its
/// parts: as programs compare it with the files of a repository. `None` for standard input.
fn file_of(place: &Place) -> Option<String> {
    let file = place.file.as_deref()?;
    let below =
        std::env::current_dir().ok().and_then(|folder| file.strip_prefix(folder).ok().map(Path::to_owned));
    let file = below.as_deref().unwrap_or(file);
    let parts = file.components().filter(|part| *part != std::path::Component::CurDir);
    Some(parts.collect::<std::path::PathBuf>().display().to_string())
}

/// `1 refused`, and so on, for those numbers that are not zero.
fn summary(tally: &Tally) -> String {
    let numbers = [
        (tally.allowed, "allowed"),
        (tally.refused, "refused"),
        (tally.unusable, "cannot be used"),
        (tally.not_reviewed, "not reviewed"),
        (tally.warnings, if tally.warnings == 1 { "warning" } else { "warnings" }),
    ];
    let said = numbers.iter().filter(|(number, _)| *number > 0);
    said.map(|(number, what)| format!("{number} {what}")).collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests;
