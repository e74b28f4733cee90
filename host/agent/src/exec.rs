//! A step from beginning to end: inputs, command, outputs.

use crate::cancel::Cancel;
use crate::checked::CheckedStep;
use crate::cli::{Cli, Command};
use crate::exit;
use crate::failure::StepFailure;
use crate::log::Log;
use crate::output;
use crate::proxy::keep_alive;
use crate::results;
use crate::reuse::{StepKeys, lookup};
use crate::signals::{self, Signals};
use crate::step_args;
use crate::summary::{Reuse, Summary};
use crate::supervise::{self, CommandFailure};
use crate::termination;
use crate::transfer::{self, PulledInput, TransferFailure, Wanted};
use crate::wait;
use clap::Parser;
use clap::error::ErrorKind;
use oci_registry_client::Digest;
use orascache_api::steps::env;
use std::env::var_os;
use std::ffi::OsString;
use std::io;
use std::path::Path;
use std::time::Instant;

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
            let failure = StepFailure::new(exit::BAD_REQUEST, step_args::sentence(&error));
            return end(Err(failure), step_args::termination_message(arguments), &Log::default());
        }
    };
    let log = Log::new(step.debug);
    let started = blocked.and_then(|blocked| Signals::start(blocked, log)).map_err(|error: io::Error| {
        StepFailure::new(exit::NOT_EXECUTABLE, format!("cannot prepare for signals: {error}"))
    });
    let ended = started.and_then(|signals| {
        // Everything that can be wrong with the arguments is found before anything is done.
        let step = CheckedStep::new(&step, |name| var_os(name));
        let step = step.map_err(|sentence| StepFailure::new(exit::BAD_REQUEST, sentence))?;
        let mut summary = Summary::default();
        let ended = run(&step, &signals, &mut summary, &log);
        summarize(&step, &ended, &summary, &log);
        ended
    });
    end(ended, &step.termination_message, &log)
}

/// Says what a step did, where it waits for inputs or reuses outputs, and writes its metrics.
fn summarize(step: &CheckedStep<'_>, ended: &Result<u8, StepFailure>, summary: &Summary, log: &Log) {
    if step.args.reuse.is_on || !step.wait.is_zero() {
        log.info(format_args!("summary: {summary}"));
    }
    if let Some(path) = &step.metrics_file {
        let code = ended.as_ref().map_or_else(|failure| failure.code, |code| *code);
        let namespace = var_os(env::NAMESPACE).and_then(|name| name.into_string().ok()).unwrap_or_default();
        summary.write(path, &namespace, &name_of_pod().unwrap_or_default(), code, log);
    }
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

/// Runs a checked step. What it did is added to the summary, also when it fails.
fn run(
    step: &CheckedStep<'_>,
    signals: &Signals,
    summary: &mut Summary,
    log: &Log,
) -> Result<u8, StepFailure> {
    keep_proxy_alive(step, signals)?;
    let mut found = wait(step, signals, summary, log)?;
    let keys = if step.args.reuse.is_on { Some(compute_keys(step, &mut found, signals)?) } else { None };
    if let Some(keys) = &keys {
        if let Some(sentence) = reuse(step, keys, signals, log)? {
            summary.reuse = Reuse::Hit;
            log.info(&sentence);
            termination::write(&step.args.termination_message, &sentence, log);
            return Ok(0);
        }
        summary.reuse = Reuse::Miss;
    }
    let inputs = pull(step, found, signals, log)?;
    summary.pulled = inputs.iter().map(|input| input.size).fold(0, u64::saturating_add);
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
    let pushed = results::push(step, &inputs, keys.as_ref(), name_of_pod().as_deref(), log)?;
    summary.pushed = pushed.iter().map(|pushed| pushed.sent).sum();
    if let Some(keys) = &keys {
        results::leave_keys(step, &inputs, keys, &pushed, log);
    }
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
fn wait(
    step: &CheckedStep<'_>,
    signals: &Signals,
    summary: &mut Summary,
    log: &Log,
) -> Result<Option<Vec<Digest>>, StepFailure> {
    if step.wait.is_zero() || step.inputs.is_empty() {
        return Ok(None);
    }
    let (client, start) = (step.registry.client(), Instant::now());
    let waited = transfer::run(signals.cancel(), async {
        let waited = wait::for_inputs(&client, &step.references(), step.wait, log).await;
        waited.map_err(TransferFailure::Failed)
    });
    summary.waited = start.elapsed();
    before_command(signals, waited.and_then(|waited| waited)).map(Some)
}

/// Computes the keys of a step. The manifests of the inputs are looked for where they are not known
/// yet.
fn compute_keys(
    step: &CheckedStep<'_>,
    found: &mut Option<Vec<Digest>>,
    signals: &Signals,
) -> Result<StepKeys, StepFailure> {
    let manifests = match found.take() {
        Some(manifests) => manifests,
        None => {
            let client = step.registry.client();
            let asked = transfer::run(signals.cancel(), async {
                lookup::manifests(&client, &step.references()).await.map_err(TransferFailure::Failed)
            });
            before_command(signals, asked.and_then(|asked| asked))?
        }
    };
    let keys = StepKeys::compute(step, &manifests, |name| var_os(name));
    *found = Some(manifests);
    keys.map_err(|sentence| StepFailure::new(exit::BAD_REQUEST, sentence))
}

/// Reuses the outputs of an equal step. Returns what was reused, as a sentence. Where that fails,
/// the step is done.
fn reuse(
    step: &CheckedStep<'_>,
    keys: &StepKeys,
    signals: &Signals,
    log: &Log,
) -> Result<Option<String>, StepFailure> {
    let looked_up = transfer::run(signals.cancel(), async {
        lookup::find(&step.registry.hasty().client(), &step.outputs, &keys.keys, log).await
    });
    let Some(found) = before_command(signals, looked_up)? else { return Ok(None) };
    let sentence = lookup::sentence(&step.outputs, &found);
    // A signal does not leave some tags moved and others not.
    let taken = transfer::run(&Cancel::default(), async {
        lookup::take_over(&step.registry.hasty().client(), &step.outputs, found).await
    });
    match taken.map_err(|failure| StepFailure::of_transfer(failure, exit::PULL_FAILED))? {
        Ok(()) => Ok(Some(sentence)),
        Err(why) => {
            log.info(format_args!("warning: outputs that are there cannot be reused: {why}"));
            Ok(None)
        }
    }
}

/// The name of the pod, where it is known. Without the variable it is the name of the host, which
/// is that of the pod unless the pod says otherwise.
fn name_of_pod() -> Option<String> {
    let named = var_os(env::POD).or_else(|| var_os("HOSTNAME")).filter(|name| !name.is_empty());
    named.and_then(|name| name.into_string().ok())
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
