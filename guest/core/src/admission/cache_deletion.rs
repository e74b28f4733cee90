//! Warns of what goes with a cache that is deleted.

use super::request::Request;
use crate::desired;
use crate::findings::Findings;
use crate::primary::Primary;

/// Nothing is refused: a cache must stay removable, whatever its spec says.
pub(crate) fn check(request: &Request<'_>, findings: &mut Findings) {
    let Some(Ok(cache)) = request.old_object.map(Primary::read) else { return };
    let has_own = cache.spec.storage.as_ref().is_some_and(|storage| storage.size.is_some());
    if let Some(claim) = desired::claim_name(&cache).filter(|_| has_own) {
        findings.warn(format!(
            "claim {claim} is deleted with this cache, and its artifacts with it: to keep a claim, remove its owner reference before, as docs/gitops.md says"
        ));
    }
}
