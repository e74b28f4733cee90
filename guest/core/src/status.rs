//! The status of a cache: conditions (KEP-1623) and a few facts, from observed state only.

use crate::desired;
use crate::difference;
use crate::issue::Issue;
use crate::json::Json;
use crate::observed::Object;
use crate::primary::Primary;
use crate::status_of_tasks::{self, TaskObjects};
use orascache_api::names::{API_VERSION, KIND};
use orascache_contract::{Event, Severity, time};
use std::borrow::Cow;

/// Whether a written status says that defaults wait for the next edit of the spec.
pub(crate) fn says_that_defaults_wait(status: &Json<'_>) -> bool {
    status.items("conditions").iter().any(|condition| {
        let text = |member| condition.get(member).and_then(Json::as_str);
        text("type") == Some("Progressing") && text("reason") == Some(DEFAULTS_WAIT)
    })
}

/// What the status is made from.
pub(crate) struct Facts<'f, 'a> {
    pub(crate) primary: &'f Primary<'a>,
    pub(crate) stateful_set: Option<&'f Object<'a>>,
    /// The most important one comes first.
    pub(crate) issues: &'f [Issue],
    /// Whether this plan changes the StatefulSet. If so, its observed status counts the pods before
    /// the change.
    pub(crate) outdated: bool,
    /// Whether defaults of this version wait for the next edit of the spec, since they would
    /// restart a registry without storage.
    pub(crate) defaults_wait: bool,
    /// Who reaches the registry.
    pub(crate) network: Network,
    /// The operator's namespace, whose pods the NetworkPolicy admits.
    pub(crate) operator_namespace: &'f str,
    /// How many pods there should be: as the spec says, or as the StatefulSet says where another
    /// field manager owns the field.
    pub(crate) replicas: i64,
    /// DNS domain of the cluster, where the settings name it.
    pub(crate) cluster_domain: Option<&'f str>,
    /// The Jobs and CronJobs that work on the registry.
    pub(crate) tasks: TaskObjects<'f, 'a>,
    /// Seconds since the Unix epoch.
    pub(crate) now: u64,
}

/// What is known about the NetworkPolicy of a cache.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Network {
    /// There is no registry to reach.
    Unused,
    /// The spec wants no policy.
    Disabled,
    /// The policy does not exist.
    Missing,
    /// The policy is not as the spec asks, and could not be made so.
    Changed,
    /// The policy exists.
    Restricted,
}

/// Reason of Progressing while defaults wait.
const DEFAULTS_WAIT: &str = "DefaultsWait";
/// Reason of conditions of a cache that the operator leaves as it is.
const SUSPENDED: &str = "Suspended";
/// Message of these conditions.
const NOTHING_CHANGES: &str = "Nothing is made, changed or removed, because spec.suspend is true.";
/// Reason of NetworkRestricted where the spec wants no policy.
const NETWORK_POLICY_DISABLED: &str = "NetworkPolicyDisabled";

/// One condition, before its transition time is known.
struct Condition<'c> {
    kind: &'static str,
    is_true: bool,
    reason: &'static str,
    message: Cow<'c, str>,
}

impl Facts<'_, '_> {
    /// The status that should be written, `None` if it is there already; and the events about the
    /// change.
    pub(crate) fn changes(&self) -> (Option<String>, Vec<Event>) {
        let conditions = [self.ready(), self.progressing(), self.degraded(), self.network_restricted()];
        let written = self.primary.status;
        let old = |kind: &str| {
            let list = written?.get("conditions")?.as_array()?;
            list.iter().find(|condition| condition.get("type").and_then(Json::as_str) == Some(kind))
        };
        let rendered =
            conditions.iter().map(|condition| self.render(condition, old(condition.kind))).collect();
        let status = self.status(rendered);
        let events = self.events(&conditions, &old);
        let unchanged = written.is_some_and(|written| is_same(written, &status));
        ((!unchanged).then(|| self.document(status)), events)
    }

    fn status<'s>(&'s self, conditions: Vec<Json<'s>>) -> Json<'s> {
        let spec = &self.primary.spec;
        let metadata = &self.primary.metadata;
        let endpoint = spec.deploy().then(|| desired::endpoint(self.primary, self.cluster_domain));
        let storage = if spec.is_ephemeral() { "Ephemeral" } else { "Persistent" };
        let counters = self.stateful_set.map(|set| &set.status);
        Json::object([
            ("conditions", Some(Json::Array(conditions))),
            ("endpoint", endpoint.map(|endpoint| endpoint.host().to_owned().into())),
            ("image", spec.deploy().then(|| spec.image().into())),
            ("observedGeneration", Some(metadata.generation.into())),
            ("readyReplicas", Some(counters.map_or(0, |counters| counters.ready_replicas).into())),
            ("replicas", Some(counters.map_or(0, |counters| counters.replicas).into())),
            ("selector", Some(desired::selector_text(self.primary).into())),
            ("storage", spec.deploy().then(|| storage.into())),
            ("retention", status_of_tasks::runs(self.tasks.retention)),
            ("seed", status_of_tasks::seeds(self.primary, self.tasks.seed)),
            ("export", status_of_tasks::runs(self.tasks.export)),
        ])
    }

    /// The document for the status subresource. The UID keeps it off a cache that was recreated
    /// meanwhile.
    fn document(&self, status: Json<'_>) -> String {
        let metadata = &self.primary.metadata;
        let text = |value: &'_ str| (!value.is_empty()).then(|| Json::from(value.to_owned()));
        Json::object([
            ("apiVersion", Some(API_VERSION.into())),
            ("kind", Some(KIND.into())),
            (
                "metadata",
                Some(Json::object([
                    ("name", text(metadata.name)),
                    ("namespace", text(metadata.namespace)),
                    ("uid", text(metadata.uid)),
                ])),
            ),
            ("status", Some(status)),
        ])
        .to_text()
    }

    fn ready(&self) -> Condition<'_> {
        let condition = |is_true, reason, message| Condition { kind: "Ready", is_true, reason, message };
        if let Some(issue) = self.freezing_issue() {
            return condition(false, issue.reason.as_str(), issue.message.as_str().into());
        }
        if self.is_suspended() && self.stateful_set.is_none() {
            return condition(false, SUSPENDED, NOTHING_CHANGES.into());
        }
        if !self.primary.spec.deploy() && !self.is_suspended() {
            return condition(
                true,
                "RegistryNotDeployed",
                "No registry is deployed, because spec.deploy is false: every workflow step names its own."
                    .into(),
            );
        }
        let wanted = self.replicas;
        if self.is_rolled_out() && wanted == 0 {
            let message = format!(
                "No registry pod runs, because spec.replicas is 0. Scale the cache up to use it: kubectl scale oc {} --replicas=1.",
                self.primary.metadata.name
            );
            return condition(false, "ScaledToZero", message.into());
        }
        if self.is_rolled_out() {
            let mut message = format!("{wanted} of {wanted} registry pods are ready.");
            if let Some(why) = self.primary.spec.why_ephemeral() {
                message += &format!(" Artifacts are lost when the pod restarts, {why}.");
            }
            return condition(true, "RegistryReady", message.into());
        }
        if let Some(blocking) = self.issues.iter().find(|issue| issue.blocks()) {
            return condition(false, blocking.reason.as_str(), blocking.message.as_str().into());
        }
        condition(false, "RegistryStarting", self.progress().into())
    }

    fn progressing(&self) -> Condition<'_> {
        let condition =
            |is_true, reason, message| Condition { kind: "Progressing", is_true, reason, message };
        let settled = || condition(false, "AsExpected", "".into());
        if let Some(issue) = self.freezing_issue() {
            condition(false, issue.reason.as_str(), "Waiting for the spec to be corrected.".into())
        } else if self.is_suspended() {
            condition(false, SUSPENDED, NOTHING_CHANGES.into())
        } else if !self.primary.spec.deploy() {
            match self.stateful_set {
                Some(_) => condition(true, "RemovingRegistry", "The registry is being removed.".into()),
                None => settled(),
            }
        } else if self.is_rolled_out() && self.defaults_wait {
            condition(
                false,
                DEFAULTS_WAIT,
                "Defaults of this version of the operator wait for the next edit of the spec, because they restart the registry, which has no storage and loses its artifacts."
                    .into(),
            )
        } else if self.is_rolled_out() {
            settled()
        } else {
            condition(true, "RollingOut", self.progress().into())
        }
    }

    fn degraded(&self) -> Condition<'_> {
        let (is_true, reason, message) = match self.issues.first() {
            None => (false, "AsExpected", "".into()),
            Some(first) => {
                let all: Vec<&str> = self.issues.iter().map(|issue| issue.message.as_str()).collect();
                (true, first.reason.as_str(), all.join(" ").into())
            }
        };
        Condition { kind: "Degraded", is_true, reason, message }
    }

    /// Whether a NetworkPolicy says who reaches the registry. A cluster's network plugin may ignore
    /// it, which nobody can see from here.
    fn network_restricted(&self) -> Condition<'_> {
        let primary = self.primary;
        let name = primary.metadata.name;
        let (is_true, reason, message) = match self.network {
            Network::Unused => (true, "RegistryNotDeployed", "There is no registry to reach.".to_owned()),
            Network::Disabled => (
                false,
                NETWORK_POLICY_DISABLED,
                "Any pod of the cluster that reaches the registry can read and overwrite its artifacts, because spec.networkPolicy.enabled is false."
                    .to_owned(),
            ),
            Network::Missing => (
                false,
                "NetworkPolicyMissing",
                format!("NetworkPolicy {name} does not exist. Without it any pod of the cluster may reach the registry."),
            ),
            Network::Changed => (
                false,
                "NetworkPolicyChanged",
                format!("NetworkPolicy {name} is not as the spec asks: the condition Degraded says why."),
            ),
            Network::Restricted => {
                let mut namespaces = vec![primary.metadata.namespace, self.operator_namespace];
                namespaces.extend(&primary.spec.network_policy.allowed_namespaces);
                namespaces.sort_unstable();
                namespaces.dedup();
                let networks = primary.spec.service.as_ref().map_or(&[][..], |service| &service.source_ranges);
                let networks = match networks {
                    [] => String::new(),
                    networks => format!(", and these networks: {}", networks.join(", ")),
                };
                let message = format!(
                    "NetworkPolicy {name} admits pods of these namespaces: {}{networks}. Only a network plugin that enforces NetworkPolicies keeps others out.",
                    namespaces.join(", ")
                );
                (true, "NetworkPolicyExists", message)
            }
        };
        Condition { kind: "NetworkRestricted", is_true, reason, message: message.into() }
    }

    fn is_suspended(&self) -> bool {
        self.primary.spec.suspend()
    }

    fn freezing_issue(&self) -> Option<&Issue> {
        self.issues.iter().find(|issue| issue.freezes())
    }

    fn is_rolled_out(&self) -> bool {
        let wanted = self.replicas;
        !self.outdated
            && self.stateful_set.is_some_and(|set| {
                let status = &set.status;
                !set.is_being_deleted
                    && status.observed_generation >= set.generation
                    && status.replicas == wanted
                    && status.ready_replicas == wanted
                    && status.updated_replicas == wanted
            })
    }

    fn progress(&self) -> String {
        let wanted = self.replicas;
        let ready = self.stateful_set.map_or(0, |set| set.status.ready_replicas);
        let updated = self.stateful_set.map_or(0, |set| set.status.updated_replicas);
        format!("{ready} of {wanted} registry pods are ready, {updated} are up to date.")
    }

    /// A transition is a change of `status` alone (KEP-1623); otherwise the old time stays.
    fn render<'r>(&'r self, condition: &Condition<'r>, old: Option<&Json<'r>>) -> Json<'r> {
        let status = status_text(condition.is_true);
        let since = old
            .filter(|old| old.get("status").and_then(Json::as_str) == Some(status))
            .and_then(|old| old.get("lastTransitionTime"))
            .and_then(Json::as_str)
            .map_or_else(|| time::rfc3339(self.now), str::to_owned);
        Json::object([
            ("lastTransitionTime", Some(since.into())),
            ("message", Some(condition.message.clone().into())),
            ("observedGeneration", Some(self.primary.metadata.generation.into())),
            ("reason", Some(condition.reason.into())),
            ("status", Some(status.into())),
            ("type", Some(condition.kind.into())),
        ])
    }

    /// Events about changes: another status or reason of Ready or Degraded, a NetworkPolicy that is
    /// switched off, and a deprecated field in a spec that is seen for the first time.
    fn events<'j>(
        &self,
        conditions: &[Condition<'_>; 4],
        old: &impl Fn(&str) -> Option<&'j Json<'j>>,
    ) -> Vec<Event> {
        let mut events = Vec::new();
        let is_new = |condition: &Condition<'_>| {
            let text = |member| old(condition.kind).and_then(|old| old.get(member)).and_then(Json::as_str);
            text("status") != Some(status_text(condition.is_true)) || text("reason") != Some(condition.reason)
        };
        let [ready, _, degraded, network] = conditions;
        if is_new(ready) && !(degraded.is_true && degraded.reason == ready.reason) {
            events.push(Event {
                severity: Severity::Normal,
                reason: ready.reason.into(),
                action: "Reconcile".into(),
                note: ready.message.clone().into_owned(),
            });
        }
        if degraded.is_true && is_new(degraded) {
            events.push(Event {
                severity: Severity::Warning,
                reason: degraded.reason.into(),
                action: "Reconcile".into(),
                note: degraded.message.clone().into_owned(),
            });
        }
        if network.reason == NETWORK_POLICY_DISABLED && is_new(network) {
            events.push(Event {
                severity: Severity::Warning,
                reason: network.reason.into(),
                action: "Reconcile".into(),
                note: network.message.clone().into_owned(),
            });
        }
        let seen = self.primary.status.and_then(|status| status.get("observedGeneration"));
        if self.primary.spec.registry_http.is_some()
            && seen != Some(&Json::Int(self.primary.metadata.generation))
        {
            events.push(Event {
                severity: Severity::Warning,
                reason: "DeprecatedField".into(),
                action: "Reconcile".into(),
                note: "spec.secrets.registryHttp is deprecated, because everybody who can read the cache can read it: put the value into a Secret under the key http-secret and name that in spec.secret.".to_owned(),
            });
        }
        events
    }
}

fn status_text(is_true: bool) -> &'static str {
    if is_true { "True" } else { "False" }
}

/// Whether the written status is the wanted one. Conditions of other writers do not count. A fact
/// that no longer holds does.
fn is_same(written: &Json<'_>, status: &Json<'_>) -> bool {
    let gone = |member: &&str| written.get(member).is_some() && status.get(member).is_none();
    difference::is_subset(status, written)
        && !["endpoint", "image", "storage", "retention", "seed", "export"].iter().any(gone)
}
