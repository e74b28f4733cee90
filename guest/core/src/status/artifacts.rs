//! What happened to the artifacts of a cache without storage: they live in its pod.

use crate::json::Json;
use crate::primary::Primary;
use crate::roll_out::RollOut;
use orascache_contract::time::rfc3339;

/// What the status says about the artifacts of a cache without storage.
#[derive(Debug, Default)]
pub(super) struct Artifacts {
    /// UID of the pod that has them.
    pub(super) pod_uid: Option<String>,
    /// When artifacts were last lost.
    pub(super) lost_at: Option<String>,
    /// Name of the pod that has taken the place of the one with the artifacts, when this is seen
    /// for the first time.
    pub(super) replaced_by: Option<String>,
}

impl Artifacts {
    /// Compares the pod that has the artifacts, which the written status names, with the pod that
    /// exists. A pod counts once it was ready: one that never served has no artifacts.
    pub(super) fn of(roll_out: &RollOut<'_, '_>, now: u64) -> Self {
        let primary = roll_out.primary;
        if !primary.spec.deploy() && !primary.spec.suspend() {
            return Artifacts::default();
        }
        let written = |member| primary.status?.get(member)?.as_str().map(str::to_owned);
        let is_ephemeral = primary.spec.is_ephemeral();
        let settled = roll_out.is_complete();
        let lost_at = written("artifactsLostAt").filter(|_| is_ephemeral || !settled);
        let current = roll_out.pods.iter().find(|pod| pod.is_first());
        let serving = current.filter(|_| is_ephemeral && settled).map(|pod| pod.uid().to_owned());
        match (written("registryPodUID"), current) {
            (Some(known), Some(pod)) if known != pod.uid() => Artifacts {
                pod_uid: serving,
                lost_at: Some(rfc3339(now)),
                replaced_by: Some(pod.name().to_owned()),
            },
            (Some(known), _) => Artifacts {
                pod_uid: Some(known).filter(|_| is_ephemeral || !settled),
                lost_at,
                replaced_by: None,
            },
            (None, _) => Artifacts { pod_uid: serving, lost_at, replaced_by: None },
        }
    }

    pub(super) fn event_note(pod: &str, primary: &Primary<'_>) -> String {
        // The spec may have got storage meanwhile.
        let why = primary.spec.why_ephemeral().unwrap_or("because the cache had no storage");
        format!(
            "Pod {pod} was replaced, and the artifacts of the cache are lost, {why}. Steps that need them have to run again."
        )
    }

    /// Says in a message when artifacts were lost.
    pub(super) fn add_to(&self, message: &mut String) {
        if let Some(time) = &self.lost_at {
            message.push_str(&format!(" That happened last at {time}."));
        }
    }

    pub(super) fn members<'j>(&self) -> [(&'static str, Option<Json<'j>>); 2] {
        [
            ("artifactsLostAt", self.lost_at.clone().map(Json::from)),
            ("registryPodUID", self.pod_uid.clone().map(Json::from)),
        ]
    }
}
