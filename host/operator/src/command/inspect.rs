//! `orascache inspect`

use super::Failed;
use crate::cli::InspectArgs;
use crate::output;
use std::process::ExitCode;

pub(super) fn execute(args: &InspectArgs) -> Result<ExitCode, Failed> {
    let bytes = super::component_bytes(args.component.as_deref(), &args.registry)?;
    let interface = super::interface(&bytes)?;
    output::print(&args.output.render(&interface)?)?;
    Ok(ExitCode::SUCCESS)
}
