//! The credentials of the proxy, and how other processes are kept from reading them.
//!
//! A step may run as the same user as the proxy, and may see its processes. Two measures keep the
//! Secret from it:
//! - The memory of the proxy, its environment and its open files are closed to processes of the
//!   same user ([`hide_memory`]).
//! - Credentials that came in environment variables are handed over to a new image of the program
//!   without these variables, since a process cannot remove them from what `/proc/PID/environ`
//!   shows.

use super::ProxyArgs;
use crate::log::Log;
use nix::sys::prctl::set_dumpable;
use oci_registry_client::Credentials;
use orascache_api::steps::env;
use rustix::fs::MemfdFlags;
use rustix::stdio::dup2_stdin;
use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fs::File;
use std::io::{self, Read, Seek, Write};
use std::os::unix::process::CommandExt;
use std::process::Command;

/// The variables and files that hold credentials.
const NAMES: [&str; 3] = [env::USER, env::PULL_PASSWORD, env::PUSH_PASSWORD];
/// This program, also when its file has been replaced meanwhile (proc_pid_exe(5)).
const THIS_PROGRAM: &str = "/proc/self/exe";
/// The flag by which the new image reads the credentials.
const FROM_STDIN: &str = "--credentials-stdin";

/// Closes the memory and the environment of this process to other processes of the same user
/// (PR_SET_DUMPABLE(2const)). It must be repeated after each execve(2).
pub fn hide_memory(log: &Log) {
    if let Err(error) = set_dumpable(false) {
        log.info(format_args!(
            "warning: processes of the same user may read the credentials, since this process cannot be hidden: {error}"
        ));
    }
}

/// The credentials. Where they come from environment variables, this function replaces the process
/// by a new image without these variables, and returns in the new image.
///
/// # Errors
/// A sentence, when they cannot be read. It holds no secret.
pub fn load(arguments: &ProxyArgs, command_line: &[OsString], log: &Log) -> Result<Credentials, String> {
    if let Some(directory) = &arguments.credentials {
        return Credentials::from_directory(directory);
    }
    if arguments.credentials_stdin {
        let values = receive().map_err(|error| format!("the credentials cannot be read: {error}"))?;
        return from_map(&values);
    }
    let values = of_environment()?;
    if !values.is_empty() {
        // It returns only when it fails. Then the variables stay, and only `hide_memory` protects
        // them.
        let error = hand_over(&values, command_line);
        log.debug(format_args!("the credentials stay in the environment of the proxy: {error}"));
    }
    from_map(&values)
}

fn from_map(values: &BTreeMap<String, String>) -> Result<Credentials, String> {
    Credentials::from_values(|name| Ok(values.get(name).cloned()))
}

/// The values of the variables that are set.
fn of_environment() -> Result<BTreeMap<String, String>, String> {
    let set = NAMES.iter().filter_map(|name| Some((*name, std::env::var_os(name)?)));
    set.map(|(name, value)| {
        let value = value.into_string();
        // The message does not show the value.
        let value = value.map_err(|_| format!("{name} is not UTF-8: check the Secret that it comes from"))?;
        Ok((name.to_owned(), value))
    })
    .collect()
}

/// Replaces this process by a new image of the program that reads the values from its standard
/// input. Returns only on failure.
fn hand_over(values: &BTreeMap<String, String>, command_line: &[OsString]) -> io::Error {
    let stdin = match send(values) {
        Ok(stdin) => stdin,
        Err(error) => return error,
    };
    let mut command = Command::new(THIS_PROGRAM);
    if let Some((name, arguments)) = command_line.split_first() {
        command.arg0(name).args(arguments);
    }
    for name in NAMES {
        command.env_remove(name);
    }
    command.arg(FROM_STDIN).stdin(stdin).exec()
}

/// A file in memory with the values, to be read from its beginning.
fn send(values: &BTreeMap<String, String>) -> io::Result<File> {
    let mut file = File::from(rustix::fs::memfd_create("credentials", MemfdFlags::CLOEXEC)?);
    file.write_all(serde_json::to_string(values)?.as_bytes())?;
    file.rewind()?;
    Ok(file)
}

/// Reads the values from standard input, and closes it.
fn receive() -> io::Result<BTreeMap<String, String>> {
    let mut text = Vec::new();
    io::stdin().lock().read_to_end(&mut text)?;
    dup2_stdin(File::open("/dev/null")?)?;
    serde_json::from_slice(&text).map_err(|_| io::Error::other("standard input holds something else"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_handed_over_unchanged() {
        let values = BTreeMap::from([("ORAS_PULL_PASS".to_owned(), "a\"b\\\n\u{0}ü".to_owned())]);
        let mut text = String::new();
        send(&values).unwrap().read_to_string(&mut text).unwrap();
        assert_eq!(serde_json::from_str::<BTreeMap<String, String>>(&text).unwrap(), values);
    }
}
