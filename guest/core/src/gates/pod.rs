//! A pod with a gate, as far as decisions about it read it.

use crate::fields::Fields;
use crate::json::Json;
use crate::kinds::POD;
use orascache_api::steps::{CREDENTIALS_VOLUME, GATED_LABEL, INPUTS_GATE};
use orascache_contract::time::parse_rfc3339;
use orascache_contract::{Error, ObjectRef};

/// A pod that waits.
#[derive(Debug)]
pub(super) struct GatedPod<'a> {
    pub(super) tree: &'a Json<'a>,
    pub(super) name: &'a str,
    pub(super) namespace: &'a str,
    uid: &'a str,
    pub(super) annotations: Option<&'a Json<'a>>,
    /// Place of our gate among the pod's gates.
    pub(super) gate: Option<usize>,
    pub(super) has_label: bool,
    pub(super) is_being_deleted: bool,
    /// Seconds since the Unix epoch.
    pub(super) created: Option<u64>,
}

impl<'a> GatedPod<'a> {
    pub(super) fn read(tree: &'a Json<'a>) -> Result<Self, Error> {
        let metadata = Fields::root(tree)
            .object("metadata", "metadata")?
            .ok_or_else(|| Error::InvalidInput("metadata of the pod is missing".to_owned()))?;
        let gates = tree.member("spec").map(|spec| spec.items("schedulingGates")).unwrap_or_default();
        let label = |labels: &'a Json<'a>| labels.member(GATED_LABEL);
        Ok(GatedPod {
            tree,
            name: metadata.required_text("name")?,
            namespace: metadata.required_text("namespace")?,
            uid: metadata.required_text("uid")?,
            annotations: metadata.member("annotations"),
            gate: gates.iter().position(|gate| gate.name() == Some(INPUTS_GATE)),
            has_label: metadata.member("labels").and_then(label).is_some(),
            is_being_deleted: metadata.member("deletionTimestamp").is_some(),
            created: metadata.text("creationTimestamp")?.and_then(parse_rfc3339),
        })
    }

    /// The Secret that the credential proxy of the pod mounts. Nobody can change it once the pod
    /// exists, unlike the annotations.
    pub(super) fn credentials(&self) -> Option<&'a str> {
        let volumes = self.tree.member("spec")?.items("volumes");
        let volume = volumes.iter().find(|volume| volume.name() == Some(CREDENTIALS_VOLUME))?;
        let sources = volume.member("projected")?.items("sources");
        sources.iter().find_map(|source| source.member("secret")?.name())
    }

    /// A reference that means this very pod.
    pub(super) fn reference(&self) -> ObjectRef {
        ObjectRef {
            kind: POD.clone(),
            namespace: Some(self.namespace.to_owned()),
            name: self.name.to_owned(),
            uid: Some(self.uid.to_owned()),
        }
    }
}
