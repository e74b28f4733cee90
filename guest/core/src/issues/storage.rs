//! Issues of the claim that is made for a cache.

use crate::desired;
use crate::issue::{Impact, Issue, Reason};
use crate::json::Json;
use crate::own_claim::OwnClaim;
use crate::primary::{Primary, Storage};
use crate::quantity;

/// The issue of storage that the administrator does not allow, or that Kubernetes cannot change.
/// Then an existing volume claim stays as it is, and a missing one is not created.
///
/// `maximum` is the largest size that the administrator allows. A volume claim that is larger
/// already may stay, but not grow.
pub(crate) fn of_storage(
    primary: &Primary<'_>,
    claim: Option<OwnClaim<'_, '_>>,
    maximum: Option<&str>,
) -> Option<Issue> {
    let storage = primary.spec.storage.as_ref()?;
    let wanted = storage.size?;
    let name = desired::claim_name(primary)?;
    let excess = maximum.filter(|maximum| quantity::parse(wanted) > quantity::parse(maximum));
    let Some(claim) = claim else {
        let maximum = excess.filter(|_| primary.spec.deploy())?;
        let message = format!(
            "spec.storage.size is {wanted}, but the administrator allows at most {maximum}. Set it to at most {maximum}."
        );
        return Some(Issue::new(Reason::StorageNotAllowed, Impact::Freezing, message));
    };
    let size = claim.size();
    // A claim whose size cannot be read does not grow either.
    if let Some(maximum) = excess
        && quantity::parse(wanted) > size.and_then(quantity::parse)
    {
        let size = size.unwrap_or(maximum);
        let message = format!(
            "spec.storage.size is {wanted}, but the administrator allows at most {maximum}. Claim {name} stays as it is: set the size to {size}."
        );
        return Some(Issue::new(Reason::StorageNotAllowed, Impact::Warning, message));
    }
    let message = unchangeable(storage, &name, size, claim.object().spec?)?;
    Some(Issue::new(Reason::StorageUnchangeable, Impact::Warning, message))
}

/// What Kubernetes cannot change about a claim. `size` and `spec` are those of the observed claim.
fn unchangeable(storage: &Storage<'_>, name: &str, size: Option<&str>, spec: &Json<'_>) -> Option<String> {
    let class = spec.get("storageClassName").and_then(Json::as_str);
    let modes: Vec<&str> = spec.items("accessModes").iter().filter_map(Json::as_str).collect();
    if let (Some(wanted), Some(size)) = (storage.size, size)
        && quantity::parse(wanted) < quantity::parse(size)
    {
        Some(format!(
            "spec.storage.size is {wanted}, but claim {name} has {size} and cannot shrink. Set it to at least {size}."
        ))
    } else if let (Some(wanted), Some(class)) = (storage.storage_class_name, class)
        && class != wanted
    {
        Some(format!(
            "spec.storage.storageClassName is {wanted}, but claim {name} has {class} and cannot change it. Write that one, or move the data to a new claim."
        ))
    } else if !modes.is_empty() && modes != storage.access_modes() {
        Some(format!(
            "spec.storage.accessModes is [{}], but claim {name} has [{}] and cannot change it. Write those, or move the data to a new claim.",
            storage.access_modes().join(", "),
            modes.join(", ")
        ))
    } else {
        None
    }
}
