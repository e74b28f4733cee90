//! The claim that was made for a cache, and how a cache releases it, so that it outlives the cache.

use crate::admission::patch::Patch;
use crate::desired;
use crate::json::Json;
use crate::kinds::VOLUME_CLAIM;
use crate::observed::{Object, Objects};
use crate::primary::Primary;
use crate::quantity;
use orascache_api::names::{CONSENT_ANNOTATION, RETAINED_ANNOTATION};
use orascache_contract::ObjectPatch;

const ANNOTATIONS: &str = "annotations";

/// The claim that was made for a cache.
#[derive(Clone, Copy, Debug)]
pub(crate) enum OwnClaim<'o, 'a> {
    Child(&'o Object<'a>),
    /// Nothing controls it, and it is marked.
    Released(&'o Object<'a>),
}

impl<'o, 'a> OwnClaim<'o, 'a> {
    /// `None` where there is none yet, and where a claim of that name belongs to somebody else. A claim
    /// that an earlier cache of this name released is that of a cache that retains its claim.
    pub(crate) fn find(
        primary: &Primary<'_>,
        owned: &'o Objects<'a>,
        related: &'o Objects<'a>,
    ) -> Option<Self> {
        let storage = primary.spec.storage.as_ref().filter(|storage| storage.size.is_some())?;
        let name = desired::claim_name(primary)?;
        if let Some(child) = owned.find(&VOLUME_CLAIM, &name) {
            return Some(OwnClaim::Child(child));
        }
        let free = related.find(&VOLUME_CLAIM, &name).filter(|claim| claim.is_uncontrolled())?;
        let mark = free.text_of(ANNOTATIONS, RETAINED_ANNOTATION)?;
        (storage.retains() || mark == primary.metadata.uid).then_some(OwnClaim::Released(free))
    }

    pub(crate) fn object(self) -> &'o Object<'a> {
        match self {
            OwnClaim::Child(claim) | OwnClaim::Released(claim) => claim,
        }
    }

    /// The size that it asks for.
    pub(crate) fn size(self) -> Option<&'o str> {
        self.object().spec?.get("resources")?.get("requests")?.get("storage").and_then(Json::as_str)
    }

    /// The patch of a claim that its cache retains, or retained before. A claim that is to be retained is
    /// released, and grows unless it `stays` as it is. One that was taken back loses the annotations by
    /// which that was possible: whoever removes its owner reference keeps it, as that of any claim.
    pub(crate) fn patch(self, primary: &Primary<'_>, stays: bool) -> Option<ObjectPatch> {
        let storage = primary.spec.storage.as_ref()?;
        let claim = self.object();
        let mut patch = Patch::default();
        if !storage.retains() {
            let OwnClaim::Child(child) = self else { return None };
            child.text_of(ANNOTATIONS, RETAINED_ANNOTATION)?;
            for key in [RETAINED_ANNOTATION, CONSENT_ANNOTATION] {
                if child.text_of(ANNOTATIONS, key).is_some() {
                    patch.remove("/metadata/annotations", key);
                }
            }
            let patch = patch.into_text()?;
            return Some(ObjectPatch { target: claim.reference(&VOLUME_CLAIM), patch });
        }
        if let OwnClaim::Child(child) = self {
            const OWNERS: &str = "/metadata/ownerReferences";
            let uid = || Json::from(primary.metadata.uid);
            let index = child.controller_index()?;
            patch.test(format!("{OWNERS}/{index}/uid"), uid());
            patch.remove_item(OWNERS, index);
            let has_annotations = child.metadata(ANNOTATIONS).is_some();
            patch.set("/metadata/annotations", has_annotations, RETAINED_ANNOTATION, uid());
        }
        if let Some(size) = storage.size.filter(|_| !stays)
            && quantity::parse(size) > self.size().and_then(quantity::parse)
        {
            patch.set("/spec/resources/requests", true, "storage", size.into());
        }
        let patch = patch.into_text().filter(|_| !claim.is_being_deleted)?;
        Some(ObjectPatch { target: claim.reference(&VOLUME_CLAIM), patch })
    }
}
