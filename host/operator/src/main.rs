//! The binary `orascache`.

use clap::{CommandFactory, Parser};
use orascache_operator::cli::Cli;
use std::process::ExitCode;

fn main() -> ExitCode {
    // As `kubectl` and `helm` do. Whoever reads the exit code has given a command.
    if std::env::args_os().len() < 2 {
        return match Cli::command().print_help() {
            Ok(()) => ExitCode::SUCCESS,
            Err(_) => ExitCode::FAILURE,
        };
    }
    orascache_operator::command::execute(Cli::parse())
}
