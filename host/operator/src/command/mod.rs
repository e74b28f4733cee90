//! The subcommands, one module each. `failed` says how they fail, `load` and `registry` get the
//! component that decides, and `definition` is what the API server checks before it asks one.

pub mod crd;

mod connection;
mod failed;
mod inspect;
mod load;
mod log;
mod manifests;
mod module;
mod registry;
mod run;
mod version;

#[cfg(feature = "workstation")]
mod completions;
#[cfg(feature = "workstation")]
mod definition;
#[cfg(feature = "workstation")]
mod dev;
#[cfg(feature = "workstation")]
mod lineage;
#[cfg(feature = "workstation")]
mod migrate;
#[cfg(feature = "workstation")]
mod render;
#[cfg(feature = "workstation")]
mod replay;
#[cfg(feature = "workstation")]
mod review;

#[cfg(feature = "workstation")]
use crate::cli::WorkstationCommand;
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
        Command::Crd(args) => crd::execute(&args),
        Command::Inspect(args) => inspect::execute(&args),
        Command::Module(command) => module::execute(&command),
        Command::Manifests(args) => manifests::execute(&args),
        Command::Run(args) => run::execute(&args),
        Command::Version(args) => version::execute(&args),
        #[cfg(feature = "workstation")]
        Command::Workstation(command) => execute_on_workstation(&command),
    };
    let (code, error) = match done {
        Ok(code) => return code,
        Err(Failed::Refused(error)) => (1, error),
        Err(Failed::Unusable(error)) => (2, error),
    };
    eprintln!("error: {}", failed::sentence(&error));
    ExitCode::from(code)
}

#[cfg(feature = "workstation")]
fn execute_on_workstation(command: &WorkstationCommand) -> Result<ExitCode, Failed> {
    match command {
        WorkstationCommand::Completions(args) => completions::execute(args),
        WorkstationCommand::Dev(args) => dev::execute(args),
        WorkstationCommand::Lineage(args) => lineage::execute(args),
        WorkstationCommand::Migrate(args) => migrate::execute(args),
        WorkstationCommand::Render(args) => render::execute(args),
        WorkstationCommand::Replay(args) => replay::execute(args),
        WorkstationCommand::Review(args) => review::execute(args),
    }
}
