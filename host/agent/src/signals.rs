//! The meaning of signals while a step runs. There are no signal handlers: signals stay blocked,
//! and one thread fetches them.

use crate::cancel::Cancel;
use crate::log::Log;
use nix::libc::{SI_KERNEL, signalfd_siginfo};
use nix::sys::signal::{SigSet, Signal, kill, raise};
use nix::sys::signalfd::{SfdFlags, SignalFd};
use nix::unistd::Pid;
use rustix::process::{WaitOptions, WaitStatus, wait};
use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;

/// Signals of a fault in this program. They keep their default action.
const FAULTS: [Signal; 6] =
    [Signal::SIGSEGV, Signal::SIGBUS, Signal::SIGFPE, Signal::SIGILL, Signal::SIGTRAP, Signal::SIGSYS];
/// Signals that ask a program to end.
const ENDING: [Signal; 4] = [Signal::SIGTERM, Signal::SIGINT, Signal::SIGQUIT, Signal::SIGHUP];
/// Signals that a terminal sends to a whole process group. SIGHUP is none of them: only the leader
/// of the session gets it.
const OF_GROUPS: [Signal; 6] =
    [Signal::SIGINT, Signal::SIGQUIT, Signal::SIGTSTP, Signal::SIGTTIN, Signal::SIGTTOU, Signal::SIGWINCH];

/// The phases of a step that differ in the meaning of signals.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    /// The command has not been started. A signal here asks not to start it.
    Before(Option<Signal>),
    /// The command runs. Its id is valid in this phase, since the command is reaped under the same
    /// lock.
    Running(Pid),
    /// The command has ended. Its output is saved and pushed.
    After,
}

#[derive(Debug)]
struct Shared {
    phase: Mutex<Phase>,
    cancel: Cancel,
    log: Log,
}

/// Passes the signals of a step on.
#[derive(Debug)]
pub struct Signals {
    shared: Arc<Shared>,
}

/// A signal asked to end before the command was started.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cancelled(pub Signal);

/// Blocks the signals that [`Signals::start`] fetches. It must be called before the first thread is
/// started, since threads inherit the blocked signals.
pub fn block() -> io::Result<SigSet> {
    let mut set = SigSet::all();
    for signal in FAULTS {
        set.remove(signal);
    }
    set.thread_block()?;
    Ok(set)
}

/// Ends the ignoring of SIGCHLD, which a process inherits from the one that starts it. While the
/// signal is ignored, the kernel forgets the exit codes of children (waitpid(2), "Notes").
///
/// A handler does the same as the default action and needs no `unsafe`. It never runs in a step,
/// where the signal is blocked. Commands get the default action.
pub fn keep_children() {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    if !ignores(&status, Signal::SIGCHLD) {
        return;
    }
    let runtime = tokio::runtime::Builder::new_current_thread().enable_io().build();
    // Where this fails, the end of the command is reported as unknown.
    let _ = runtime.map(|runtime| {
        let _entered = runtime.enter();
        let _ = tokio::signal::unix::signal(tokio::signal::unix::SignalKind::child());
    });
}

/// Whether a process ignores a signal, according to its /proc/PID/status (proc_pid_status(5),
/// "SigIgn").
fn ignores(status: &str, signal: Signal) -> bool {
    let mask = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    let mask = mask.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok()).unwrap_or_default();
    mask >> (signal as i32 - 1) & 1 == 1
}

impl Signals {
    /// Starts the thread that fetches the blocked signals.
    pub fn start(blocked: SigSet, log: Log) -> io::Result<Self> {
        let mut fetched = blocked;
        // The end of a child is reported by waiting for it.
        fetched.remove(Signal::SIGCHLD);
        let source = SignalFd::with_flags(&fetched, SfdFlags::SFD_CLOEXEC)?;
        let shared =
            Arc::new(Shared { phase: Mutex::new(Phase::Before(None)), cancel: Cancel::default(), log });
        let acting = shared.clone();
        thread::Builder::new().name("signals".to_owned()).spawn(move || {
            loop {
                match source.read_signal() {
                    Ok(Some(info)) => acting.receive(&info),
                    Ok(None) => {}
                    Err(error) => {
                        return acting.log.info(format_args!("signals are not passed on any more: {error}"));
                    }
                }
            }
        })?;
        Ok(Signals { shared })
    }

    /// Cancelled when a signal asks to end before the command is started.
    pub fn cancel(&self) -> &Cancel {
        &self.shared.cancel
    }

    /// The signal that asked to end before the command was started.
    pub fn cancelled(&self) -> Option<Cancelled> {
        match *self.shared.phase() {
            Phase::Before(signal) => signal.map(Cancelled),
            Phase::Running(_) | Phase::After => None,
        }
    }

    /// Starts the command, unless a signal asked to end. No signal is lost in between: one that
    /// comes meanwhile goes to the command. `start` returns the id of the command.
    pub fn begin<E>(&self, start: impl FnOnce() -> Result<Pid, E>) -> Result<Result<(), E>, Cancelled> {
        let mut phase = self.shared.phase();
        if let Phase::Before(Some(signal)) = *phase {
            return Err(Cancelled(signal));
        }
        Ok(start().map(|command| *phase = Phase::Running(command)))
    }

    /// Reaps one child that has ended. Returns its status if it was the command. From then on, no
    /// signals are passed on.
    pub fn reap(&self) -> io::Result<Option<WaitStatus>> {
        let mut phase = self.shared.phase();
        let Some((child, status)) = wait(WaitOptions::NOHANG)? else { return Ok(None) };
        if *phase != Phase::Running(Pid::from_raw(child.as_raw_nonzero().get())) {
            return Ok(None);
        }
        *phase = Phase::After;
        Ok(Some(status))
    }
}

impl Shared {
    fn phase(&self) -> MutexGuard<'_, Phase> {
        self.phase.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn receive(&self, info: &signalfd_siginfo) {
        let number = i32::try_from(info.ssi_signo).unwrap_or_default();
        let Ok(signal) = Signal::try_from(number) else {
            return self
                .log
                .debug(format_args!("signal {number} is a real-time signal, which is not passed on"));
        };
        let is_from_terminal = info.ssi_code == SI_KERNEL && OF_GROUPS.contains(&signal);
        self.act(signal, is_from_terminal);
        // A shell that waits for this process group expects all its processes to stop, and
        // continues all of them.
        if is_from_terminal && signal == Signal::SIGTSTP {
            self.stop();
        }
    }

    /// Stops this process by the default action of SIGTSTP. Unlike SIGSTOP, it has no effect where
    /// no shell could continue the process.
    fn stop(&self) {
        let set = SigSet::from(Signal::SIGTSTP);
        let stopped =
            set.thread_unblock().and_then(|()| raise(Signal::SIGTSTP)).and_then(|()| set.thread_block());
        if let Err(error) = stopped {
            self.log.info(format_args!("cannot stop as the terminal asks: {error}"));
        }
    }

    fn act(&self, signal: Signal, is_from_terminal: bool) {
        let mut phase = self.phase();
        match *phase {
            Phase::Before(None) if ENDING.contains(&signal) => {
                *phase = Phase::Before(Some(signal));
                self.cancel.cancel();
            }
            // The command is in the same process group, so that the terminal has sent the signal to
            // it already.
            Phase::Running(_) if is_from_terminal => {}
            Phase::Running(command) => match kill(command, signal) {
                Ok(()) => self.log.debug(format_args!("passed {signal} on to the command")),
                Err(error) => self.log.info(format_args!("cannot pass {signal} on to the command: {error}")),
            },
            Phase::After if ENDING.contains(&signal) => {
                self.log.info(format_args!(
                    "{signal} came when the command had ended; its output is still saved"
                ));
            }
            Phase::Before(_) | Phase::After => self.log.debug(format_args!("{signal} changes nothing now")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn signals() -> Signals {
        let shared =
            Shared { phase: Mutex::new(Phase::Before(None)), cancel: Cancel::default(), log: Log::default() };
        Signals { shared: Arc::new(shared) }
    }

    #[test]
    fn before_the_command_only_signals_that_ask_to_end_cancel() {
        let signals = signals();
        signals.shared.act(Signal::SIGUSR1, false);
        signals.shared.act(Signal::SIGWINCH, true);
        assert_eq!((signals.cancelled(), signals.cancel().is_cancelled()), (None, false));
        signals.shared.act(Signal::SIGTERM, false);
        signals.shared.act(Signal::SIGINT, false);
        assert!(signals.cancel().is_cancelled());
        let begun = signals.begin(|| -> Result<Pid, ()> { panic!("started") });
        assert_eq!(begun, Err(Cancelled(Signal::SIGTERM)));
    }

    #[test]
    fn ignored_signals_are_read_from_the_status() {
        let status = "SigBlk:\t0000000000010000\nSigIgn:\t0000000000010001\n";
        assert!(ignores(status, Signal::SIGCHLD) && ignores(status, Signal::SIGHUP));
        assert!(!ignores(status, Signal::SIGINT) && !ignores("", Signal::SIGCHLD));
    }

    #[test]
    fn a_command_that_cannot_be_started_does_not_change_the_phase() {
        let signals = signals();
        assert_eq!(signals.begin(|| Err("no")), Ok(Err("no")));
        assert_eq!(*signals.shared.phase(), Phase::Before(None));
    }
}
