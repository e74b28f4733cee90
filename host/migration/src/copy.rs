//! The three copies of a migration.

use k8s_openapi::api::batch::v1::Job;

/// One copy of all artifacts from a registry pod to another one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Copy {
    /// From the former registry to the holding cache, while the former registry serves.
    First,
    /// The same again, once nobody pushes to the former registry any more.
    Rest,
    /// From the holding cache to the new registry.
    Back,
}

/// How far a copy is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CopyState {
    /// There is no Job for it.
    Missing,
    /// Its Job is one for pods that do not exist any more.
    Outdated,
    /// It runs, or its Job is being deleted.
    Running,
    /// It gave up.
    Failed,
    /// All artifacts were copied.
    Complete,
}

impl Copy {
    /// The part of the Job's name that tells the copies apart.
    pub fn role(self) -> &'static str {
        match self {
            Copy::First => "first",
            Copy::Rest => "rest",
            Copy::Back => "back",
        }
    }

    /// Name of the Job of a cache's copy.
    pub fn job(self, holding: &str) -> String {
        format!("{holding}-{}", self.role())
    }
}

/// How far the copy of a Job is. `is_current` says whether it copies between the pods that exist.
pub(crate) fn state(job: Option<&Job>, is_current: bool) -> CopyState {
    let Some(job) = job else { return CopyState::Missing };
    let conditions = job.status.as_ref().and_then(|status| status.conditions.as_ref());
    let has = |kind: &str| {
        conditions.into_iter().flatten().any(|found| found.type_ == kind && found.status == "True")
    };
    if job.metadata.deletion_timestamp.is_some() {
        CopyState::Running
    } else if !is_current {
        CopyState::Outdated
    } else if has("Complete") {
        CopyState::Complete
    } else if has("Failed") {
        CopyState::Failed
    } else {
        CopyState::Running
    }
}
