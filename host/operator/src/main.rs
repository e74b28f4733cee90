//! The binary `orascache`. In the pods of `dev` it is other programs too.

use clap::FromArgMatches;
use orascache_operator::cli::{Cli, explained};
use std::process::ExitCode;

/// The allocator of the image's operator, which is linked with musl.
#[cfg(target_env = "musl")]
#[global_allocator]
static ALLOCATOR: dlmalloc::GlobalDlmalloc = dlmalloc::GlobalDlmalloc;

fn main() -> ExitCode {
    if let Some(code) = orascache_operator::programs::run_other() {
        return code;
    }
    let mut command = Cli::named(&std::env::args_os().next().unwrap_or_default());
    // As `kubectl` and `helm` do. Whoever reads the exit code has given a command.
    if std::env::args_os().len() < 2 {
        return match command.print_help() {
            Ok(()) => ExitCode::SUCCESS,
            Err(_) => ExitCode::FAILURE,
        };
    }
    match command.try_get_matches().and_then(|matches| Cli::from_arg_matches(&matches)) {
        Ok(cli) => orascache_operator::command::execute(cli),
        Err(error) => explained(error).exit(),
    }
}
