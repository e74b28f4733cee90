//! `orascache completions`: scripts that complete arguments in a shell.

use super::failed::Failed;
use crate::cli::{Cli, CompletionsArgs};
use crate::output;
use clap::CommandFactory;
use std::process::ExitCode;

pub(super) fn execute(args: &CompletionsArgs) -> Result<ExitCode, Failed> {
    let mut script = Vec::new();
    clap_complete::generate(args.shell, &mut Cli::command(), "orascache", &mut script);
    output::print(&String::from_utf8_lossy(&script))?;
    Ok(ExitCode::SUCCESS)
}
