//! The binary `orascache`.

use clap::Parser;
use orascache_operator::cli::Cli;
use std::process::ExitCode;

fn main() -> ExitCode {
    orascache_operator::command::execute(Cli::parse())
}
