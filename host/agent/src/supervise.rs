//! Runs the command from its start to the end of everything that it started.

use crate::exit;
use crate::log::Log;
use crate::reap_orphans;
use crate::signals::{Cancelled, Signals};
use crate::spawn;
use crate::tee::Tee;
use nix::sys::prctl::set_child_subreaper;
use rustix::process::{WaitId, WaitIdOptions, WaitStatus, waitid};
use std::ffi::OsString;
use std::io;
use std::os::fd::AsFd;
use std::path::Path;

/// How the command ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CommandEnd {
    /// Its exit code, or 128 and the number of the signal that ended it.
    pub code: u8,
    /// Why the copy of its standard output is not complete, if one was asked for and it is not.
    pub incomplete: Option<String>,
}

/// Why the command was not started, or its end is not known.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CommandFailure {
    /// A signal came before the start.
    Cancelled(Cancelled),
    /// An error: the exit code of the step, and a sentence.
    Failed(u8, String),
}

/// Runs the command `words`, and waits until it and all its children have ended. With
/// `output_pipe`, its standard output is copied to that file.
pub fn run(
    words: &[OsString],
    output_pipe: Option<&Path>,
    signals: &Signals,
    log: &Log,
) -> Result<CommandEnd, CommandFailure> {
    // The first process of a container gets orphans without this.
    if let Err(error) = set_child_subreaper(true) {
        log.info(format_args!("processes that the command leaves running may stay: {error}"));
    }
    let (tee, stdout) = match output_pipe.map(|path| Tee::open(path, *log)).transpose() {
        Ok(opened) => opened.unzip(),
        Err(sentence) => return Err(CommandFailure::Failed(exit::PUSH_FAILED, sentence)),
    };
    signals
        .begin(|| spawn::spawn(words, stdout.as_ref().map(AsFd::as_fd)))
        .map_err(CommandFailure::Cancelled)?
        .map_err(|error| {
            let (code, sentence) = spawn::failure(words, error);
            CommandFailure::Failed(code, sentence)
        })?;
    // From here on, only the command and its children have the writing end of the pipe.
    drop(stdout);
    let tee = tee.map(Tee::start).transpose();
    let status = wait(signals);
    reap_orphans::run(log);
    let incomplete = match tee {
        Ok(tee) => tee.and_then(|tee| tee.finish().err()),
        Err(sentence) => Some(sentence),
    };
    let status = status.map_err(|error| {
        let sentence =
            format!("the exit code of the command is not known, so that it counts as failed: {error}");
        CommandFailure::Failed(exit::PUSH_FAILED, sentence)
    })?;
    Ok(CommandEnd { code: code(status), incomplete })
}

/// Reaps everything until the command has ended.
fn wait(signals: &Signals) -> io::Result<WaitStatus> {
    loop {
        // `NOWAIT` leaves the child to `Signals::reap`, which reaps it under the lock that sending
        // signals needs.
        match waitid(WaitId::All, WaitIdOptions::EXITED | WaitIdOptions::NOWAIT) {
            Ok(_) | Err(rustix::io::Errno::INTR) => {}
            Err(error) => return Err(error.into()),
        }
        if let Some(status) = signals.reap()? {
            return Ok(status);
        }
    }
}

/// The exit code of a process, or 128 and the number of the signal that ended it.
pub fn code(status: WaitStatus) -> u8 {
    match (status.exit_status(), status.terminating_signal()) {
        (Some(code), _) => u8::try_from(code).unwrap_or(u8::MAX),
        (None, Some(signal)) => exit::of_signal(signal),
        (None, None) => u8::MAX,
    }
}
