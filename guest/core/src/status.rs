//! The status of a cache: conditions (KEP-1623) and a few facts, from observed state only.

mod artifacts;
mod events;
mod foreign_fields;
mod network;

use crate::desired;
use crate::diagnosis::Claim;
use crate::difference;
use crate::issue::Issue;
use crate::json::Json;
use crate::primary::Primary;
use crate::registry_pod::RegistryPod;
use crate::roll_out::{RollOut, Wait};
use crate::status_of_tasks::TaskStatus;
use artifacts::Artifacts;
use orascache_api::names::{API_VERSION, KIND};
use orascache_contract::{Event, time};
use std::borrow::Cow;

pub(crate) use foreign_fields::foreign_fields;
pub(crate) use network::Network;

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
    pub(crate) roll_out: &'f RollOut<'f, 'a>,
    /// What is known about a roll-out that is under way.
    pub(crate) wait: Option<&'f Wait>,
    /// The volume claim that the pods mount.
    pub(crate) claim: Option<Claim<'a>>,
    /// The most important one comes first.
    pub(crate) issues: &'f [Issue],
    /// Fields of the StatefulSet that others set, as a list for a message.
    pub(crate) foreign_fields: Option<String>,
    /// Whether defaults of this version wait for the next edit of the spec, since they would
    /// restart a registry without storage.
    pub(crate) defaults_wait: bool,
    /// Who reaches the registry.
    pub(crate) network: Network,
    /// The operator's namespace, whose pods the NetworkPolicy admits.
    pub(crate) operator_namespace: &'f str,
    /// DNS domain of the cluster, where the settings name it.
    pub(crate) cluster_domain: Option<&'f str>,
    /// The work on the registry.
    pub(crate) tasks: TaskStatus<'f, 'a>,
    /// Seconds since the Unix epoch.
    pub(crate) now: u64,
}

/// Reason of Progressing while defaults wait.
const DEFAULTS_WAIT: &str = "DefaultsWait";
/// Reason of conditions of a cache that the operator leaves as it is.
const SUSPENDED: &str = "Suspended";
/// Message of these conditions.
const NOTHING_CHANGES: &str = "Nothing is made, changed or removed, because spec.suspend is true.";
/// Type of the condition about fields that others set. A cache has it from the first time on.
const FOREIGN_FIELDS: &str = "ForeignFields";

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
        let written = self.primary.status;
        let old = |kind: &str| {
            let list = written?.get("conditions")?.as_array()?;
            list.iter().find(|condition| condition.get("type").and_then(Json::as_str) == Some(kind))
        };
        let artifacts = Artifacts::of(self.roll_out, self.now);
        let mut conditions =
            vec![self.ready(&artifacts), self.progressing(), self.degraded(), self.network_restricted()];
        if self.foreign_fields.is_some() || old(FOREIGN_FIELDS).is_some() {
            conditions.push(self.foreign_fields());
        }
        let rendered =
            conditions.iter().map(|condition| self.render(condition, old(condition.kind))).collect();
        let status = self.status(rendered, &artifacts);
        let events = self.events(&conditions, &artifacts, &old);
        let unchanged = written.is_some_and(|written| is_same(written, &status));
        ((!unchanged).then(|| self.document(status)), events)
    }

    fn status<'s>(&'s self, conditions: Vec<Json<'s>>, artifacts: &Artifacts) -> Json<'s> {
        let spec = &self.primary.spec;
        let metadata = &self.primary.metadata;
        let endpoint = spec.deploy().then(|| desired::endpoint(self.primary, self.cluster_domain));
        let storage = if spec.is_ephemeral() { "Ephemeral" } else { "Persistent" };
        let roll_out = self.roll_out;
        let ready = roll_out.pods.iter().find(|pod| pod.is_ready());
        let digest = ready.filter(|_| spec.deploy()).and_then(RegistryPod::image_digest);
        let replicas = roll_out.stateful_set.map_or(0, |set| set.status.replicas);
        let [lost, pod] = artifacts.members();
        let [bytes, retention, seed, export] = self.tasks.members();
        Json::object([
            lost,
            ("claim", self.claim.filter(|_| spec.deploy()).map(claim_status)),
            ("conditions", Some(Json::Array(conditions))),
            ("endpoint", endpoint.as_ref().map(|endpoint| endpoint.host().to_owned().into())),
            ("image", spec.deploy().then(|| spec.image().into())),
            ("imageDigest", digest.map(Json::from)),
            ("lastProgressTime", self.wait.map(|wait| time::rfc3339(wait.since).into())),
            ("observedGeneration", Some(metadata.generation.into())),
            ("readyReplicas", Some(roll_out.ready().into())),
            pod,
            ("replicas", Some(replicas.into())),
            ("selector", Some(desired::selector_text(self.primary).into())),
            ("storage", spec.deploy().then(|| storage.into())),
            bytes,
            retention,
            seed,
            export,
            ("updatedReplicas", Some(roll_out.updated().into())),
            ("url", endpoint.map(|endpoint| endpoint.to_string().into())),
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

    fn ready(&self, artifacts: &Artifacts) -> Condition<'_> {
        let condition = |is_true, reason, message| Condition { kind: "Ready", is_true, reason, message };
        if let Some(issue) = self.freezing_issue() {
            return condition(false, issue.reason.as_str(), issue.message.as_str().into());
        }
        if self.is_suspended() && self.roll_out.stateful_set.is_none() {
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
        let wanted = self.roll_out.replicas;
        if self.roll_out.is_complete() && wanted == 0 {
            let message = format!(
                "No registry pod runs, because spec.replicas is 0. Scale the cache up to use it: kubectl scale oc {} --replicas=1.",
                self.primary.metadata.name
            );
            return condition(false, "ScaledToZero", message.into());
        }
        if self.roll_out.is_complete() {
            let mut message = format!("{wanted} of {wanted} registry pods are ready.");
            if let Some(why) = self.primary.spec.why_ephemeral() {
                message += &format!(" Artifacts are lost when the pod restarts, {why}.");
                artifacts.add_to(&mut message);
            }
            return condition(true, "RegistryReady", message.into());
        }
        if self.roll_out.serves() {
            return condition(true, "RegistryPartlyReady", self.roll_out.summary().into());
        }
        if let Some(blocking) = self.issues.iter().find(|issue| issue.blocks()) {
            return condition(false, blocking.reason.as_str(), blocking.message.as_str().into());
        }
        match self.cause() {
            Some((reason, message)) => condition(false, reason, message.into()),
            None => condition(false, "RegistryStarting", self.roll_out.summary().into()),
        }
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
            match self.roll_out.stateful_set {
                Some(_) => condition(true, "RemovingRegistry", "The registry is being removed.".into()),
                None => settled(),
            }
        } else if self.roll_out.is_complete() && self.defaults_wait {
            condition(
                false,
                DEFAULTS_WAIT,
                "Defaults of this version of the operator wait for the next edit of the spec, because they restart the registry, which has no storage and loses its artifacts."
                    .into(),
            )
        } else if self.roll_out.is_complete() {
            settled()
        } else if let Some((reason, message)) = self.cause() {
            condition(true, reason, message.into())
        } else {
            condition(true, "RollingOut", self.roll_out.summary().into())
        }
    }

    /// Whether something is wrong with the registry.
    fn has_fault(&self) -> bool {
        !self.issues.is_empty() || self.cause().is_some()
    }

    /// Reason and message of why the roll-out has not ended.
    fn cause(&self) -> Option<(&'static str, &str)> {
        let cause = self.wait?.cause.as_ref()?;
        Some((cause.reason.as_str(), &cause.message))
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

    /// Whether others set fields of the StatefulSet. They stay, so that this is no fault.
    fn foreign_fields(&self) -> Condition<'_> {
        let name = self.primary.metadata.name;
        let (is_true, reason, message) = match &self.foreign_fields {
            None => (false, "AsExpected", String::new()),
            Some(fields) => (
                true,
                "FieldsOfOthers",
                format!("StatefulSet {name} has fields that others set, and they stay: {fields}."),
            ),
        };
        Condition { kind: FOREIGN_FIELDS, is_true, reason, message: message.into() }
    }

    fn is_suspended(&self) -> bool {
        self.primary.spec.suspend()
    }

    fn freezing_issue(&self) -> Option<&Issue> {
        self.issues.iter().find(|issue| issue.freezes())
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
}

fn status_text(is_true: bool) -> &'static str {
    if is_true { "True" } else { "False" }
}

fn claim_status<'j>(claim: Claim<'j>) -> Json<'j> {
    Json::object([
        ("capacity", claim.capacity.map(Json::from)),
        ("name", Some(claim.name.into())),
        ("phase", (!claim.phase.is_empty()).then(|| claim.phase.into())),
        ("storageClassName", claim.class.map(Json::from)),
    ])
}

/// Facts that a status may be without.
const OPTIONAL: [&str; 13] = [
    "artifactsLostAt",
    "bytesReferenced",
    "claim",
    "endpoint",
    "export",
    "image",
    "imageDigest",
    "lastProgressTime",
    "registryPodUID",
    "retention",
    "seed",
    "storage",
    "url",
];

/// Whether the written status is the wanted one. Conditions of other writers do not count. A fact
/// that no longer holds does, and so does a part of it.
fn is_same(written: &Json<'_>, status: &Json<'_>) -> bool {
    let gone = |member: &&str| match (written.get(member), status.get(member)) {
        (Some(Json::Object(parts)), Some(now)) => parts.iter().any(|(part, _)| now.get(part).is_none()),
        (Some(_), now) => now.is_none(),
        (None, _) => false,
    };
    difference::is_subset(status, written) && !OPTIONAL.iter().any(gone)
}
