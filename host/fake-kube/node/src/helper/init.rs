//! The first process of a container: it makes the file system and becomes the command.

use super::socket::Socket;
use super::{files, namespaces};
use crate::messages::{Launch, StartFailure};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fs::{Mode, OFlags};
use rustix::process::{Signal, set_parent_process_death_signal, setsid};
use std::io;
use std::os::fd::AsRawFd;
use std::os::unix::process::CommandExt;
use std::process::{Command, ExitCode};

/// Becomes the command that `contain` describes on standard input.
pub(super) fn run() -> ExitCode {
    let Ok(mut contain) = Socket::from_standard_input() else { return ExitCode::FAILURE };
    let failure = match contain.receive::<Launch>() {
        Ok(Some(launch)) => become_command(&launch, &contain),
        Ok(None) => return ExitCode::FAILURE,
        Err(error) => StartFailure::Container(error.to_string()),
    };
    contain.send(&failure);
    ExitCode::FAILURE
}

/// Returns only when that fails.
fn become_command(launch: &Launch, contain: &Socket) -> StartFailure {
    let prepared = open_program(launch).and_then(|program| {
        files::make(&launch.files)?;
        rustix::system::sethostname(launch.hostname.as_bytes())
            .map_err(|error| StartFailure::Container(format!("the host name cannot be set: {error}")))?;
        let directory = &launch.command.directory;
        std::fs::create_dir_all(directory).and_then(|()| std::env::set_current_dir(directory)).map_err(
            |error| {
                StartFailure::Container(format!("the working directory {directory} cannot be used: {error}"))
            },
        )?;
        namespaces::give_up_capabilities()
            .map_err(|error| StartFailure::Container(format!("capabilities cannot be given up: {error}")))?;
        Ok(program)
    });
    let program = match prepared {
        Ok(program) => program,
        Err(failure) => return failure,
    };
    // A session of its own, away from the terminal of the node.
    let _ = setsid();
    // The kernel kills the container when `contain` disappears, however that happens.
    if let Err(error) = set_parent_process_death_signal(Some(Signal::KILL)) {
        return StartFailure::Container(format!("the end of the node would go unnoticed: {error}"));
    }
    if has_ended(contain) {
        return StartFailure::Container("the node has ended".to_owned());
    }
    execute(launch, program)
}

/// Opens the file that runs in place of the first word, before it is out of sight.
fn open_program(launch: &Launch) -> Result<Option<std::os::fd::OwnedFd>, StartFailure> {
    let Some(path) = &launch.program else { return Ok(None) };
    let opened = rustix::fs::open(path, OFlags::PATH | OFlags::CLOEXEC, Mode::empty());
    let opened = opened.map_err(|error| {
        StartFailure::Container(format!("the program {} cannot be opened: {error}", path.display()))
    });
    opened.map(Some)
}

fn has_ended(contain: &Socket) -> bool {
    let mut watched = [PollFd::new(contain, PollFlags::empty())];
    let at_once = Timespec { tv_sec: 0, tv_nsec: 0 };
    matches!(poll(&mut watched, Some(&at_once)), Ok(1)) && watched[0].revents().contains(PollFlags::HUP)
}

fn execute(launch: &Launch, program: Option<std::os::fd::OwnedFd>) -> StartFailure {
    let Some((name, arguments)) = launch.command.words.split_first() else {
        return StartFailure::Container("there is no command".to_owned());
    };
    let mut command = match &program {
        Some(file) => Command::new(format!("/proc/self/fd/{}", file.as_raw_fd())),
        None => Command::new(name),
    };
    command.arg0(name).args(arguments).env_clear();
    command.envs(launch.command.variables.iter().map(|(name, value)| (name, value)));
    let error = command.exec();
    match error.kind() {
        io::ErrorKind::NotFound if name.contains('/') => {
            StartFailure::NotFound(format!("exec: {name:?}: stat {name}: no such file or directory"))
        }
        io::ErrorKind::NotFound => {
            StartFailure::NotFound(format!("exec: {name:?}: executable file not found in $PATH"))
        }
        _ => StartFailure::Container(format!("exec: {name:?}: {error}")),
    }
}
