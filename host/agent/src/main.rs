//! The program in workflow pods: it pulls the inputs of a step, runs its command and pushes its output.
//!
//! # Layout
//! - `cli` is the command line, `exit` the codes that the program ends with;
//! - `exec` is a step from beginning to end: `placeholders` completes its URIs, `transfer` moves artifacts, `supervise`
//!   runs the command with the help of `spawn`, `tee` and `leftovers`, and `output` looks at what the command left;
//! - `signals` decides what a signal means in each phase of a step, `cancel` tells a pull of it;
//! - `proxy` adds credentials to the requests of a step, in a container of its own;
//! - `people` is `pull` and `push` by hand;
//! - `log` and `termination` are where sentences for people go;
//! - `install` puts the program into the volume that the container finds it in.

mod cancel;
mod cli;
mod exec;
mod exit;
mod install;
mod leftovers;
mod log;
mod output;
mod people;
mod placeholders;
mod proxy;
mod signals;
mod spawn;
mod supervise;
mod tee;
mod termination;
mod transfer;

use clap::Parser;
use std::ffi::OsString;
use std::process::ExitCode;

fn main() -> ExitCode {
    let arguments: Vec<OsString> = std::env::args_os().collect();
    // A step has its own way with wrong arguments, and with signals from the first moment on.
    if arguments.get(1).is_some_and(|word| word == cli::EXEC) {
        return ExitCode::from(exec::execute(&arguments));
    }
    let code = match cli::Cli::parse_from(&arguments).command {
        cli::Command::Exec(_) => exec::execute(&arguments),
        cli::Command::Pull(pull) => people::pull(&pull),
        cli::Command::Push(push) => people::push(&push),
        cli::Command::Proxy(proxy) => proxy::execute(&proxy),
        cli::Command::Install { directory } => install::execute(&directory),
    };
    ExitCode::from(code)
}
