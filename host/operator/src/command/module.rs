//! `orascache module`, and `--component oci://...`: components in registries.

use super::Failed;
use crate::cli::{ModuleCommand, ModulePullArgs, ModulePushArgs, RegistryArgs};
use crate::output;
use anyhow::{Context, anyhow};
use component_registry::{Description, PublicKey, PulledComponent, Trust};
use oci_registry_client::{Client, Credentials, RemoteArtifact, TransferPolicy};
use std::process::ExitCode;
use std::time::Duration;

/// In front of a component that lies in a registry.
const SCHEME: &str = "oci://";
/// How long a registry that does not answer is waited for.
const PATIENCE: Duration = Duration::from_secs(60);

pub(super) fn execute(command: &ModuleCommand) -> Result<ExitCode, Failed> {
    match command {
        ModuleCommand::Push(args) => push(args),
        ModuleCommand::Pull(args) => pull(args),
    }
}

/// The reference, if the component is named by one.
pub(super) fn reference(component: &str) -> Option<&str> {
    component.strip_prefix(SCHEME)
}

/// The component that a reference names, if it may be trusted.
pub(super) fn fetch(reference: &str, args: &RegistryArgs) -> Result<PulledComponent, Failed> {
    let trust = trust(args)?;
    let (client, remote) = connect(reference, args)?;
    let pulled = super::runtime()?.block_on(component_registry::pull(&client, &remote.reference, &trust));
    pulled.with_context(|| format!("the component {reference} cannot be pulled")).map_err(Failed::Refused)
}

fn trust(args: &RegistryArgs) -> Result<Trust, Failed> {
    let Some(path) = &args.component_key else {
        return Ok(Trust { allow_unpinned: args.allow_unpinned, ..Trust::default() });
    };
    let key = || -> anyhow::Result<PublicKey> {
        let pem =
            std::fs::read(path).with_context(|| format!("the key {} cannot be read", path.display()))?;
        PublicKey::from_pem(&pem).with_context(|| format!("{} is not usable", path.display()))
    };
    let key = key().map_err(Failed::Unusable)?;
    Ok(Trust { allow_unpinned: args.allow_unpinned, key: Some(key), ..Trust::default() })
}

fn connect(reference: &str, args: &RegistryArgs) -> Result<(Client, RemoteArtifact), Failed> {
    let unusable = |sentence: String| Failed::Unusable(anyhow!(sentence));
    let remote = RemoteArtifact::parse(reference, args.component_plain_http).map_err(unusable)?;
    let credentials =
        Credentials::stored(&remote.endpoint, &remote.reference.repository).map_err(unusable)?;
    let policy = TransferPolicy::patient(PATIENCE);
    Ok((Client::new(remote.endpoint.clone(), credentials, policy), remote))
}

fn push(args: &ModulePushArgs) -> Result<ExitCode, Failed> {
    let (client, remote) = connect(&args.reference, &args.registry)?;
    if remote.reference.digest.is_some() {
        let sentence =
            format!("{} names a digest, which what is pushed does not have yet: name a tag", args.reference);
        return Err(Failed::Unusable(anyhow!(sentence)));
    }
    let bytes = super::component_bytes(args.file.as_deref(), &args.registry)?;
    let interface = super::interface(&bytes)?;
    let description = Description { exports: interface.exports, imports: interface.imports };
    let pushed = super::runtime()?.block_on(component_registry::push(
        &client,
        &remote.reference,
        &bytes,
        &description,
    ));
    let digest = pushed.with_context(|| format!("the component cannot be pushed to {remote}"))?;
    output::print(&format!("{}/{}@{digest}\n", remote.endpoint.host(), remote.reference.repository))?;
    Ok(ExitCode::SUCCESS)
}

fn pull(args: &ModulePullArgs) -> Result<ExitCode, Failed> {
    let pulled = fetch(&args.reference, &args.registry)?;
    std::fs::write(&args.output, &pulled.component)
        .with_context(|| format!("{} cannot be written", args.output.display()))?;
    output::print(&format!("{} {}\n", args.output.display(), pulled.digest))?;
    Ok(ExitCode::SUCCESS)
}
