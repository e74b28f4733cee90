//! Warns of what goes with a cache that is deleted.

use super::request::Request;
use crate::desired;
use crate::findings::Findings;
use crate::primary::{Primary, Storage};

/// Nothing is refused: a cache must stay removable, whatever its spec says.
pub(crate) fn check(request: &Request<'_>, findings: &mut Findings) {
    let Some(Ok(cache)) = request.old_object.map(Primary::read) else { return };
    let goes = |storage: &Storage<'_>| storage.size.is_some() && !storage.retains();
    if let Some(claim) = desired::claim_name(&cache).filter(|_| cache.spec.storage.as_ref().is_some_and(goes))
    {
        findings.warn(format!(
            "claim {claim} is deleted with this cache, and its artifacts with it: to keep them, set spec.storage.whenDeleted to Retain before"
        ));
    }
}
