//! Everything that a migration depends on, as a value.

use crate::copy::{self, Copy, CopyState};
use crate::names;
use k8s_openapi::api::apps::v1::StatefulSet;
use k8s_openapi::api::batch::v1::Job;
use k8s_openapi::api::core::v1::{Pod, Service};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::OwnerReference;
use orascache_api::names::{CONSENT_ANNOTATION, FORMER_SELECTOR};
use serde_json::Value;

/// What is known about one cache and what surrounds it.
#[derive(Clone, Debug, Default)]
pub struct Observed {
    /// The OrasCache.
    pub cache: Value,
    /// The StatefulSet of its name.
    pub stateful_set: Option<StatefulSet>,
    /// The Service of its name.
    pub service: Option<Service>,
    /// The OrasCache with the name of its holding cache.
    pub holding: Option<Value>,
    /// Jobs of the namespace.
    pub jobs: Vec<Job>,
    /// Pods of the namespace.
    pub pods: Vec<Pod>,
    /// What is known about operators of the cluster.
    pub operators: Operators,
}

/// What is known about operators. Not everybody may look.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Operators {
    /// Deployments of the former operator that ask for pods, as `namespace/name`.
    pub former: Vec<String>,
    /// Webhook configurations of the former operator.
    pub former_webhooks: Vec<String>,
    /// Who holds the Lease of this operator.
    pub leader: Option<String>,
    /// What could not be looked up, as sentences.
    pub unknown: Vec<String>,
}

/// Whose an object is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Whose {
    /// There is none.
    Nobody,
    /// The former operator made it for this cache.
    Former,
    /// This operator made it for this cache, or may take it over.
    Ours,
    /// Another object controls it, or nothing does.
    Foreign,
}

impl Observed {
    /// Name of the cache.
    pub fn name(&self) -> &str {
        self.text("/metadata/name")
    }

    /// Namespace of the cache.
    pub fn namespace(&self) -> &str {
        self.text("/metadata/namespace")
    }

    pub(crate) fn uid(&self) -> &str {
        self.text("/metadata/uid")
    }

    fn text(&self, path: &str) -> &str {
        self.cache.pointer(path).and_then(Value::as_str).unwrap_or_default()
    }

    /// A field of the spec, where it is set.
    pub(crate) fn spec(&self, field: &str) -> Option<&Value> {
        self.cache.get("spec")?.get(field).filter(|value| !value.is_null())
    }

    pub(crate) fn deploys(&self) -> bool {
        self.spec("deploy") != Some(&Value::Bool(false))
    }

    pub(crate) fn is_being_deleted(&self) -> bool {
        self.cache.pointer("/metadata/deletionTimestamp").is_some()
    }

    /// The literal HTTP secret of the spec, unless the spec names a Secret.
    pub(crate) fn literal_secret(&self) -> Option<&str> {
        let literal = self.spec("secrets")?.get("registryHttp")?.as_str()?;
        (self.spec("secret").is_none() && !literal.is_empty()).then_some(literal)
    }

    /// Who applies the literal HTTP secret, so that a migration must not remove it from the spec.
    pub(crate) fn applier_of_secret(&self) -> Option<&str> {
        let entries = self.cache.pointer("/metadata/managedFields")?.as_array()?;
        let applies = entries.iter().find(|entry| {
            entry.get("operation").and_then(Value::as_str) == Some("Apply")
                && entry.pointer("/fieldsV1/f:spec/f:secrets/f:registryHttp").is_some()
        });
        applies?.get("manager")?.as_str()
    }

    /// Whether this operator has seen the cache, and leaves the former operator's objects alone.
    pub(crate) fn is_attended(&self) -> bool {
        let conditions = self.cache.pointer("/status/conditions").and_then(Value::as_array);
        conditions.into_iter().flatten().any(|condition| {
            condition.get("type").and_then(Value::as_str) == Some("Degraded")
                && condition
                    .get("message")
                    .and_then(Value::as_str)
                    .unwrap_or_default()
                    .contains("former operator")
        })
    }

    fn is_owner(&self, owners: Option<&Vec<OwnerReference>>) -> bool {
        let controls = |owner: &OwnerReference| owner.controller == Some(true) && owner.uid == self.uid();
        owners.into_iter().flatten().any(controls)
    }

    /// Whose the StatefulSet is. One that is being deleted counts as there.
    pub fn whose_stateful_set(&self) -> Whose {
        let Some(set) = &self.stateful_set else { return Whose::Nobody };
        if !self.is_owner(set.metadata.owner_references.as_ref()) {
            return Whose::Foreign;
        }
        let labels = set.spec.as_ref().and_then(|spec| spec.selector.match_labels.as_ref());
        let is_former = labels.is_some_and(|labels| labels.contains_key(FORMER_SELECTOR));
        if is_former { Whose::Former } else { Whose::Ours }
    }

    /// Whose the Service is. One with consent is this operator's.
    pub fn whose_service(&self) -> Whose {
        let Some(service) = &self.service else { return Whose::Nobody };
        if !self.is_owner(service.metadata.owner_references.as_ref()) {
            return Whose::Foreign;
        }
        let annotations = service.metadata.annotations.as_ref();
        let consents =
            annotations.and_then(|all| all.get(CONSENT_ANNOTATION)).is_some_and(|cache| cache == self.name());
        if self.selects_as_former() && !consents { Whose::Former } else { Whose::Ours }
    }

    /// Whether the Service still selects pods as the former operator's.
    pub(crate) fn selects_as_former(&self) -> bool {
        self.selector().is_some_and(|selector| selector.contains_key(FORMER_SELECTOR))
    }

    /// Whether the Service was changed so that it leads nowhere, or does not exist.
    pub fn is_closed(&self) -> bool {
        self.service.is_none() || self.selector().is_some_and(|selector| selector.contains_key(names::HOLDS))
    }

    fn selector(&self) -> Option<&std::collections::BTreeMap<String, String>> {
        self.service.as_ref()?.spec.as_ref()?.selector.as_ref()
    }

    /// The registry pod of the cache, where it is ready and has an address.
    pub(crate) fn registry_pod(&self) -> Option<ReadyPod<'_>> {
        let set = self.stateful_set.as_ref()?.metadata.uid.as_deref()?;
        self.ready_pod(&names::registry_pod(self.name()), Some(set))
    }

    /// The registry pod of the holding cache, where it is ready and has an address.
    pub(crate) fn holding_pod(&self) -> Option<ReadyPod<'_>> {
        self.ready_pod(&names::registry_pod(&names::holding(self.name())), None)
    }

    fn ready_pod(&self, name: &str, owner: Option<&str>) -> Option<ReadyPod<'_>> {
        let pod = self.pods.iter().find(|pod| pod.metadata.name.as_deref() == Some(name))?;
        let owners = pod.metadata.owner_references.iter().flatten();
        let is_owned = owner.is_none_or(|uid| owners.clone().any(|found| found.uid == uid));
        let status = pod.status.as_ref()?;
        let ready = status.conditions.iter().flatten().any(|c| c.type_ == "Ready" && c.status == "True");
        if !ready || !is_owned || pod.metadata.deletion_timestamp.is_some() {
            return None;
        }
        Some(ReadyPod { uid: pod.metadata.uid.as_deref()?, ip: status.pod_ip.as_deref()? })
    }

    /// The holding cache, where it belongs to this migration.
    pub(crate) fn own_holding(&self) -> Option<&Value> {
        self.holding.as_ref().filter(|holding| {
            let held = holding.pointer("/metadata/annotations").and_then(|all| all.get(names::HOLDS));
            held.and_then(Value::as_str) == Some(self.name())
        })
    }

    /// Whether the holding cache keeps its artifacts when its pod is replaced.
    pub(crate) fn holding_has_storage(&self) -> bool {
        self.own_holding().is_some_and(|holding| holding.pointer("/spec/storage/size").is_some())
    }

    fn job(&self, copy: Copy) -> Option<&Job> {
        let name = copy.job(&names::holding(self.name()));
        self.jobs.iter().find(|job| job.metadata.name.as_deref() == Some(&name))
    }

    /// How far a copy is.
    pub fn copy_state(&self, copy: Copy) -> CopyState {
        let job = self.job(copy);
        let annotation = |key: &str| job?.metadata.annotations.as_ref()?.get(key).map(String::as_str);
        let (former, holding) = (self.registry_pod(), self.holding_pod());
        let [from, to] = match copy {
            Copy::First | Copy::Rest => [former, holding],
            Copy::Back => [holding, former],
        };
        let is_of = |key, pod: Option<ReadyPod<'_>>| pod.is_some_and(|pod| annotation(key) == Some(pod.uid));
        copy::state(job, is_of(names::FROM_POD, from) && is_of(names::TO_POD, to))
    }

    /// Whether the pod of the holding cache is the one to which everything was copied last.
    pub(crate) fn holds_everything(&self) -> bool {
        let Some(job) = self.job(Copy::Rest) else { return false };
        let annotations = job.metadata.annotations.as_ref();
        let filled = annotations.and_then(|all| all.get(names::TO_POD)).map(String::as_str);
        copy::state(Some(job), true) == CopyState::Complete
            && (self.holding_has_storage() || filled == self.holding_pod().map(|pod| pod.uid))
    }

    /// Names of pods whose steps the former operator's webhook rewrote, and that have not ended.
    pub(crate) fn running_steps(&self) -> Vec<&str> {
        // Its registry pods have one container, which has the same name.
        let is_step = |pod: &Pod| {
            let containers = pod.spec.iter().flat_map(|spec| &spec.containers);
            has_label(pod) && containers.clone().count() > 1 && {
                let mut containers = containers;
                containers.any(|container| container.name == names::FORMER_CONTAINER)
            }
        };
        self.unended(is_step)
    }

    /// Names of pods of users that have DNS names by the Service.
    pub(crate) fn named_by_service(&self) -> Vec<&str> {
        let set = self.stateful_set.as_ref().and_then(|set| set.metadata.uid.as_deref());
        let is_registry = |pod: &Pod| {
            let mut owners = pod.metadata.owner_references.iter().flatten();
            owners.any(|owner| Some(owner.uid.as_str()) == set)
        };
        let has_name = |pod: &Pod| {
            let subdomain = pod.spec.as_ref().and_then(|spec| spec.subdomain.as_deref());
            has_label(pod) && subdomain == Some(self.name()) && !is_registry(pod)
        };
        self.unended(has_name)
    }

    fn unended(&self, holds: impl Fn(&Pod) -> bool) -> Vec<&str> {
        let is_unended = |pod: &&Pod| {
            let phase = pod.status.as_ref().and_then(|status| status.phase.as_deref());
            !matches!(phase, Some("Succeeded" | "Failed")) && holds(pod)
        };
        self.pods.iter().filter(is_unended).filter_map(|pod| pod.metadata.name.as_deref()).collect()
    }
}

/// Whether the Service of the former operator selects a pod.
fn has_label(pod: &Pod) -> bool {
    pod.metadata.labels.as_ref().is_some_and(|labels| labels.contains_key(FORMER_SELECTOR))
}

/// A registry pod that answers.
#[derive(Clone, Copy, Debug)]
pub(crate) struct ReadyPod<'p> {
    pub(crate) uid: &'p str,
    pub(crate) ip: &'p str,
}

impl ReadyPod<'_> {
    /// Where its registry answers.
    pub(crate) fn url(&self) -> String {
        // Addresses of IPv6 have brackets in URLs (RFC 3986, section 3.2.2).
        if self.ip.contains(':') {
            format!("http://[{}]:5000", self.ip)
        } else {
            format!("http://{}:5000", self.ip)
        }
    }
}
