//! `orascache inspect`: what a component looks like from outside.

use super::failed::Failed;
use super::load;
use crate::cli::InspectArgs;
use crate::output;
use std::process::ExitCode;

pub(super) fn execute(args: &InspectArgs) -> Result<ExitCode, Failed> {
    let bytes = load::component_bytes(args.component.as_deref(), &args.registry)?;
    let interface = load::interface(&bytes)?;
    output::print(&args.output.render(&interface)?)?;
    Ok(ExitCode::SUCCESS)
}
