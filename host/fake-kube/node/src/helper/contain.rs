//! Makes the namespaces of a container, and stays outside of them.

use super::socket::Socket;
use super::{Mode, namespaces, supervise};
use crate::messages::{Launch, Report, StartFailure};
use std::ffi::OsString;
use std::io;
use std::process::{Command, ExitCode};

/// This program, also when its file has been replaced meanwhile (proc_pid_exe(5)).
const THIS_PROGRAM: &str = "/proc/self/exe";

/// Runs the container that the node describes on standard input.
pub(super) fn run(arguments: &[OsString]) -> ExitCode {
    let Ok(mut node) = Socket::from_standard_input() else { return ExitCode::FAILURE };
    match contain(arguments, &mut node) {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            node.send(&Report::Failed(failure));
            ExitCode::FAILURE
        }
    }
}

fn contain(arguments: &[OsString], node: &mut Socket) -> Result<(), StartFailure> {
    let failed = |what: &str| {
        let what = what.to_owned();
        move |error: io::Error| StartFailure::Container(format!("{what}: {error}"))
    };
    let launch: Option<Launch> = node.receive().map_err(failed("the node's message is damaged"))?;
    let Some(launch) = launch else { return Ok(()) };
    namespaces::enter_new(launch.user, launch.group)
        .map_err(|error| StartFailure::NoNamespaces(error.to_string()))?;
    let (mut init, theirs) = Socket::pair().map_err(failed("no socket"))?;
    let child = Command::new(THIS_PROGRAM)
        .args(arguments)
        .arg(Mode::Init.word())
        .env_clear()
        .stdin(theirs)
        .spawn()
        .map_err(failed("the first process of the container cannot be started"))?;
    init.send(&launch);
    // It becomes the command of the container, which closes the socket, or says why not.
    match init.receive::<StartFailure>().map_err(failed("the container's message is damaged"))? {
        Some(failure) => return Err(failure),
        None => node.send(&Report::Started(i32::try_from(child.id()).unwrap_or_default())),
    }
    supervise::run(child, node).map_err(failed("the container cannot be watched"))
}
