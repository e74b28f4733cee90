//! When the registry is started and stopped, and when the collector runs: decisions as values.
//!
//! A collection first looks whether there is something to free, while the registry takes writes. If
//! there is, the registry is stopped and started read-only, the collector deletes, and the registry
//! is stopped and started with writes again.

use super::collector::Found;
use super::protocol::Outcome;
use nix::sys::signal::Signal;
use std::time::{Duration, Instant};

/// How long a registry may take to end when it is asked to. It ends its requests within ten seconds
/// (`registry::variables`).
const CLOSING: Duration = Duration::from_secs(15);

/// How a registry runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// As it is configured.
    Configured,
    /// It takes no writes.
    ReadOnly,
}

/// Something that happened.
#[derive(Debug, PartialEq, Eq)]
pub enum Event {
    /// A collection is asked for. None is running.
    Asked,
    /// The registry has ended, with this exit code.
    RegistryEnded(u8),
    /// The collector has ended. The error is the rest of a sentence.
    CollectorEnded(Result<Found, String>),
    /// A signal came.
    Signal(Signal),
    /// The time of [`Machine::deadline`] has come.
    TimeIsUp,
}

/// Something to do.
#[derive(Debug, PartialEq, Eq)]
pub enum Action {
    /// Starts the registry.
    StartRegistry(Mode),
    /// Sends a signal to the registry.
    SignalRegistry(Signal),
    /// Starts the collector. It deletes nothing if it only looks.
    StartCollector {
        /// Whether it only looks.
        only_looks: bool,
    },
    /// Kills the collector, where it runs.
    KillCollector,
    /// Says how the collection ended.
    Finish(Outcome),
    /// Ends this process with an exit code.
    Exit(u8),
}

#[derive(Debug, PartialEq, Eq)]
enum Phase {
    /// The registry serves as it is configured.
    Serving,
    /// The same, and the collector looks.
    Looking { is_late: bool },
    /// The registry ends, and is to be read-only then.
    Closing { since: Instant },
    /// The registry is read-only, and the collector deletes.
    Deleting { since: Instant, is_late: bool },
    /// The read-only registry ends.
    Opening { since: Instant, deleted: Result<Found, String> },
    /// A signal asked for the end, or the registry has ended by itself.
    Ending,
}

/// What the supervisor is doing.
#[derive(Debug)]
pub struct Machine {
    phase: Phase,
    /// How long the collector may run.
    limit: Duration,
    /// When [`Event::TimeIsUp`] is due.
    pub deadline: Option<Instant>,
}

impl Machine {
    /// A machine whose registry serves as it is configured.
    pub fn new(limit: Duration) -> Self {
        Machine { phase: Phase::Serving, limit, deadline: None }
    }

    /// What an event leads to.
    pub fn step(&mut self, event: Event, now: Instant) -> Vec<Action> {
        let phase = std::mem::replace(&mut self.phase, Phase::Ending);
        let (phase, deadline, actions) = match (phase, event) {
            (_, Event::Signal(signal @ (Signal::SIGTERM | Signal::SIGINT | Signal::SIGQUIT))) => {
                (Phase::Ending, None, vec![Action::KillCollector, Action::SignalRegistry(signal)])
            }
            (phase, Event::Signal(signal)) => (phase, self.deadline, vec![Action::SignalRegistry(signal)]),
            (Phase::Serving, Event::Asked) => {
                let look = Action::StartCollector { only_looks: true };
                (Phase::Looking { is_late: false }, Some(now + self.limit), vec![look])
            }
            (Phase::Looking { .. }, Event::TimeIsUp) => {
                (Phase::Looking { is_late: true }, None, vec![Action::KillCollector])
            }
            (Phase::Looking { is_late: true }, Event::CollectorEnded(_)) => {
                (Phase::Serving, None, vec![Action::Finish(self.late())])
            }
            (Phase::Looking { .. }, Event::CollectorEnded(Ok(Found { blobs: 0, .. }))) => {
                (Phase::Serving, None, vec![Action::Finish(Outcome::Nothing)])
            }
            // A look may fail because of writers, which the collector meets no more then.
            (Phase::Looking { .. }, Event::CollectorEnded(_)) => {
                (Phase::Closing { since: now }, Some(now + CLOSING), vec![stop()])
            }
            (Phase::Closing { since }, Event::RegistryEnded(_)) => {
                let delete = Action::StartCollector { only_looks: false };
                let actions = vec![Action::StartRegistry(Mode::ReadOnly), delete];
                (Phase::Deleting { since, is_late: false }, Some(now + self.limit), actions)
            }
            (Phase::Deleting { since, .. }, Event::TimeIsUp) => {
                (Phase::Deleting { since, is_late: true }, None, vec![Action::KillCollector])
            }
            (Phase::Deleting { since, is_late }, Event::CollectorEnded(deleted)) => {
                let deleted = if is_late { Err(self.too_long()) } else { deleted };
                (Phase::Opening { since, deleted }, Some(now + CLOSING), vec![stop()])
            }
            (Phase::Opening { since, deleted }, Event::RegistryEnded(_)) => {
                let outcome = outcome(deleted, now.saturating_duration_since(since));
                let actions = vec![Action::StartRegistry(Mode::Configured), Action::Finish(outcome)];
                (Phase::Serving, None, actions)
            }
            (phase @ (Phase::Closing { .. } | Phase::Opening { .. }), Event::TimeIsUp) => {
                (phase, None, vec![Action::SignalRegistry(Signal::SIGKILL)])
            }
            // A container ends with its registry. The next one serves as it is configured.
            (_, Event::RegistryEnded(code)) => {
                (Phase::Ending, None, vec![Action::KillCollector, Action::Exit(code)])
            }
            (phase, Event::Asked | Event::CollectorEnded(_) | Event::TimeIsUp) => (phase, None, Vec::new()),
        };
        (self.phase, self.deadline) = (phase, deadline);
        actions
    }

    fn late(&self) -> Outcome {
        Outcome::Failed { why: self.too_long() }
    }

    fn too_long(&self) -> String {
        format!("it took longer than {} seconds, and was ended", self.limit.as_secs())
    }
}

fn stop() -> Action {
    Action::SignalRegistry(Signal::SIGTERM)
}

fn outcome(deleted: Result<Found, String>, read_only: Duration) -> Outcome {
    match deleted {
        Ok(Found { blobs, bytes }) => Outcome::Freed { blobs, bytes, seconds: read_only.as_secs() },
        Err(why) => Outcome::Failed { why },
    }
}

#[cfg(test)]
mod tests;
