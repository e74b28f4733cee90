//! Kills and reaps the processes that a command has left running, since the output must not change
//! while it is pushed. The kernel does the same when the first process of a container ends
//! (pid_namespaces(7)).

use crate::log::Log;
use nix::errno::Errno;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use rustix::io::Errno as WaitErrno;
use rustix::process::{WaitOptions, wait};
use std::fs;
use std::io;
use std::thread::sleep;
use std::time::{Duration, Instant};

/// Time that killed processes have to end. Only a process that hangs in the kernel, such as in a
/// file system whose server is gone, needs a noticeable time.
const LIMIT: Duration = Duration::from_secs(10);
/// Longest pause between two rounds.
const LONGEST_PAUSE: Duration = Duration::from_millis(50);

/// Kills all children and reaps them, until there are none. This process must be a subreaper or the
/// first process, and the command must have been reaped.
///
/// Only direct children are killed. Grandchildren become children when their parents end. This way
/// the id of a process cannot belong to another process by the time it is killed, since only this
/// process reaps its children.
pub fn run(log: &Log) {
    let deadline = Instant::now() + LIMIT;
    let mut pause = Duration::from_millis(1);
    loop {
        if !reap() {
            return;
        }
        let children = match children() {
            Ok(children) => children,
            Err(error) => {
                return log.info(format_args!("cannot find what the command left running: {error}"));
            }
        };
        let (mut killed, mut refused) = (0, Vec::new());
        for child in &children {
            match kill(*child, Signal::SIGKILL) {
                Err(Errno::EPERM) => refused.push(child.to_string()),
                _ => killed += 1,
            }
        }
        log.debug(format_args!("killed {killed} processes that the command left running"));
        if killed == 0 && !refused.is_empty() {
            let refused = refused.join(", ");
            return log.info(format_args!(
                "processes of other users are left running by the command and cannot be killed: {refused}"
            ));
        }
        if Instant::now() >= deadline {
            return log.info("processes that the command left running do not end though they are killed");
        }
        sleep(pause);
        pause = LONGEST_PAUSE.min(pause * 2);
    }
}

/// Reaps all children that have ended. Returns whether there are any left.
fn reap() -> bool {
    loop {
        match wait(WaitOptions::NOHANG) {
            Ok(Some(_)) | Err(WaitErrno::INTR) => {}
            Ok(None) => return true,
            Err(_) => return false,
        }
    }
}

/// The children of this process (proc_pid_task(5)). Some kernels have no list of them; then all
/// processes are searched.
fn children() -> io::Result<Vec<Pid>> {
    let mut children = Vec::new();
    for task in fs::read_dir("/proc/self/task")? {
        match fs::read_to_string(task?.path().join("children")) {
            Ok(list) => children.extend(list.split_ascii_whitespace().filter_map(to_pid)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => return children_by_parent(),
            Err(error) => return Err(error),
        }
    }
    Ok(children)
}

fn children_by_parent() -> io::Result<Vec<Pid>> {
    let ours = Pid::this();
    let mut children = Vec::new();
    for entry in fs::read_dir("/proc")? {
        let entry = entry?;
        let Some(pid) = entry.file_name().to_str().and_then(to_pid) else { continue };
        // The process may have ended meanwhile.
        let Ok(stat) = fs::read(entry.path().join("stat")) else { continue };
        if parent(&stat) == Some(ours) {
            children.push(pid);
        }
    }
    Ok(children)
}

fn to_pid(text: &str) -> Option<Pid> {
    text.parse().ok().filter(|pid| *pid > 0).map(Pid::from_raw)
}

/// The parent in a line of /proc/PID/stat: the second field behind the name, which is in
/// parentheses and may hold any character (proc_pid_stat(5)).
fn parent(stat: &[u8]) -> Option<Pid> {
    let name_end = stat.iter().rposition(|byte| *byte == b')')?;
    let behind = std::str::from_utf8(stat.get(name_end + 1..)?).ok()?;
    to_pid(behind.split_ascii_whitespace().nth(1)?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::process::{Command, Stdio};

    #[test]
    fn the_parent_is_found_behind_any_name() {
        assert_eq!(parent(b"7 (a) R 1) S 42 7 7 0 -1"), Some(Pid::from_raw(42)));
        assert_eq!(parent(b"7 (\xff) S 42 7"), Some(Pid::from_raw(42)));
        assert_eq!((parent(b"7 (a) S 0 0"), parent(b""), parent(b"7 (a)")), (None, None, None));
    }

    #[test]
    fn both_searches_find_the_same_child() {
        let mut child = Command::new("cat").stdin(Stdio::piped()).stdout(Stdio::null()).spawn().unwrap();
        let pid = Pid::from_raw(i32::try_from(child.id()).unwrap());
        let found = [children().unwrap(), children_by_parent().unwrap()].map(|all| all.contains(&pid));
        drop(child.stdin.take());
        child.wait().unwrap();
        assert_eq!(found, [true, true]);
    }
}
