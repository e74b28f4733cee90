//! `orascache inspect`

use super::Failed;
use crate::cli::InspectArgs;
use crate::engine::{CompiledCache, Engine, Limits};
use crate::output;
use anyhow::Context;
use std::process::ExitCode;

pub(super) fn execute(args: &InspectArgs) -> Result<ExitCode, Failed> {
    let bytes = super::component_bytes(args.component.as_deref(), &args.registry)?;
    let engine = Engine::new(Limits::default()).context("no engine")?;
    // What is only looked at is not worth keeping in compiled form.
    let interface =
        engine.inspect(&bytes, &CompiledCache::none()).map_err(|error| Failed::Unusable(error.into()))?;
    output::print(&args.output.render(&interface)?)?;
    Ok(ExitCode::SUCCESS)
}
