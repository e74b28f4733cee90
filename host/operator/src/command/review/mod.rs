//! `orascache review`: what admission answers about objects, and how it patches them.
//!
//! `subject` says what a document is, `makers` which pods a controller makes of it, `session` asks
//! the component, and `report` prints what was found.

mod asked;
mod finding;
mod makers;
mod report;
mod request;
mod session;
mod subject;

use super::failed::Failed;
use super::load;
use crate::cli::ReviewArgs;
use crate::input::{self, Document, Found};
use anyhow::bail;
use finding::Tally;
use session::Session;
use std::path::PathBuf;
use std::process::ExitCode;

pub(super) fn execute(args: &ReviewArgs) -> Result<ExitCode, Failed> {
    let names = input::names(&args.input).map_err(Failed::Unusable)?;
    let found = input::read(&names).map_err(Failed::Unusable)?;
    let context = context(&args.context).map_err(Failed::Unusable)?;
    let guest = load::load_guest(&args.component)?;
    let session = Session::new(&guest, args, context.as_deref(), &found).map_err(Failed::Unusable)?;
    let (mut findings, mut stored) = (Vec::new(), Vec::new());
    for found in found {
        let reviewed = session.review(found);
        findings.extend(reviewed.findings);
        stored.extend(reviewed.stored);
    }
    report::print(&findings, &stored, args.output)?;
    Ok(ExitCode::from(Tally::of(&findings).exit_code(args.warnings_as_errors)))
}

/// The objects of `--context`; `None` where it is not given.
fn context(names: &[PathBuf]) -> anyhow::Result<Option<Vec<Document>>> {
    if names.is_empty() {
        return Ok(None);
    }
    let mut documents = Vec::new();
    for found in input::read(names)? {
        match found {
            Found::Document(document) => documents.push(document),
            Found::Skipped(..) => {}
            Found::Broken(place, why) => bail!("--context: {place}: {why}"),
        }
    }
    Ok(Some(documents))
}
