//! The binary `orascache`. In the pods of `dev` it is other programs too.

use clap::{CommandFactory, Parser};
use orascache_operator::cli::Cli;
use std::process::ExitCode;

fn main() -> ExitCode {
    if let Some(code) = orascache_operator::programs::run_other() {
        return code;
    }
    // As `kubectl` and `helm` do. Whoever reads the exit code has given a command.
    if std::env::args_os().len() < 2 {
        return match Cli::command().print_help() {
            Ok(()) => ExitCode::SUCCESS,
            Err(_) => ExitCode::FAILURE,
        };
    }
    orascache_operator::command::execute(Cli::parse())
}
