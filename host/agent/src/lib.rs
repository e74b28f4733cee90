//! The program in workflow pods: it pulls the inputs of a step, runs its command and pushes its
//! output.
//!
//! # Layout
//! - `cli` is the command line, `exit` the exit codes;
//! - `exec` is a step from beginning to end. `placeholders` completes its URIs, `transfer` pulls
//!   and pushes artifacts, `supervise` runs the command with the help of `spawn`, `tee` and
//!   `reap_orphans`, and `output` checks the output;
//! - `signals` decides what a signal means in each phase of a step, and `cancel` passes it on to a
//!   pull;
//! - `proxy` adds credentials to the requests of a step, in a container of its own;
//! - `commands` has `pull` and `push` for people and scripts;
//! - `network` reads how registries are reached;
//! - `log` and `termination` write sentences for people;
//! - `install` copies the program into the volume of a pod.
//!
//! It is a library so that `orascache dev` can be this program too:
//!
//! ```no_run
//! let code: std::process::ExitCode = orascache_agent::main();
//! # let _ = code;
//! ```

mod cancel;
mod cli;
mod commands;
mod exec;
mod exit;
mod install;
mod log;
mod network;
mod output;
mod placeholders;
mod proxy;
mod reap_orphans;
mod signals;
mod spawn;
mod supervise;
mod tee;
mod termination;
mod transfer;

use clap::Parser;
use std::ffi::OsString;
use std::process::ExitCode;

/// The program, with the arguments of this process. The process must have no other thread: signals
/// are blocked before the first one starts.
pub fn main() -> ExitCode {
    let arguments: Vec<OsString> = std::env::args_os().collect();
    // A step reports wrong arguments in its own way, and must block signals before anything else.
    if arguments.get(1).is_some_and(|word| word == cli::EXEC) {
        return ExitCode::from(exec::execute(&arguments));
    }
    signals::keep_children();
    let code = match cli::Cli::parse_from(&arguments).command {
        cli::Command::Exec(_) => exec::execute(&arguments),
        cli::Command::Pull(pull) => commands::pull(&pull),
        cli::Command::Push(push) => commands::push(&push),
        cli::Command::Proxy(proxy) => proxy::execute(&proxy, &arguments),
        cli::Command::Install { directory } => install::execute(&directory),
    };
    ExitCode::from(code)
}
