//! Events about changes of the status.

use super::artifacts::Artifacts;
use super::network::NETWORK_POLICY_DISABLED;
use super::{Condition, FOREIGN_FIELDS, Facts, status_text};
use crate::json::Json;
use orascache_contract::{Event, Severity};

impl Facts<'_, '_> {
    /// Events about changes: another status or reason of Ready or Degraded, a NetworkPolicy that is
    /// switched off, fields of others, artifacts that were lost, and a deprecated field in a spec
    /// that is seen for the first time.
    pub(super) fn events<'j>(
        &self,
        conditions: &[Condition<'_>],
        artifacts: &Artifacts,
        old: &impl Fn(&str) -> Option<&'j Json<'j>>,
    ) -> Vec<Event> {
        let mut events = Vec::new();
        let text = |condition: &Condition<'_>, member| old(condition.kind)?.get(member)?.as_str();
        let is_new = |condition: &Condition<'_>| {
            text(condition, "status") != Some(status_text(condition.is_true))
                || text(condition, "reason") != Some(condition.reason)
        };
        let degraded = conditions.iter().find(|condition| condition.kind == "Degraded");
        let degraded_reason = degraded.filter(|degraded| degraded.is_true).map(|degraded| degraded.reason);
        for condition in conditions.iter().filter(|condition| is_new(condition)) {
            let severity = match condition.kind {
                // Degraded says it.
                "Ready" if degraded_reason == Some(condition.reason) => continue,
                "Ready" if condition.is_true || !self.has_fault() => Severity::Normal,
                "Ready" => Severity::Warning,
                "Degraded" if condition.is_true => Severity::Warning,
                FOREIGN_FIELDS if condition.is_true => Severity::Normal,
                _ if condition.reason == NETWORK_POLICY_DISABLED => Severity::Warning,
                _ => continue,
            };
            events.push(event(severity, condition.reason, condition.message.clone().into_owned()));
        }
        if let Some(pod) = &artifacts.replaced_by {
            events.push(event(Severity::Warning, "ArtifactsLost", Artifacts::event_note(pod, self.primary)));
        }
        let seen = self.primary.status.and_then(|status| status.get("observedGeneration"));
        if self.primary.spec.registry_http.is_some()
            && seen != Some(&Json::Int(self.primary.metadata.generation))
        {
            let note = "spec.secrets.registryHttp is deprecated, because everybody who can read the cache can read it: put the value into a Secret under the key http-secret and name that in spec.secret.";
            events.push(event(Severity::Warning, "DeprecatedField", note.to_owned()));
        }
        events
    }
}

fn event(severity: Severity, reason: &'static str, note: String) -> Event {
    Event { severity, reason: reason.into(), action: "Reconcile".into(), note }
}
