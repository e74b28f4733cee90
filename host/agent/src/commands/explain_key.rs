//! The command `explain-key`: what goes into the key of a step, and in what it differs from
//! another one.

use crate::cancel::Cancel;
use crate::checked::CheckedStep;
use crate::exit;
use crate::log::Log;
use crate::reuse::difference::{differences, listing};
use crate::reuse::document::{KeyDocument, MAX_SIZE, MEDIA_TYPE};
use crate::reuse::{StepKeys, lookup};
use crate::step_args::{EXEC, StepArgs};
use crate::transfer::{RegistryAccess, TransferFailure, run};
use clap::Args;
use oci_registry_client::{ArtifactReference, Client, Credentials, RemoteArtifact};
use orascache_api::reference::names_a_host;
use orascache_api::reuse::key_tag;
use std::env::var_os;
use std::ffi::OsString;
use std::io::Write;
use std::path::Path;

/// The arguments of `explain-key`.
#[derive(Args, Debug)]
pub struct ExplainKeyArgs {
    /// Prints in what the key differs from another one: from that of an artifact, or from a file
    /// that --json has printed. The exit code is 1 if it does.
    #[arg(long, value_name = "FILE OR ARTIFACT")]
    compare: Option<String>,
    /// Prints the document of the key as JSON, for comparing it later.
    #[arg(long, conflicts_with = "compare")]
    json: bool,
    /// The step, as `exec` gets it: its flags, -- and its command. It is not run.
    #[arg(last = true, required = true, value_name = "STEP")]
    step: Vec<OsString>,
}

/// Explains the key of a step. Returns the exit code: 0, 1 where two keys differ, and 2 where the
/// key cannot be explained.
pub fn explain_key(arguments: &ExplainKeyArgs) -> u8 {
    let explained = explain(arguments);
    let (text, code) = match explained {
        Ok(explained) => explained,
        Err(TransferFailure::BadRequest(sentence) | TransferFailure::Failed(sentence)) => {
            Log::default().info(sentence);
            return exit::USAGE;
        }
        Err(TransferFailure::Cancelled) => return exit::USAGE,
    };
    // A closed standard output does not change the answer.
    let _ = std::io::stdout().write_all(text.as_bytes());
    code
}

fn explain(arguments: &ExplainKeyArgs) -> Result<(String, u8), TransferFailure> {
    let args = StepArgs::read(flags(&arguments.step)).map_err(TransferFailure::BadRequest)?;
    let step = CheckedStep::new(&args, |name| var_os(name)).map_err(TransferFailure::BadRequest)?;
    if step.outputs.is_empty() {
        return Err(TransferFailure::BadRequest("the step has no output, so that it has no key".to_owned()));
    }
    let registry = with_credentials(&step).map_err(TransferFailure::BadRequest)?;
    let client = registry.client();
    let manifests = run(&Cancel::default(), async {
        lookup::manifests(&client, &step.references()).await.map_err(TransferFailure::Failed)
    })??;
    let keys = StepKeys::compute(&step, &manifests, |name| var_os(name));
    let keys = keys.map_err(TransferFailure::BadRequest)?;
    match &arguments.compare {
        None if arguments.json => {
            let document = keys.keys.first().map(|key| key.document.as_slice()).unwrap_or_default();
            Ok((format!("{}\n", String::from_utf8_lossy(document)), 0))
        }
        None => Ok((overview(&step, &keys), 0)),
        Some(other) => {
            let there = other_document(other, &registry)?;
            let output = if there.output < keys.keys.len() { there.output } else { 0 };
            let differences = differences(&KeyDocument { output, ..keys.document }, &there);
            let code = if differences.is_empty() { 0 } else { exit::FAILED };
            let equal = || "the two keys are equal\n".to_owned();
            Ok((if differences.is_empty() { equal() } else { differences }, code))
        }
    }
}

/// The words of a step without those that may stand in front of its flags, as in a pod.
fn flags(words: &[OsString]) -> Vec<OsString> {
    let front = words.iter().take(2).position(|word| word == EXEC).map_or(0, |place| place + 1);
    words.iter().skip(front).cloned().collect()
}

/// The registry of a step, with the credentials of the caller where no proxy adds others.
fn with_credentials(step: &CheckedStep<'_>) -> Result<RegistryAccess, String> {
    let repositories = step.inputs.iter().map(|input| &input.reference);
    let mut repositories = repositories.chain(step.outputs.iter().map(|output| &output.reference));
    let endpoint = &step.registry.endpoint;
    let credentials = match repositories.next() {
        Some(reference) if endpoint.socket().is_none() => {
            Credentials::stored(endpoint, &reference.repository)?
        }
        _ => Credentials::default(),
    };
    Ok(RegistryAccess { credentials, ..step.registry.clone() })
}

fn overview(step: &CheckedStep<'_>, keys: &StepKeys) -> String {
    let each = step.outputs.iter().zip(&keys.keys);
    let tags: String =
        each.map(|(output, key)| format!("{}  {}\n", output.reference, key_tag(key.text()))).collect();
    format!("{tags}\n{}", listing(&keys.document))
}

/// The document of another key.
fn other_document(other: &str, registry: &RegistryAccess) -> Result<KeyDocument, TransferFailure> {
    if Path::new(other).is_file() {
        let bytes = std::fs::read(other)
            .map_err(|error| TransferFailure::Failed(format!("{other} cannot be read: {error}")))?;
        return KeyDocument::parse(&bytes)
            .map_err(|why| TransferFailure::BadRequest(format!("{other} {why}")));
    }
    let host = other.split('/').next().filter(|first| other.contains("://") || names_a_host(first));
    let (registry, reference) = if host.is_some_and(|host| host.len() < other.len()) {
        let remote = RemoteArtifact::parse(other, false).map_err(TransferFailure::BadRequest)?;
        let credentials = Credentials::stored(&remote.endpoint, &remote.reference.repository);
        let credentials = credentials.map_err(TransferFailure::BadRequest)?;
        let registry = RegistryAccess { endpoint: remote.endpoint, credentials, ..registry.clone() };
        (registry, remote.reference)
    } else {
        let reference = ArtifactReference::parse(other).map_err(|why| {
            let sentence =
                format!("--compare is \"{other}\", which is neither a file nor an artifact: {why}");
            TransferFailure::BadRequest(sentence)
        })?;
        (registry.clone(), reference)
    };
    let client = registry.client();
    run(&Cancel::default(), async {
        stored_document(&client, &reference).await.map_err(TransferFailure::Failed)
    })?
}

async fn stored_document(client: &Client, reference: &ArtifactReference) -> Result<KeyDocument, String> {
    let fetched = client.manifest(reference).await.map_err(|error| error.to_string())?;
    let config = fetched.manifest.config.filter(|config| config.media_type == MEDIA_TYPE);
    let config = config.ok_or_else(|| {
        format!("{reference} has no document of a key: no step that reuses outputs has pushed it")
    })?;
    let bytes = client.read_blob(&reference.repository, &config, MAX_SIZE).await;
    let bytes = bytes.map_err(|error| error.to_string())?;
    KeyDocument::parse(&bytes).map_err(|why| format!("the document of the key of {reference} {why}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_words_in_front_of_the_flags_of_a_pod_may_be_there() {
        let wanted = ["--registry=x", "--", "exec", "a"];
        for front in [&[][..], &["exec"], &["/orascache/orascache-agent", "exec"]] {
            let words: Vec<OsString> = front.iter().chain(&wanted).map(OsString::from).collect();
            assert_eq!(flags(&words), wanted);
        }
    }
}
