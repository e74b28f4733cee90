//! What a migration does to a cluster, one write at a time.

use crate::copy::Copy;
use crate::names;
use crate::observed::Observed;
use orascache_api::names::CONSENT_ANNOTATION;

/// One change of the cluster. Each can be made again after an interruption.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Action {
    /// Moves the literal HTTP secret of the spec into a Secret.
    MoveSecret,
    /// Makes the holding cache.
    CreateHolding,
    /// Starts the Job of a copy.
    StartCopy(Copy),
    /// Deletes the Job of a copy that failed, or that is for other pods.
    RemoveCopy(Copy),
    /// Lets the Service lead nowhere.
    CloseService,
    /// Lets the Service lead to the former registry again.
    OpenService,
    /// Deletes the StatefulSet of the former operator, and with it its pod.
    DeleteStatefulSet,
    /// Gives the Service to the cache by the consent annotation.
    GiveService,
    /// Deletes the holding cache, and with it its Jobs.
    RemoveHolding,
    /// Removes the annotations of this operator from the StatefulSet.
    ReleaseStatefulSet,
    /// Removes the annotations of this operator from the Service.
    ReleaseService,
}

impl Action {
    /// What it does, as a sentence.
    pub fn sentence(self, observed: &Observed) -> String {
        let name = observed.name();
        let holding = names::holding(name);
        match self {
            Action::MoveSecret => format!(
                "Move the HTTP secret of spec.secrets.registryHttp into Secret {}, and name that in spec.secret.",
                names::http_secret(name)
            ),
            Action::CreateHolding => {
                format!("Make OrasCache {holding}, which holds the artifacts meanwhile.")
            }
            Action::StartCopy(Copy::First) => format!(
                "Copy all tagged artifacts from the former registry to {holding}, while the former registry serves."
            ),
            Action::StartCopy(Copy::Rest) => {
                format!("Copy to {holding} what was pushed since then.")
            }
            Action::StartCopy(Copy::Back) => {
                format!("Copy all artifacts from {holding} to the new registry.")
            }
            Action::RemoveCopy(copy) => {
                format!("Delete Job {}, which did not succeed or is for other pods.", copy.job(&holding))
            }
            Action::CloseService => format!(
                "Let Service {name} lead nowhere, so that nobody pushes to the former registry any more. From here on steps wait."
            ),
            Action::OpenService => format!("Let Service {name} lead to the former registry again."),
            Action::DeleteStatefulSet => format!(
                "Delete StatefulSet {name} of the former operator with its pod. The operator makes its own."
            ),
            Action::GiveService => format!(
                "Give Service {name} to the cache by the annotation {CONSENT_ANNOTATION}: {name}. Steps go on."
            ),
            Action::RemoveHolding => format!("Delete OrasCache {holding} and the Jobs of the copies."),
            Action::ReleaseStatefulSet => {
                format!("Remove the annotations of this operator from StatefulSet {name}.")
            }
            Action::ReleaseService => format!("Remove the annotations of this operator from Service {name}."),
        }
    }
}
