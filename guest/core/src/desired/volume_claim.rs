//! The claim that all registry pods of a cache mount.

use super::Child;
use crate::json::Json;
use crate::kinds::VOLUME_CLAIM;
use crate::primary::Primary;
use std::borrow::Cow;

/// Name of the claim that the pods mount: the one that is made for the cache, or an existing one.
/// `None` where artifacts are on the disk of the node, or in a bucket.
pub(crate) fn claim_name<'a>(primary: &'a Primary<'a>) -> Option<Cow<'a, str>> {
    let storage = primary.spec.storage.as_ref()?;
    match storage.existing_claim {
        Some(name) => Some(name.into()),
        None => storage.size.map(|_| format!("{}-data", primary.metadata.name).into()),
    }
}

/// The claim that is made for the cache. `None` where an existing one is named.
///
/// Whoever removes the owner reference of a claim wants to keep its data when the cache is deleted.
/// So the operator does not take a claim back, unless it `is_offered`: its annotation names the
/// cache.
pub(crate) fn volume_claim<'a>(primary: &'a Primary<'a>, is_offered: bool) -> Option<Child<'a>> {
    let storage = primary.spec.storage.as_ref().filter(|storage| storage.existing_claim.is_none())?;
    let size = storage.size?;
    let modes = storage.access_modes().iter().map(|mode| Json::from(*mode)).collect();
    let requests = Json::object([("storage", Some(size.into()))]);
    let spec = Json::object([
        ("accessModes", Some(Json::Array(modes))),
        ("resources", Some(Json::object([("requests", Some(requests))]))),
        ("storageClassName", storage.storage_class_name.map(Json::from)),
    ]);
    let claim = Child::new(primary, &VOLUME_CLAIM, claim_name(primary)?, [("spec", spec)]);
    Some(if is_offered || !primary.metadata.is_in_cluster() { claim } else { claim.without_consent() })
}
