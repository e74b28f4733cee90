//! Runs the command from its start to the end of everything that it started.

use crate::exit;
use crate::leftovers;
use crate::log::Log;
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
pub struct Ended {
    /// Its exit code, or 128 and the number of the signal that ended it.
    pub code: u8,
    /// Why the copy of its standard output is not complete, if one was asked for and it is not.
    pub incomplete: Option<String>,
}

/// Why there is no end to tell of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Failure {
    /// A signal came before the start.
    Cancelled(Cancelled),
    /// It did not work: exit code and sentence.
    Failed(u8, String),
}

/// Runs the command `words` and waits until nothing of it is left. With `output_pipe` its standard output goes to that file
/// too.
pub fn run(
    words: &[OsString],
    output_pipe: Option<&Path>,
    signals: &Signals,
    log: &Log,
) -> Result<Ended, Failure> {
    // Where we are the first process orphans come to us anyway.
    if let Err(error) = set_child_subreaper(true) {
        log.info(format_args!("processes that the command leaves running may stay: {error}"));
    }
    let (tee, stdout) = match output_pipe.map(|path| Tee::open(path, *log)).transpose() {
        Ok(opened) => opened.unzip(),
        Err(sentence) => return Err(Failure::Failed(exit::PUSH_FAILED, sentence)),
    };
    signals
        .begin(|| spawn::spawn(words, stdout.as_ref().map(AsFd::as_fd)))
        .map_err(Failure::Cancelled)?
        .map_err(|error| {
            let (code, sentence) = spawn::failure(words, error);
            Failure::Failed(code, sentence)
        })?;
    // Only the command and what it starts still have it.
    drop(stdout);
    let tee = tee.map(Tee::start).transpose();
    let status = wait(signals);
    leftovers::end(log);
    let incomplete = match tee {
        Ok(tee) => tee.and_then(|tee| tee.finish().err()),
        Err(sentence) => Some(sentence),
    };
    let status = status.map_err(|error| {
        let sentence =
            format!("the exit code of the command is not known, so that it counts as failed: {error}");
        Failure::Failed(exit::PUSH_FAILED, sentence)
    })?;
    Ok(Ended { code: code(status), incomplete })
}

/// Reaps everything until the command has ended.
fn wait(signals: &Signals) -> io::Result<WaitStatus> {
    loop {
        // Left for reaping, which has to happen under the lock of those who send signals.
        match waitid(WaitId::All, WaitIdOptions::EXITED | WaitIdOptions::NOWAIT) {
            Ok(_) | Err(rustix::io::Errno::INTR) => {}
            Err(error) => return Err(error.into()),
        }
        if let Some(status) = signals.reap()? {
            return Ok(status);
        }
    }
}

fn code(status: WaitStatus) -> u8 {
    match (status.exit_status(), status.terminating_signal()) {
        (Some(code), _) => u8::try_from(code).unwrap_or(u8::MAX),
        (None, Some(signal)) => exit::of_signal(signal),
        (None, None) => u8::MAX,
    }
}
