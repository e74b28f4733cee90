//! A step from beginning to end: inputs, command, output.

use crate::cli::{self, Cli, Command, StepArgs};
use crate::exit;
use crate::log::Log;
use crate::output;
use crate::placeholders::{Direction, expand, expand_path};
use crate::proxy::keep_alive;
use crate::signals::{self, Cancelled, Signals};
use crate::supervise::{self, CommandFailure};
use crate::termination;
use crate::transfer::{self, PulledInput, RegistryAccess, TransferFailure};
use clap::Parser;
use clap::error::ErrorKind;
use oci_registry_client::{ArtifactReference, Endpoint};
use std::env::var_os;
use std::ffi::OsString;
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// Why a step failed other than by its command: the exit code, and a sentence.
#[derive(Clone, Debug, PartialEq, Eq)]
struct StepFailure {
    code: u8,
    sentence: String,
}

impl StepFailure {
    fn new(code: u8, sentence: impl Into<String>) -> Self {
        StepFailure { code, sentence: sentence.into() }
    }

    fn cancelled(Cancelled(signal): Cancelled) -> Self {
        let sentence = format!("{signal} came before the command was started, so that it was not");
        StepFailure::new(exit::of_signal(signal as i32), sentence)
    }
}

/// A step whose arguments are checked: nothing has to be parsed any more.
struct CheckedStep<'a> {
    args: &'a StepArgs,
    registry: RegistryAccess,
    inputs: Vec<ArtifactReference>,
    /// Where inputs are pulled to.
    input_path: PathBuf,
    output: Option<(ArtifactReference, PathBuf)>,
    output_pipe: Option<PathBuf>,
}

/// Runs the step that the arguments of this program describe. Returns the exit code.
pub fn execute(arguments: &[OsString]) -> u8 {
    // This comes first: the kernel drops signals to the first process of a container that nobody
    // has blocked or handles.
    let blocked = signals::block();
    signals::keep_children();
    let step = match Cli::try_parse_from(arguments) {
        Ok(Cli { command: Command::Exec(step) }) => step,
        Ok(_) => return exit::BAD_REQUEST,
        Err(error) if matches!(error.kind(), ErrorKind::DisplayHelp | ErrorKind::DisplayVersion) => {
            return if error.print().is_ok() { 0 } else { exit::BAD_REQUEST };
        }
        Err(error) => {
            let failure = StepFailure::new(exit::BAD_REQUEST, cli::sentence(&error));
            return end(Err(failure), cli::termination_message(arguments), &Log::default());
        }
    };
    let log = Log::new(step.debug);
    let started = blocked.and_then(|blocked| Signals::start(blocked, log)).map_err(|error: io::Error| {
        StepFailure::new(exit::NOT_EXECUTABLE, format!("cannot prepare for signals: {error}"))
    });
    let ended = started.and_then(|signals| {
        // Everything that can be wrong with the arguments is found before anything is done.
        let step = check(&step).map_err(|sentence| StepFailure::new(exit::BAD_REQUEST, sentence))?;
        run(&step, &signals, &log)
    });
    end(ended, &step.termination_message, &log)
}

/// Logs the reason of a failure, and writes it into the termination message.
fn end(ended: Result<u8, StepFailure>, termination_message: &Path, log: &Log) -> u8 {
    match ended {
        Ok(code) => code,
        Err(StepFailure { code, sentence }) => {
            log.info(&sentence);
            termination::write(termination_message, &sentence, log);
            code
        }
    }
}

/// Parses the addresses in the arguments. The error is a sentence about the address that cannot be
/// parsed.
fn check(args: &StepArgs) -> Result<CheckedStep<'_>, String> {
    let inputs: Result<_, _> =
        args.inputs.iter().map(|uri| expand(uri, Direction::Pull, |name| var_os(name))).collect();
    let path = |flag, path: &Option<PathBuf>| {
        path.as_ref().map(|path| expand_path(flag, path, |name| var_os(name))).transpose()
    };
    let input_path = path("--input-path", &args.input_path)?.unwrap_or_else(|| PathBuf::from("."));
    let output_pipe = path("--output-pipe", &args.output_pipe)?;
    let output = match (&args.output, path("--output-path", &args.output_path)?) {
        (Some(_), Some(path)) if output::is_root(&path) => {
            return Err(format!(
                "--output-path is \"{}\": name a file or directory below the root of the file system",
                path.display()
            ));
        }
        (Some(uri), Some(path)) => Some((expand(uri, Direction::Push, |name| var_os(name))?, path)),
        _ => None,
    };
    let inputs = inputs?;
    let mut endpoint = Endpoint::parse(&args.registry).map_err(|error| error.to_string())?;
    if let Some(socket) = &args.proxy {
        endpoint = endpoint.through(socket.clone());
    }
    let network = args.network.network(|name| var_os(name))?;
    let patience = Duration::from_secs(args.patience.into());
    let registry = RegistryAccess { endpoint, network, patience };
    Ok(CheckedStep { args, registry, inputs, input_path, output, output_pipe })
}

fn run(step: &CheckedStep<'_>, signals: &Signals, log: &Log) -> Result<u8, StepFailure> {
    keep_proxy_alive(step, signals)?;
    let inputs = pull(step, signals, log)?;
    let ended = supervise::run(&step.args.words, step.output_pipe.as_deref(), signals, log);
    let ended = ended.map_err(|failure| match failure {
        CommandFailure::Cancelled(cancelled) => StepFailure::cancelled(cancelled),
        CommandFailure::Failed(code, sentence) => StepFailure::new(code, sentence),
    })?;
    log.debug(format_args!("the command ended with {}", ended.code));
    match (ended.code, ended.incomplete) {
        (0, None) => {}
        (0, Some(sentence)) => return Err(StepFailure::new(exit::PUSH_FAILED, sentence)),
        (code, incomplete) => {
            // The exit code of a command that failed says more than an incomplete copy of its
            // output.
            incomplete.into_iter().for_each(|sentence| log.info(sentence));
            return Ok(code);
        }
    }
    push(step, &inputs, log)?;
    Ok(0)
}

/// Waits for the credential proxy, and keeps it running as long as the step does. Without it the
/// command would run in vain.
fn keep_proxy_alive(step: &CheckedStep<'_>, signals: &Signals) -> Result<(), StepFailure> {
    let Some(socket) = step.registry.endpoint.socket() else { return Ok(()) };
    keep_alive::start(socket, step.registry.patience, signals.cancel()).map_err(|sentence| {
        match signals.cancelled() {
            Some(cancelled) => StepFailure::cancelled(cancelled),
            None if step.inputs.is_empty() => StepFailure::new(exit::PUSH_FAILED, sentence),
            None => StepFailure::new(exit::PULL_FAILED, sentence),
        }
    })
}

fn pull(step: &CheckedStep<'_>, signals: &Signals, log: &Log) -> Result<Vec<PulledInput>, StepFailure> {
    if step.inputs.is_empty() {
        return Ok(Vec::new());
    }
    let into = step.input_path.as_path();
    if is_root_directory(into) {
        log.info(
            "warning: the inputs are unpacked into the root of the file system, where they can replace programs: \
             name a directory of their own as input-path",
        );
    }
    let endpoint = &step.registry.endpoint;
    log.debug(format_args!(
        "pulling {} artifacts from {endpoint} into {}",
        step.inputs.len(),
        into.display()
    ));
    let rule = step.args.input_conflicts.into();
    let pulled = transfer::pull(&step.registry, &step.inputs, into, rule, signals.cancel(), log);
    // A signal that asked for the end counts, whatever error the transfer made of it.
    if let Some(cancelled) = signals.cancelled() {
        return Err(StepFailure::cancelled(cancelled));
    }
    pulled.map_err(|failure| match failure {
        TransferFailure::BadRequest(sentence) => StepFailure::new(exit::BAD_REQUEST, sentence),
        TransferFailure::Failed(sentence) => StepFailure::new(exit::PULL_FAILED, sentence),
        TransferFailure::Cancelled => StepFailure::new(exit::PULL_FAILED, "the pull was given up"),
    })
}

/// Whether a path is the root of the file system, also by way of `..` or links.
fn is_root_directory(path: &Path) -> bool {
    path.canonicalize().is_ok_and(|path| output::is_root(&path))
}

fn push(step: &CheckedStep<'_>, inputs: &[PulledInput], log: &Log) -> Result<(), StepFailure> {
    let Some((reference, path)) = &step.output else { return Ok(()) };
    let title = output::title(path).map_err(|sentence| StepFailure::new(exit::PUSH_FAILED, sentence))?;
    log.debug(format_args!("pushing {} to {reference} at {}", path.display(), step.registry.endpoint));
    let source = transfer::push::Source { path: path.clone(), title };
    let pushed = transfer::push(&step.registry, reference, source, step.args.unpack, inputs, log);
    let digest = pushed.map_err(|failure| match failure {
        TransferFailure::BadRequest(sentence) => StepFailure::new(exit::BAD_REQUEST, sentence),
        TransferFailure::Failed(sentence) => StepFailure::new(exit::PUSH_FAILED, sentence),
        TransferFailure::Cancelled => StepFailure::new(exit::PUSH_FAILED, "the push was given up"),
    })?;
    log.debug(format_args!("pushed {digest}"));
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_root_of_the_file_system_is_recognised_by_any_path() {
        assert!(
            ["/", "//", "/usr/..", "/.", "/proc/self/root"]
                .into_iter()
                .all(|path| is_root_directory(Path::new(path)))
        );
        assert!(["/usr", ".", "/no/such/path"].into_iter().all(|path| !is_root_directory(Path::new(path))));
    }
}
