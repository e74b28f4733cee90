//! Statements beside the outputs of a step: who made them of what, for tools that know in-toto and
//! SLSA.

use crate::cancel::Cancel;
use crate::log::Log;
use crate::transfer::push::PushedArtifact;
use crate::transfer::{self, RegistryAccess, TransferFailure};
use oci_registry_client::ArtifactReference;
use orascache_provenance::{PushedStatement, StepRecord, StepRun, push, statement};

/// Leaves statements about outputs that were pushed, where the registry knows referrers. A failure is
/// logged: the outputs are there, and their manifests say the same.
///
/// A statement says what the annotations say and no more. So an equal step leaves the same
/// statement, and nothing accumulates.
pub fn leave(registry: &RegistryAccess, outputs: &[(&PushedArtifact, StepRecord)], log: &Log) {
    let left = transfer::run(&Cancel::default(), async {
        try_leave(registry, outputs, log).await.map_err(TransferFailure::Failed)
    });
    if let Err(TransferFailure::Failed(why) | TransferFailure::BadRequest(why)) = left.and_then(|left| left) {
        log.info(format_args!("warning: an output has no provenance statement beside it: {why}"));
    }
}

async fn try_leave(
    registry: &RegistryAccess,
    outputs: &[(&PushedArtifact, StepRecord)],
    log: &Log,
) -> Result<(), String> {
    let (client, host) = (registry.hasty().client(), registry.endpoint.host());
    let all: Vec<ArtifactReference> = outputs.iter().map(|(pushed, _)| pushed.reference.clone()).collect();
    let run = StepRun { registry: &host, outputs: &all, agent: env!("CARGO_PKG_VERSION") };
    for (PushedArtifact { reference, manifest, .. }, record) in outputs {
        let statement = statement(reference, manifest.digest(), record, &run);
        match push(&client, &reference.repository, manifest, &statement).await {
            Ok(PushedStatement::Pushed(digest)) => {
                log.debug(format_args!("left the provenance statement {digest} beside {reference}"));
            }
            Ok(PushedStatement::NoReferrers) => {
                log.debug("the registry knows no referrers, so that no provenance statements are left");
                return Ok(());
            }
            Err(error) => return Err(format!("{reference}: {error}")),
        }
    }
    Ok(())
}
