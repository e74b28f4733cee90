//! Watches over a command, from its start to its end.

use super::socket::Socket;
use crate::messages::{Ending, Report, Request};
use rustix::event::{PollFd, PollFlags, poll};
use rustix::io::Errno;
use rustix::process::{Pid, PidfdFlags, Signal, pidfd_open, pidfd_send_signal};
use std::io;
use std::os::unix::process::ExitStatusExt;
use std::process::Child;

/// Passes the node's signals on until the command has ended, and reports how. When the node ends,
/// the command is killed.
pub(super) fn run(mut child: Child, node: &mut Socket) -> io::Result<()> {
    let id = i32::try_from(child.id()).ok().and_then(Pid::from_raw);
    let id = id.ok_or_else(|| io::Error::other("a process without an ID"))?;
    let process = pidfd_open(id, PidfdFlags::empty())?;
    let mut node_lives = true;
    loop {
        while let Some(Request::Signal(number)) = node.buffered()? {
            if let Some(signal) = Signal::from_named_raw(number) {
                // An error means that it has ended already.
                let _ = pidfd_send_signal(&process, signal);
            }
        }
        let mut watched = [
            PollFd::new(&process, PollFlags::IN),
            PollFd::new(&*node, if node_lives { PollFlags::IN } else { PollFlags::empty() }),
        ];
        let watched_now = if node_lives { &mut watched[..] } else { &mut watched[..1] };
        match poll(watched_now, None) {
            Ok(_) | Err(Errno::INTR) => {}
            Err(error) => return Err(error.into()),
        }
        let has_ended = !watched[0].revents().is_empty();
        let is_told = !watched[1].revents().is_empty();
        if has_ended {
            let status = child.wait()?;
            let ending = match (status.code(), status.signal()) {
                (Some(code), _) => Ending::Code(code),
                (None, signal) => Ending::Signal(signal.unwrap_or_default()),
            };
            node.send(&Report::Ended(ending));
            return Ok(());
        }
        if is_told && matches!(node.fill(), Ok(0) | Err(_)) {
            node_lives = false;
            let _ = pidfd_send_signal(&process, Signal::KILL);
        }
    }
}
