//! A step from beginning to end: inputs, command, output.

use crate::cli::{self, Cli, Command, Step};
use crate::exit;
use crate::log::Log;
use crate::output;
use crate::placeholders::{Direction, expand};
use crate::proxy;
use crate::signals::{self, Cancelled, Signals};
use crate::supervise;
use crate::termination;
use crate::transfer::{self, Failure, Input, Registry};
use clap::Parser;
use clap::error::ErrorKind;
use std::env::var_os;
use std::ffi::OsString;
use std::io;
use std::path::Path;
use std::time::Duration;

/// Why a step ends without its command's doing: the exit code and a sentence.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Stop {
    code: u8,
    sentence: String,
}

impl Stop {
    fn new(code: u8, sentence: impl Into<String>) -> Self {
        Stop { code, sentence: sentence.into() }
    }

    fn because(cancelled: Cancelled) -> Self {
        let Cancelled(signal) = cancelled;
        let sentence = format!("{signal} came before the command was started, so that it was not");
        Stop::new(exit::of_signal(signal as i32), sentence)
    }
}

/// Runs the step that the arguments of this program describe. Returns the exit code.
pub fn execute(arguments: &[OsString]) -> u8 {
    // As early as can be: the first process of a container loses signals that nobody has blocked or handles.
    let blocked = signals::block();
    let step = match Cli::try_parse_from(arguments) {
        Ok(Cli { command: Command::Exec(step) }) => step,
        Ok(_) => return exit::BAD_REQUEST,
        Err(error) if matches!(error.kind(), ErrorKind::DisplayHelp | ErrorKind::DisplayVersion) => {
            return if error.print().is_ok() { 0 } else { exit::BAD_REQUEST };
        }
        Err(error) => {
            let stop = Stop::new(exit::BAD_REQUEST, cli::sentence(&error));
            return end(Err(stop), cli::termination_message(arguments), &Log::default());
        }
    };
    let log = Log::new(step.debug);
    let started = blocked.and_then(|blocked| Signals::start(blocked, log)).map_err(|error: io::Error| {
        Stop::new(exit::NOT_EXECUTABLE, format!("cannot prepare for signals: {error}"))
    });
    let ended = started.and_then(|signals| run(&step, &signals, &log));
    end(ended, &step.termination_message, &log)
}

/// Tells why the step ends, if that needs to be told.
fn end(ended: Result<u8, Stop>, termination_message: &Path, log: &Log) -> u8 {
    match ended {
        Ok(code) => code,
        Err(Stop { code, sentence }) => {
            log.info(&sentence);
            termination::write(termination_message, &sentence, log);
            code
        }
    }
}

fn run(step: &Step, signals: &Signals, log: &Log) -> Result<u8, Stop> {
    // Everything that can be wrong is looked at before anything is done.
    let bad_request = |sentence| Stop::new(exit::BAD_REQUEST, sentence);
    let (inputs, output) = check(step).map_err(bad_request)?;
    let registry = Registry {
        url: step.registry.clone(),
        proxy: step.proxy.clone(),
        patience: Duration::from_secs(step.patience.into()),
    };
    registry.check().map_err(bad_request)?;
    if let Some(socket) = &step.proxy {
        hold(socket, &registry, inputs.is_empty(), signals)?;
    }
    let inputs = pull(step, &registry, &inputs, signals, log)?;
    let ended =
        supervise::run(&step.words, step.output_pipe.as_deref(), signals, log).map_err(|failure| {
            match failure {
                supervise::Failure::Cancelled(cancelled) => Stop::because(cancelled),
                supervise::Failure::Failed(code, sentence) => Stop::new(code, sentence),
            }
        })?;
    log.debug(format_args!("the command ended with {}", ended.code));
    match (ended.code, ended.incomplete) {
        (0, None) => {}
        (0, Some(sentence)) => return Err(Stop::new(exit::PUSH_FAILED, sentence)),
        (code, incomplete) => {
            // The command's own end is what matters.
            incomplete.into_iter().for_each(|sentence| log.info(sentence));
            return Ok(code);
        }
    }
    if let Some((uri, path)) = output {
        push(step, &registry, &uri, path, &inputs, log)?;
    }
    Ok(0)
}

/// Keeps the proxy for as long as the step lasts. Where it does not answer, the command would run in vain.
fn hold(socket: &Path, registry: &Registry, has_no_inputs: bool, signals: &Signals) -> Result<(), Stop> {
    proxy::hold::hold(socket, registry.patience, signals.cancel()).map_err(|sentence| {
        match signals.cancelled() {
            Some(cancelled) => Stop::because(cancelled),
            None if has_no_inputs => Stop::new(exit::PUSH_FAILED, sentence),
            None => Stop::new(exit::PULL_FAILED, sentence),
        }
    })
}

/// URIs of the inputs, expanded.
type Inputs = Vec<String>;
/// URI of the output, expanded, and what lies there.
type Output<'a> = Option<(String, &'a Path)>;

/// Completes the URIs. What is wrong with them or with the path is a sentence.
fn check(step: &Step) -> Result<(Inputs, Output<'_>), String> {
    let inputs: Result<_, _> =
        step.inputs.iter().map(|uri| expand(uri, Direction::Pull, |name| var_os(name))).collect();
    let output = match (&step.output, &step.output_path) {
        (Some(_), Some(path)) if output::is_root(path) => {
            return Err(format!(
                "--output-path is \"{}\": name a file or directory below the root of the file system",
                path.display()
            ));
        }
        (Some(uri), Some(path)) => Some((expand(uri, Direction::Push, |name| var_os(name))?, path.as_path())),
        _ => None,
    };
    Ok((inputs?, output))
}

fn pull(
    step: &Step,
    registry: &Registry,
    uris: &[String],
    signals: &Signals,
    log: &Log,
) -> Result<Vec<Input>, Stop> {
    if uris.is_empty() {
        return Ok(Vec::new());
    }
    let into = step.input_path.as_deref().unwrap_or(Path::new("."));
    log.debug(format_args!("pulling {} artifacts from {} into {}", uris.len(), registry.url, into.display()));
    let pulled = transfer::pull(registry, uris, into, signals.cancel(), log);
    // What a signal asked for wins, however the transfer noticed.
    if let Some(cancelled) = signals.cancelled() {
        return Err(Stop::because(cancelled));
    }
    pulled.map_err(|failure| match failure {
        Failure::BadRequest(sentence) => Stop::new(exit::BAD_REQUEST, sentence),
        Failure::Failed(sentence) => Stop::new(exit::PULL_FAILED, sentence),
        Failure::Cancelled => Stop::new(exit::PULL_FAILED, "the pull was given up"),
    })
}

fn push(
    step: &Step,
    registry: &Registry,
    uri: &str,
    path: &Path,
    inputs: &[Input],
    log: &Log,
) -> Result<(), Stop> {
    let title = output::title(path).map_err(|sentence| Stop::new(exit::PUSH_FAILED, sentence))?;
    log.debug(format_args!("pushing {} to {uri} at {}", path.display(), registry.url));
    let digest = transfer::push(registry, uri, path, &title, step.unpack, inputs, log).map_err(
        |failure| match failure {
            Failure::BadRequest(sentence) => Stop::new(exit::BAD_REQUEST, sentence),
            Failure::Failed(sentence) => Stop::new(exit::PUSH_FAILED, sentence),
            Failure::Cancelled => Stop::new(exit::PUSH_FAILED, "the push was given up"),
        },
    )?;
    log.debug(format_args!("pushed {digest}"));
    Ok(())
}
