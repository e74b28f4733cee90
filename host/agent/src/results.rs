//! What a step leaves in the registry: its outputs, and its keys.

use crate::cancel::Cancel;
use crate::checked::CheckedStep;
use crate::exit;
use crate::failure::StepFailure;
use crate::log::Log;
use crate::output;
use crate::provenance::{self, Provenance};
use crate::reuse::{StepKeys, document, lookup};
use crate::statements;
use crate::transfer::push::{self, Config, PushedArtifact, PushedContent, Source};
use crate::transfer::{self, PulledInput, TransferFailure};
use jiff::Timestamp;
use orascache_provenance::StepRecord;

/// Pushes the outputs of a step, and statements about them where that is asked for. `keys` are those
/// of a step that may be reused, `pod` the name of the pod where it is known.
///
/// # Errors
/// When the command left no output, or it cannot be pushed.
pub fn push(
    step: &CheckedStep<'_>,
    inputs: &[PulledInput],
    keys: Option<&StepKeys>,
    pod: Option<&str>,
    log: &Log,
) -> Result<Vec<PushedArtifact>, StepFailure> {
    if step.outputs.is_empty() {
        return Ok(Vec::new());
    }
    let (words, image) = (step.args.words.as_slice(), step.args.reuse.image.as_deref());
    let provenance = Provenance { inputs, words, image };
    let mut keys = keys.map(|keys| keys.keys.iter());
    let (mut outputs, mut records) = (Vec::new(), Vec::new());
    for output in &step.outputs {
        let title =
            output::title(&output.path).map_err(|sentence| StepFailure::new(exit::PUSH_FAILED, sentence))?;
        log.debug(format_args!("pushing {} to {}", output.path.display(), output.reference));
        let key = keys.as_mut().and_then(Iterator::next);
        let mut annotations = provenance.annotations();
        annotations.extend(key.map(|key| provenance::of_key(key, pod, Timestamp::now())).unwrap_or_default());
        records.push(StepRecord::of(&annotations));
        let content = PushedContent {
            files: vec![Source { path: output.path.clone(), title }],
            unpack: step.args.unpack,
            compression: step.args.compression.into(),
            artifact_type: None,
            annotations,
            config: key.map(|key| Config { media_type: document::MEDIA_TYPE, content: key.document.clone() }),
            blob_sources: push::blob_sources(inputs),
        };
        outputs.push((output.reference.clone(), content));
    }
    let pushed = transfer::push(&step.registry, outputs, log)
        .map_err(|failure| StepFailure::of_transfer(failure, exit::PUSH_FAILED))?;
    if step.args.provenance {
        let outputs: Vec<_> = pushed.iter().zip(records).collect();
        statements::leave(&step.registry, &outputs, log);
    }
    Ok(pushed)
}

/// Leaves the keys of a step whose outputs were pushed. A failure is logged: the outputs are there.
pub fn leave_keys(
    step: &CheckedStep<'_>,
    inputs: &[PulledInput],
    keys: &StepKeys,
    pushed: &[PushedArtifact],
    log: &Log,
) {
    let client = step.registry.hasty().client();
    let used = inputs.iter().map(|input| (&input.reference, &input.digest)).collect();
    let outputs =
        pushed.iter().zip(&keys.keys).map(|(pushed, key)| (&pushed.reference, &pushed.manifest, key));
    let left = transfer::run(&Cancel::default(), async {
        lookup::leave(&client, used, outputs).await.map_err(TransferFailure::Failed)
    });
    match left.and_then(|left| left) {
        Ok(()) => log.debug("left the key of the step, by which an equal step reuses its outputs"),
        Err(TransferFailure::Failed(why) | TransferFailure::BadRequest(why)) => {
            log.info(format_args!("no key is left, so that nothing is reused: {why}"));
        }
        Err(TransferFailure::Cancelled) => {}
    }
}
