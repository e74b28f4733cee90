//! Runs a command in a container that runs already.

use super::socket::Socket;
use super::{namespaces, supervise};
use crate::messages::{Report, StartFailure, Visit};
use rustix::process::{Pid, PidfdFlags, pidfd_open};
use rustix::thread::{ThreadNameSpaceType, move_into_thread_name_spaces};
use std::io;
use std::os::fd::AsFd;
use std::os::unix::process::CommandExt;
use std::process::{Command, ExitCode, Stdio};

/// Runs the command that the node describes on standard input. It has no output.
pub(super) fn run() -> ExitCode {
    let Ok(mut node) = Socket::from_standard_input() else { return ExitCode::FAILURE };
    match visit(&mut node) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            let failure = match error.kind() {
                io::ErrorKind::NotFound => StartFailure::NotFound(error.to_string()),
                _ => StartFailure::Container(error.to_string()),
            };
            node.send(&Report::Failed(failure));
            ExitCode::FAILURE
        }
    }
}

fn visit(node: &mut Socket) -> io::Result<()> {
    let Some(Visit { process, command }) = node.receive()? else { return Ok(()) };
    let gone = || io::Error::other("the container has ended");
    let process = pidfd_open(Pid::from_raw(process).ok_or_else(gone)?, PidfdFlags::empty())?;
    // All at once, since entering the user namespace first decides about the rights to the others.
    move_into_thread_name_spaces(
        process.as_fd(),
        ThreadNameSpaceType::USER
            | ThreadNameSpaceType::MOUNT
            | ThreadNameSpaceType::PROCESS_ID
            | ThreadNameSpaceType::INTER_PROCESS_COMMUNICATION
            | ThreadNameSpaceType::HOST_NAME_AND_NIS_DOMAIN_NAME,
    )?;
    std::env::set_current_dir(&command.directory)?;
    namespaces::give_up_capabilities()?;
    let (program, arguments) = command.words.split_first().ok_or_else(|| io::Error::other("no command"))?;
    let child = Command::new(program)
        .args(arguments)
        .env_clear()
        .envs(command.variables.iter().map(|(name, value)| (name, value)))
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .process_group(0)
        .spawn()?;
    node.send(&Report::Started(i32::try_from(child.id()).unwrap_or_default()));
    supervise::run(child, node)
}
