//! The issue of children that the host did not hand over.

use crate::issue::{Impact, Issue, Reason};
use crate::kinds::{CERTIFICATE, DISRUPTION_BUDGET, NETWORK_POLICY, SERVICE, SERVICE_MONITOR, STATEFUL_SET};
use crate::primary::Primary;
use orascache_contract::Kind;

/// The issue of kinds of which children are left out. Anybody in the namespace can make objects whose
/// owner reference names the cache. Without a view of the real children nothing is changed.
///
/// Secrets and volume claims are related kinds too: of these, `omitted` may mean the objects of
/// others. A child that is not seen is applied again then, which changes nothing.
pub(crate) fn of_omitted_children(primary: &Primary<'_>, omitted: &[Kind]) -> Option<Issue> {
    let owned_only =
        [&NETWORK_POLICY, &SERVICE, &STATEFUL_SET, &DISRUPTION_BUDGET, &SERVICE_MONITOR, &CERTIFICATE];
    let unseen: Vec<&str> =
        owned_only.into_iter().filter(|kind| omitted.contains(kind)).map(|kind| &*kind.plural).collect();
    if unseen.is_empty() {
        return None;
    }
    let kinds = unseen.join(", ");
    let message = format!(
        "More {kinds} of namespace {} name this cache as their owner than the operator reads (8 MiB), so that nothing is changed. Delete those that the operator did not make.",
        primary.metadata.namespace
    );
    Some(Issue::new(Reason::TooManyChildren, Impact::Freezing, message))
}
