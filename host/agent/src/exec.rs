//! A step from beginning to end: inputs, command, outputs.

use crate::checked::CheckedStep;
use crate::cli::{self, Cli, Command};
use crate::exit;
use crate::failure::StepFailure;
use crate::log::Log;
use crate::output;
use crate::proxy::keep_alive;
use crate::signals::{self, Signals};
use crate::supervise::{self, CommandFailure};
use crate::termination;
use crate::transfer::push::{self, PushedContent, Source};
use crate::transfer::{self, PulledInput, TransferFailure, Wanted};
use crate::wait;
use clap::Parser;
use clap::error::ErrorKind;
use oci_registry_client::Digest;
use std::env::var_os;
use std::ffi::OsString;
use std::io;
use std::path::Path;

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
        let step = CheckedStep::new(&step, |name| var_os(name))
            .map_err(|sentence| StepFailure::new(exit::BAD_REQUEST, sentence))?;
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

fn run(step: &CheckedStep<'_>, signals: &Signals, log: &Log) -> Result<u8, StepFailure> {
    keep_proxy_alive(step, signals)?;
    let found = wait(step, signals, log)?;
    let inputs = pull(step, found, signals, log)?;
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

/// Waits for inputs that are not there yet, where the step does that. Returns their manifests.
fn wait(step: &CheckedStep<'_>, signals: &Signals, log: &Log) -> Result<Option<Vec<Digest>>, StepFailure> {
    if step.wait.is_zero() || step.inputs.is_empty() {
        return Ok(None);
    }
    let client = step.registry.client();
    let references: Vec<_> = step.inputs.iter().map(|input| input.reference.clone()).collect();
    let waited = transfer::run(signals.cancel(), async {
        wait::for_inputs(&client, &references, step.wait, log).await.map_err(TransferFailure::Failed)
    });
    let waited = before_command(signals, waited.and_then(|waited| waited))?;
    Ok(Some(waited.digests))
}

/// The result of a transfer before the command. A signal that asked for the end counts, whatever
/// error the transfer made of it.
fn before_command<T>(signals: &Signals, done: Result<T, TransferFailure>) -> Result<T, StepFailure> {
    if let Some(cancelled) = signals.cancelled() {
        return Err(StepFailure::cancelled(cancelled));
    }
    done.map_err(|failure| StepFailure::of_transfer(failure, exit::PULL_FAILED))
}

fn pull(
    step: &CheckedStep<'_>,
    found: Option<Vec<Digest>>,
    signals: &Signals,
    log: &Log,
) -> Result<Vec<PulledInput>, StepFailure> {
    if step.inputs.is_empty() {
        return Ok(Vec::new());
    }
    if step.inputs.iter().any(|input| is_root_directory(&input.into)) {
        log.info(
            "warning: the inputs are unpacked into the root of the file system, where they can replace programs: \
             name a directory of their own as input-path",
        );
    }
    log.debug(format_args!("pulling {} artifacts from {}", step.inputs.len(), step.registry.endpoint));
    let mut found = found.unwrap_or_default().into_iter();
    let wanted = step.inputs.iter().map(|input| Wanted {
        reference: input.reference.clone(),
        found: found.next(),
        into: input.into.clone(),
    });
    let wanted: Vec<Wanted> = wanted.collect();
    let rule = step.args.input_conflicts.into();
    before_command(signals, transfer::pull(&step.registry, &wanted, rule, signals.cancel(), log))
}

/// Whether a path is the root of the file system, also by way of `..` or links.
fn is_root_directory(path: &Path) -> bool {
    path.canonicalize().is_ok_and(|path| output::is_root(&path))
}

fn push(step: &CheckedStep<'_>, inputs: &[PulledInput], log: &Log) -> Result<(), StepFailure> {
    let mut outputs = Vec::new();
    for output in &step.outputs {
        let title =
            output::title(&output.path).map_err(|sentence| StepFailure::new(exit::PUSH_FAILED, sentence))?;
        log.debug(format_args!("pushing {} to {}", output.path.display(), output.reference));
        let content = PushedContent {
            files: vec![Source { path: output.path.clone(), title }],
            unpack: step.args.unpack,
            artifact_type: None,
            annotations: push::provenance(inputs),
            blob_sources: push::blob_sources(inputs),
        };
        outputs.push((output.reference.clone(), content));
    }
    if outputs.is_empty() {
        return Ok(());
    }
    let pushed = transfer::push(&step.registry, outputs, log);
    pushed.map(drop).map_err(|failure| StepFailure::of_transfer(failure, exit::PUSH_FAILED))
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
