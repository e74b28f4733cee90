//! The command of a step, and why it may not start.

use crate::exit;
use nix::errno::Errno;
use nix::libc::{STDERR_FILENO, STDOUT_FILENO};
use nix::spawn::{PosixSpawnAttr, PosixSpawnFileActions, PosixSpawnFlags, posix_spawnp};
use nix::sys::signal::{SigSet, Signal};
use nix::unistd::Pid;
use orascache_api::steps::env;
use std::borrow::Cow;
use std::env::{split_paths, var_os, vars_os};
use std::ffi::{CString, OsStr, OsString};
use std::fs::File;
use std::io::{self, Read};
use std::os::fd::{AsRawFd, BorrowedFd};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

/// Variables that are for the agent, and not for the command.
const AGENT_VARIABLES: [&str; 7] =
    [env::POD, env::NAMESPACE, env::JOB, env::INDEX, env::CA_FILE, env::CA_PEM, env::INPUT_WAIT_REMAINING];
/// Number of bytes that the kernel reads of the first line of a script (execve(2), "Interpreter
/// scripts"; since Linux 5.1).
const FIRST_LINE: u64 = 255;

/// What a command has of its own, and not of the agent that starts it.
#[derive(Debug, Default)]
pub struct Own<'o> {
    /// Its standard output.
    pub stdout: Option<BorrowedFd<'o>>,
    /// Its standard error.
    pub stderr: Option<BorrowedFd<'o>>,
    /// Variables, in place of the agent's of the same names.
    pub variables: &'o [(&'static str, String)],
    /// Whether it has a process group of its own.
    pub group: bool,
}

/// Starts the command, with the environment of the agent less its own variables, its standard
/// streams unless `stdout` is given, no blocked signals, and the default actions of SIGPIPE and
/// SIGCHLD. The command of the standard library would inherit blocked signals.
pub fn spawn(words: &[OsString], stdout: Option<BorrowedFd<'_>>) -> Result<Pid, Errno> {
    spawn_with(words, &Own { stdout, ..Own::default() })
}

/// As [`spawn`], with more that is the command's own.
pub fn spawn_with(words: &[OsString], own: &Own<'_>) -> Result<Pid, Errno> {
    let words = words.iter().map(|word| to_c(word.as_bytes())).collect::<Result<Vec<_>, _>>()?;
    let program = words.first().ok_or(Errno::ENOENT)?;
    let replaced = own.variables.iter().map(|(name, _)| name);
    let left_out: Vec<&str> = AGENT_VARIABLES.iter().chain(replaced).copied().collect();
    let inherited = vars_os().filter(|(name, _)| !left_out.iter().any(|out| name == *out));
    let environment = inherited
        .map(|(name, value)| to_c(&[name.as_bytes(), b"=", value.as_bytes()].concat()))
        .chain(own.variables.iter().map(|(name, value)| to_c(format!("{name}={value}").as_bytes())))
        .collect::<Result<Vec<_>, _>>()?;
    let mut attributes = PosixSpawnAttr::init()?;
    let mut flags = PosixSpawnFlags::POSIX_SPAWN_SETSIGMASK | PosixSpawnFlags::POSIX_SPAWN_SETSIGDEF;
    if own.group {
        flags |= PosixSpawnFlags::POSIX_SPAWN_SETPGROUP;
        // 0 stands for the id of the command.
        attributes.set_pgroup(Pid::from_raw(0))?;
    }
    attributes.set_flags(flags)?;
    attributes.set_sigmask(&SigSet::empty())?;
    attributes.set_sigdefault(&[Signal::SIGPIPE, Signal::SIGCHLD].into_iter().collect())?;
    let mut actions = PosixSpawnFileActions::init()?;
    for (stream, number) in [(own.stdout, STDOUT_FILENO), (own.stderr, STDERR_FILENO)] {
        if let Some(stream) = stream {
            actions.add_dup2(stream.as_raw_fd(), number)?;
        }
    }
    posix_spawnp(program, &actions, &attributes, &words, &environment)
}

fn to_c(bytes: &[u8]) -> Result<CString, Errno> {
    CString::new(bytes).map_err(|_| Errno::EINVAL)
}

/// The exit code and the sentence for a command that did not start.
pub fn failure(words: &[OsString], error: Errno) -> (u8, String) {
    let program = words.first().map(OsString::as_os_str).unwrap_or_default();
    let name = program.to_string_lossy();
    match error {
        Errno::ENOENT | Errno::ENOTDIR => (exit::NOT_FOUND, not_found(program, &name)),
        Errno::EACCES => (
            exit::NOT_EXECUTABLE,
            format!(
                "the command {name} is not executable: give it the permission with chmod a+x, or name its interpreter in front of it"
            ),
        ),
        Errno::ENOEXEC => (
            exit::NOT_EXECUTABLE,
            format!(
                "the command {name} is not executable: it is neither a program for this machine nor a script that starts with #! and its interpreter"
            ),
        ),
        _ => (exit::NOT_EXECUTABLE, format!("the command {name} cannot be started: {}", error.desc())),
    }
}

fn not_found(program: &OsStr, name: &str) -> String {
    if program.is_empty() {
        return "the command was not found: its name is empty".to_owned();
    }
    let path = var_os("PATH");
    let Some(file) = locate(program, path.as_deref()) else {
        return if is_path(program) {
            format!("the command {name} was not found")
        } else {
            let path = path.as_deref().map_or(Cow::Borrowed("not set"), OsStr::to_string_lossy);
            format!("the command {name} was not found in any directory of PATH, which is {path}")
        };
    };
    let file = file.display();
    match interpreter(program, path.as_deref()) {
        Some(interpreter) if interpreter.ends_with('\r') => format!(
            "the command {file} is there, but its first line ends in a carriage return, so that the interpreter {interpreter:?} was not found: save it with line ends of Unix"
        ),
        Some(interpreter) => format!(
            "the command {file} is there, but its interpreter {interpreter} was not found: install it, or change the first line of {file}"
        ),
        None => format!(
            "the command {file} is there, but the loader of programs that it needs was not found: its image lacks a C library, or has another one"
        ),
    }
}

fn is_path(program: &OsStr) -> bool {
    program.as_bytes().contains(&b'/')
}

/// The file that execvp(3) would execute.
fn locate(program: &OsStr, path: Option<&OsStr>) -> Option<PathBuf> {
    if is_path(program) {
        return Some(PathBuf::from(program)).filter(|file| file.exists());
    }
    split_paths(path?).map(|directory| directory.join(program)).find(|file| file.is_file())
}

/// The interpreter behind `#!` in the first line of a script.
fn interpreter(program: &OsStr, path: Option<&OsStr>) -> Option<String> {
    first_line(&locate(program, path)?).ok().and_then(|line| parse_interpreter(&line))
}

fn first_line(file: &Path) -> io::Result<Vec<u8>> {
    let mut start = Vec::new();
    File::open(file)?.take(FIRST_LINE).read_to_end(&mut start)?;
    let end = start.iter().position(|byte| *byte == b'\n').unwrap_or(start.len());
    start.truncate(end);
    Ok(start)
}

fn parse_interpreter(line: &[u8]) -> Option<String> {
    let is_blank = |character: char| character == ' ' || character == '\t';
    let line = String::from_utf8_lossy(line.strip_prefix(b"#!")?).into_owned();
    line.trim_matches(is_blank).split(is_blank).next().map(str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn interpreters_are_read_as_the_kernel_reads_them() {
        let read = |line: &[u8]| parse_interpreter(line);
        assert_eq!(read(b"#!/bin/sh").as_deref(), Some("/bin/sh"));
        assert_eq!(read(b"#! \t/usr/bin/env python3 -u ").as_deref(), Some("/usr/bin/env"));
        assert_eq!(read(b"#!/bin/sh\r").as_deref(), Some("/bin/sh\r"));
        assert_eq!(read(b"\x7fELF"), None);
    }
}
