//! The volume claim of a cache.

use super::words::quoted;
use super::{Cause, Certainty};
use crate::desired;
use crate::issue::Reason;
use crate::json::Json;
use crate::kinds::VOLUME_CLAIM;
use crate::observed::Objects;
use crate::primary::Primary;

/// The claim that the registry pods mount.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Claim<'a> {
    pub(crate) name: &'a str,
    /// `Pending`, `Bound` or `Lost`; empty where Kubernetes has not looked at it.
    pub(crate) phase: &'a str,
    pub(crate) capacity: Option<&'a str>,
    pub(crate) class: Option<&'a str>,
}

impl<'a> Claim<'a> {
    /// The claim of a cache: the one that was made for it, or the one that its spec names.
    pub(crate) fn of(primary: &Primary<'_>, owned: &Objects<'a>, related: &Objects<'a>) -> Option<Self> {
        let name = desired::claim_name(primary)?;
        let claim = owned.find(&VOLUME_CLAIM, &name).or_else(|| related.find(&VOLUME_CLAIM, &name))?;
        let status = claim.tree.member("status");
        let text = |value: Option<&'a Json<'a>>, member: &str| value?.get(member)?.as_str();
        Some(Claim {
            name: claim.name,
            phase: text(status, "phase").unwrap_or_default(),
            capacity: text(status.and_then(|status| status.member("capacity")), "storage"),
            class: text(claim.spec, "storageClassName").filter(|class| !class.is_empty()),
        })
    }

    /// The cause of a claim without a volume.
    pub(super) fn cause(&self) -> Option<Cause> {
        let name = self.name;
        match self.phase {
            "Pending" => {
                let why = match self.class {
                    Some(class) => format!(
                        "Its storage class is {}: check that this class exists and that its provisioner works. kubectl describe pvc {name} shows what happened",
                        quoted(class)
                    ),
                    None => "It names no storage class, and the cluster has no default one: make a class the default, or make a volume that fits".to_owned(),
                };
                let message = format!("PersistentVolumeClaim {name} has no volume. {why}.");
                Some(Cause::new(Reason::ClaimPending, Certainty::Gradual, message))
            }
            "Lost" => {
                let message = format!(
                    "PersistentVolumeClaim {name} has lost its volume, and the artifacts in it. Restore the volume, or delete the claim to begin with an empty one."
                );
                Some(Cause::new(Reason::ClaimLost, Certainty::Certain, message))
            }
            _ => None,
        }
    }
}
