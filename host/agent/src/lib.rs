//! The program in workflow pods: it pulls the inputs of a step, runs its command and pushes its
//! output.
//!
//! # Layout
//! - `cli` is the command line, `step_args` the flags of a step, `exit` the exit codes;
//! - `exec` is a step from beginning to end. `checked` has its arguments, whose URIs and paths
//!   `placeholders` completes, `wait` waits for inputs, `transfer` pulls and pushes artifacts,
//!   `supervise` runs the command with the help of `spawn`, `tee` and `reap_orphans`, and `output`
//!   checks the outputs; `failure` says why it failed, and `summary` what it did;
//! - `reuse` looks for the outputs of an equal step before, and `results` pushes outputs, with the
//!   `provenance` in their manifests and `statements` beside them, and leaves keys;
//! - `signals` decides what a signal means in each phase of a step, and `cancel` passes it on to a
//!   pull;
//! - `proxy` adds credentials to the requests of a step, in a container of its own;
//! - `commands` has what people and scripts call: `pull`, `push`, `explain-key`, `entrypoint`;
//! - `copy` copies artifacts between registries, and `prune` deletes old ones; a `place` names the
//!   repositories of both, and `work` has what they share as commands of Jobs;
//! - `collection` runs a registry and collects its garbage, when `prune` asks for that;
//! - `network` reads how registries are reached;
//! - `log` and `termination` write sentences for people, and `listed` the lists in them;
//! - `install` copies the program into the volume of a pod.
//!
//! It is a library so that `orascache dev` can be this program too:
//!
//! ```no_run
//! let code: std::process::ExitCode = orascache_agent::main();
//! # let _ = code;
//! ```

mod cancel;
mod checked;
mod cli;
mod collection;
mod commands;
mod copy;
mod exec;
mod exit;
mod failure;
mod install;
mod listed;
mod log;
mod network;
mod output;
mod place;
mod placeholders;
mod provenance;
mod proxy;
mod prune;
mod reap_orphans;
mod results;
mod reuse;
mod signals;
mod spawn;
mod statements;
mod step_args;
mod summary;
mod supervise;
mod tee;
mod termination;
mod transfer;
mod wait;
mod work;

use clap::Parser;
use std::ffi::OsString;
use std::process::ExitCode;

/// The program, with the arguments of this process. The process must have no other thread: signals
/// are blocked before the first one starts.
pub fn main() -> ExitCode {
    let arguments: Vec<OsString> = std::env::args_os().collect();
    // A step reports wrong arguments in its own way, and must block signals before anything else.
    if arguments.get(1).is_some_and(|word| word == step_args::EXEC) {
        return ExitCode::from(exec::execute(&arguments));
    }
    signals::keep_children();
    let code = match cli::Cli::parse_from(&arguments).command {
        cli::Command::Exec(_) => exec::execute(&arguments),
        cli::Command::Pull(pull) => commands::pull(&pull),
        cli::Command::Push(push) => commands::push(&push),
        cli::Command::Copy(copy) => copy::execute(&copy),
        cli::Command::Prune(prune) => prune::execute(&prune),
        cli::Command::SuperviseRegistry(supervise) => collection::execute(&supervise),
        cli::Command::ExplainKey(explain) => commands::explain_key(&explain),
        cli::Command::Entrypoint(entrypoint) => commands::entrypoint(&entrypoint),
        cli::Command::Version => cli::print_version(),
        cli::Command::Proxy(proxy) => proxy::execute(&proxy, &arguments),
        cli::Command::Install { directory } => install::execute(&directory),
    };
    ExitCode::from(code)
}

/// Copies artifacts as the command `copy` with these arguments does, and returns its exit code: for
/// programs that run the containers of Jobs, such as tests. Unlike [`main`] it may be called on any
/// thread.
///
/// ```
/// assert_eq!(orascache_agent::copy(["--no-such-flag"]), 2);
/// ```
pub fn copy<A: Into<OsString>>(arguments: impl IntoIterator<Item = A>) -> u8 {
    let words = ["orascache-agent", "copy"].map(OsString::from).into_iter();
    match cli::Cli::try_parse_from(words.chain(arguments.into_iter().map(Into::into))) {
        Ok(cli::Cli { command: cli::Command::Copy(arguments), .. }) => copy::execute(&arguments),
        Ok(_) => exit::USAGE,
        Err(error) => {
            // Where standard error is closed, nobody reads this.
            let _ = error.print();
            exit::USAGE
        }
    }
}
