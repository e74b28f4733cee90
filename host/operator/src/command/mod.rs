//! The subcommands, one module each. `failed` says how they fail, `load` and `registry` get the
//! component that decides, and `definition` is what the API server checks before it asks one.

pub mod crd;

mod completions;
mod connection;
mod definition;
mod dev;
mod failed;
mod inspect;
mod lineage;
mod load;
mod log;
mod manifests;
mod migrate;
mod module;
mod registry;
mod render;
mod replay;
mod review;
mod run;
mod version;

use crate::cli::{Cli, Command};
use failed::Failed;
use std::process::ExitCode;

/// Runs a command. Results go to standard output, everything else to standard error.
#[allow(clippy::print_stderr, reason = "errors of a command are sentences on standard error")]
pub fn execute(cli: Cli) -> ExitCode {
    if let Err(error) = log::start(&cli.log) {
        eprintln!(
            "error: --log {:?} is not a filter: {error}. Write for example info or info,orascache_controller=debug.",
            cli.log
        );
        return ExitCode::from(2);
    }

    let done = match cli.command {
        Command::Completions(args) => completions::execute(&args),
        Command::Crd(args) => crd::execute(&args),
        Command::Inspect(args) => inspect::execute(&args),
        Command::Lineage(args) => lineage::execute(&args),
        Command::Module(command) => module::execute(&command),
        Command::Manifests(args) => manifests::execute(&args),
        Command::Migrate(args) => migrate::execute(&args),
        Command::Render(args) => render::execute(&args),
        Command::Replay(args) => replay::execute(&args),
        Command::Review(args) => review::execute(&args),
        Command::Run(args) => run::execute(&args),
        Command::Dev(args) => dev::execute(&args),
        Command::Version(args) => version::execute(&args),
    };
    let (code, error) = match done {
        Ok(code) => return code,
        Err(Failed::Refused(error)) => (1, error),
        Err(Failed::Unusable(error)) => (2, error),
    };
    eprintln!("error: {}", failed::sentence(&error));
    ExitCode::from(code)
}
