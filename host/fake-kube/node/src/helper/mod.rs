//! The helper: a program between the node and the processes of a container. The node starts one for
//! each container, because a process that has threads cannot enter a user namespace.
//!
//! 1. `contain` is started by the node. It makes the namespaces, starts `init` as their first
//!    process, passes signals on, and reports the end. It kills the container when the node ends.
//! 2. `init` makes the container's file system, and becomes the command of the container.
//! 3. `enter` runs a further command in a container: a probe, or a hook.
//!
//! Standard input of each is a socket to the process that started it, with one JSON document a
//! line. The command itself gets `/dev/null`.

mod contain;
mod enter;
mod files;
mod init;
mod namespaces;
mod seal;
mod socket;
mod supervise;

use std::ffi::{OsStr, OsString};
use std::process::ExitCode;

/// What the helper was started for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Mode {
    /// Runs a container.
    Contain,
    /// Becomes the first process of a container.
    Init,
    /// Runs a command in a container.
    Enter,
}

impl Mode {
    /// The word for it on the helper's command line.
    pub(crate) fn word(self) -> &'static str {
        match self {
            Mode::Contain => "contain",
            Mode::Init => "init",
            Mode::Enter => "enter",
        }
    }

    fn parse(word: &OsStr) -> Option<Self> {
        [Mode::Contain, Mode::Init, Mode::Enter].into_iter().find(|mode| word == mode.word())
    }
}

/// The program of the helper. `arguments` are those of the process, with the name of the program.
/// The last one says what to do, and those before it are passed on: a program that is more than the
/// helper recognizes it by them.
///
/// The process must have no other thread.
pub fn main(arguments: impl IntoIterator<Item = OsString>) -> ExitCode {
    let mut arguments: Vec<OsString> = arguments.into_iter().skip(1).collect();
    let mode = arguments.pop().as_deref().and_then(Mode::parse);
    match mode {
        Some(Mode::Contain) => contain::run(&arguments),
        Some(Mode::Init) => init::run(),
        Some(Mode::Enter) => enter::run(),
        None => {
            // Standard error is a person's here: the node always names a mode.
            let _ = std::io::Write::write_all(
                &mut std::io::stderr(),
                b"error: a node for a fake Kubernetes cluster starts this program; it is not for people\n",
            );
            ExitCode::from(2)
        }
    }
}
