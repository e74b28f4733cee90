//! Runs a registry and its collector, as the first process of a container.

use super::args::SuperviseArgs;
use super::collections::Collections;
use super::collector::{Collector, Found, Said};
use super::machine::{Action, Event, Machine, Mode};
use super::protocol::{Key, Outcome};
use super::registry::Registry;
use super::{client, server};
use crate::exit;
use crate::log::Log;
use crate::spawn::{self, Own};
use crate::supervise::code;
use crate::{reap_orphans, signals};
use nix::sys::prctl::set_child_subreaper;
use nix::sys::signal::{SigSet, Signal, kill};
use nix::sys::signalfd::{SfdFlags, SignalFd};
use nix::unistd::Pid;
use rustix::process::{WaitOptions, wait};
use std::collections::VecDeque;
use std::ops::ControlFlow;
use std::sync::Arc;
use std::sync::mpsc::{self, Receiver, RecvTimeoutError, Sender};
use std::time::{Duration, Instant};

/// What wakes the supervisor.
enum Wake {
    /// A child may have ended.
    Children,
    /// A signal came.
    Signal(Signal),
    /// A collection is to begin.
    Collection,
}

/// Runs the registry of this image, and collects its garbage when it is asked to. Returns the exit
/// code of the registry, or that of a failure.
pub fn execute(arguments: &SuperviseArgs) -> u8 {
    let log = Log::default();
    match supervise(arguments, log) {
        Ok(code) => code,
        Err(sentence) => {
            log.info(sentence);
            exit::FAILED
        }
    }
}

fn supervise(arguments: &SuperviseArgs, log: Log) -> Result<u8, String> {
    // Before the first thread, which inherits what is blocked.
    let blocked = signals::block().map_err(|error| format!("signals cannot be blocked: {error}"))?;
    // The first process of a container gets orphans without this.
    if let Err(error) = set_child_subreaper(true) {
        log.info(format_args!("processes that the registry leaves running may stay: {error}"));
    }
    let key = Key::read(&arguments.key)?;
    let registry = Registry::find(arguments)?;
    let listener = server::listen(arguments.listen)?;
    let pause = Duration::from_secs(arguments.pause.into());
    let collections = Arc::new(Collections::new(key, pause, Instant::now())?);
    let (sender, woken) = mpsc::channel();
    fetch_signals(blocked, sender.clone())?;
    let begin = move || {
        // The supervisor may be ending.
        let _ = sender.send(Wake::Collection);
    };
    server::serve(listener, collections.clone(), begin)?;
    let mut supervisor =
        Supervisor { registry, collections, log, child: None, collector: None, looked: None };
    let code = supervisor.run(&woken, Machine::new(Duration::from_secs(arguments.limit.into())));
    reap_orphans::run(&log);
    Ok(code)
}

/// Starts the thread that fetches the blocked signals.
fn fetch_signals(blocked: SigSet, woken: Sender<Wake>) -> Result<(), String> {
    let failed = |error: &dyn std::fmt::Display| format!("signals cannot be fetched: {error}");
    let source = SignalFd::with_flags(&blocked, SfdFlags::SFD_CLOEXEC).map_err(|error| failed(&error))?;
    let fetching = move || {
        while let Ok(fetched) = source.read_signal() {
            let number = fetched.and_then(|info| i32::try_from(info.ssi_signo).ok());
            // Signals without a name, those of real time, are not passed on.
            let Some(signal) = number.and_then(|number| Signal::try_from(number).ok()) else { continue };
            let wake = if signal == Signal::SIGCHLD { Wake::Children } else { Wake::Signal(signal) };
            if woken.send(wake).is_err() {
                return;
            }
        }
    };
    let started = std::thread::Builder::new().name("signals".to_owned()).spawn(fetching);
    started.map(drop).map_err(|error| failed(&error))
}

struct Supervisor {
    registry: Registry,
    collections: Arc<Collections>,
    log: Log,
    /// The registry that runs. Its id is valid until this process reaps it.
    child: Option<Pid>,
    collector: Option<Running>,
    /// What the last look found.
    looked: Option<Said>,
}

/// A collector, and whether it only looks.
struct Running {
    collector: Collector,
    only_looks: bool,
}

impl Supervisor {
    /// Runs until the registry has ended. Returns the exit code.
    fn run(&mut self, woken: &Receiver<Wake>, mut machine: Machine) -> u8 {
        let mut events = VecDeque::new();
        let mut actions = VecDeque::from([Action::StartRegistry(Mode::Configured)]);
        loop {
            while let Some(action) = actions.pop_front() {
                match self.act(action) {
                    ControlFlow::Break(code) => return code,
                    ControlFlow::Continue(event) => events.extend(event),
                }
            }
            if events.is_empty() {
                events.extend(self.wait(woken, machine.deadline));
            }
            if let Some(event) = events.pop_front() {
                actions.extend(machine.step(event, Instant::now()));
            }
        }
    }

    /// Waits until something happens.
    fn wait(&mut self, woken: &Receiver<Wake>, deadline: Option<Instant>) -> Vec<Event> {
        let wake = match deadline {
            None => woken.recv().map_err(|_| RecvTimeoutError::Disconnected),
            Some(deadline) => woken.recv_timeout(deadline.saturating_duration_since(Instant::now())),
        };
        match wake {
            Ok(Wake::Children) => self.reap(),
            Ok(Wake::Signal(signal)) => vec![Event::Signal(signal)],
            Ok(Wake::Collection) => vec![Event::Asked],
            Err(RecvTimeoutError::Timeout) => vec![Event::TimeIsUp],
            // Nobody fetches signals any more. The container shall end.
            Err(RecvTimeoutError::Disconnected) => vec![Event::Signal(Signal::SIGTERM)],
        }
    }

    /// Reaps everything that has ended.
    fn reap(&mut self) -> Vec<Event> {
        let mut events = Vec::new();
        while let Ok(Some((ended, status))) = wait(WaitOptions::NOHANG) {
            let ended = Some(Pid::from_raw(ended.as_raw_nonzero().get()));
            if ended == self.child {
                self.child = None;
                events.push(Event::RegistryEnded(code(status)));
            } else if let Some(running) =
                self.collector.take_if(|running| Some(running.collector.pid) == ended)
            {
                events.push(Event::CollectorEnded(self.ended(running, code(status))));
            }
        }
        events
    }

    fn ended(&mut self, running: Running, code: u8) -> Result<Found, String> {
        let said = running.collector.ended(code);
        if let Err(why) = &said {
            self.log.info(format_args!("garbage collection: {why}"));
        }
        let said = said?;
        if running.only_looks {
            let found = said.found();
            self.looked = Some(said);
            return Ok(found);
        }
        Ok(said.deleted(self.looked.take().as_ref(), Registry::blobs().as_deref()))
    }

    /// Does something. Returns what happened by it, or the exit code.
    fn act(&mut self, action: Action) -> ControlFlow<u8, Option<Event>> {
        match action {
            Action::StartRegistry(mode) => {
                if mode == Mode::ReadOnly {
                    self.log.info("garbage collection: the registry takes no writes until its end");
                }
                let (words, variables) = (self.registry.serve(), self.registry.variables(mode));
                match spawn::spawn_with(&words, &Own { variables: &variables, ..Own::default() }) {
                    Ok(pid) => self.child = Some(pid),
                    Err(error) => {
                        let (code, sentence) = spawn::failure(&words, error);
                        self.log.info(sentence);
                        return ControlFlow::Break(code);
                    }
                }
            }
            Action::SignalRegistry(signal) => {
                if let Some(pid) = self.child
                    && let Err(error) = kill(pid, signal)
                {
                    self.log.info(format_args!("cannot pass {signal} on to the registry: {error}"));
                }
            }
            Action::StartCollector { only_looks } => {
                if only_looks {
                    self.looked = None;
                }
                let blobs = Registry::blobs().filter(|_| only_looks);
                match Collector::start(&self.registry.collect(only_looks), blobs) {
                    Ok(collector) => self.collector = Some(Running { collector, only_looks }),
                    Err(why) => return ControlFlow::Continue(Some(Event::CollectorEnded(Err(why)))),
                }
            }
            Action::KillCollector => {
                if let Some(running) = &self.collector {
                    running.collector.kill();
                }
            }
            Action::Finish(outcome) => self.finish(outcome),
            Action::Exit(code) => return ControlFlow::Break(code),
        }
        ControlFlow::Continue(None)
    }

    fn finish(&mut self, outcome: Outcome) {
        match client::sentence(&outcome) {
            Ok(sentence) | Err(sentence) => self.log.info(sentence),
        }
        self.collections.finish(outcome, Instant::now());
    }
}
