//! `--component oci://...`: components in registries.

use super::failed::{Failed, runtime};
use crate::cli::RegistryArgs;
use anyhow::{Context, anyhow};
use component_registry::{PublicKey, PulledComponent, Trust};
use oci_registry_client::{Client, Credentials, RemoteArtifact, TransferPolicy};
use std::time::Duration;

/// Prefix of a component that is in a registry.
const SCHEME: &str = "oci://";
/// How long a registry that does not answer is waited for.
const PATIENCE: Duration = Duration::from_secs(60);

/// The reference in `oci://REFERENCE`, if a component is named that way.
pub(super) fn reference(component: &str) -> Option<&str> {
    component.strip_prefix(SCHEME)
}

/// Pulls the component that a reference names, if it is trusted.
pub(super) fn fetch(reference: &str, args: &RegistryArgs) -> Result<PulledComponent, Failed> {
    let trust = trust(args)?;
    let (client, remote) = connect(reference, args.component_plain_http)?;
    let pulled = runtime()?.block_on(component_registry::pull(&client, &remote.reference, &trust));
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

/// The registry of an artifact, with the credentials that are stored for it.
pub(super) fn connect(reference: &str, plain_http: bool) -> Result<(Client, RemoteArtifact), Failed> {
    let unusable = |sentence: String| Failed::Unusable(anyhow!(sentence));
    let remote = RemoteArtifact::parse(reference, plain_http).map_err(unusable)?;
    let credentials =
        Credentials::stored(&remote.endpoint, &remote.reference.repository).map_err(unusable)?;
    let policy = TransferPolicy::patient(PATIENCE);
    Ok((Client::new(remote.endpoint.clone(), credentials, policy), remote))
}
