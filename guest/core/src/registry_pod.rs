//! The registry pods of a cache, as far as its status depends on them.

use crate::json::Json;
use crate::kinds::POD;
use crate::observed::{Object, Objects};
use orascache_api::names::REGISTRY_NAME;
use orascache_contract::time::parse_rfc3339;

/// Fields of a pod that the host keeps.
pub(crate) const POD_FIELDS: &[&str] = &[
    "/status/conditions",
    "/status/containerStatuses",
    "/status/initContainerStatuses",
    "/status/message",
    "/status/phase",
    "/status/reason",
];

/// One registry pod.
#[derive(Clone, Copy, Debug)]
pub(crate) struct RegistryPod<'o, 'a> {
    object: &'o Object<'a>,
    status: Option<&'a Json<'a>>,
}

impl<'o, 'a> RegistryPod<'o, 'a> {
    /// The pods that a StatefulSet controls, in the order of their names. Anybody can make a pod with
    /// the labels of a registry; its controller tells whose it is.
    pub(crate) fn of(set: &Object<'_>, related: &'o Objects<'a>) -> Vec<Self> {
        related
            .of_kind(&POD)
            .filter(|pod| pod.is_controlled_by(set.uid))
            .map(|object| RegistryPod { object, status: object.tree.member("status") })
            .collect()
    }

    pub(crate) fn name(&self) -> &'a str {
        self.object.name
    }

    pub(crate) fn uid(&self) -> &'a str {
        self.object.uid
    }

    pub(crate) fn is_being_deleted(&self) -> bool {
        self.object.is_being_deleted
    }

    /// When a pod that is being deleted should be gone: when its grace period is over. In seconds since
    /// the epoch.
    pub(crate) fn should_end_at(&self) -> Option<u64> {
        parse_rfc3339(self.object.metadata("deletionTimestamp")?.as_str()?)
    }

    /// Whether it is the pod with the ordinal 0, which steps reach.
    pub(crate) fn is_first(&self) -> bool {
        self.name().ends_with("-0")
    }

    /// Whether clients can reach it.
    pub(crate) fn is_ready(&self) -> bool {
        self.condition("Ready").and_then(|ready| ready.get("status")).and_then(Json::as_str) == Some("True")
    }

    pub(crate) fn condition(&self, kind: &str) -> Option<&'a Json<'a>> {
        let conditions = self.status?.items("conditions");
        conditions.iter().find(|condition| condition.get("type").and_then(Json::as_str) == Some(kind))
    }

    /// The statuses of all containers: first those that run before others.
    pub(crate) fn containers(&self) -> impl Iterator<Item = &'a Json<'a>> {
        let list = |name| self.status.map(|status| status.items(name)).unwrap_or_default();
        list("initContainerStatuses").iter().chain(list("containerStatuses"))
    }

    /// Since when the registry's container runs, in seconds since the epoch.
    pub(crate) fn running_since(&self) -> Option<u64> {
        let state = self.registry()?.get("state")?.get("running")?;
        parse_rfc3339(state.get("startedAt")?.as_str()?)
    }

    fn registry(&self) -> Option<&'a Json<'a>> {
        let mut containers = self.status?.items("containerStatuses").iter();
        containers.find(|container| container.name() == Some(REGISTRY_NAME))
    }

    /// Digest of the image that the registry's container runs. Runtimes write
    /// `NAME@sha256:...`; without a name it is the digest of the image's configuration.
    pub(crate) fn image_digest(&self) -> Option<&'a str> {
        let (_, digest) = self.registry()?.get("imageID")?.as_str()?.rsplit_once('@')?;
        let hex = digest.strip_prefix("sha256:")?;
        (hex.len() == 64 && hex.bytes().all(|byte| byte.is_ascii_hexdigit())).then_some(digest)
    }
}

/// The pods that are not ready, those that are being deleted last.
pub(crate) fn not_ready<'p, 'o, 'a>(pods: &'p [RegistryPod<'o, 'a>]) -> Vec<&'p RegistryPod<'o, 'a>> {
    let mut waiting = Vec::new();
    for is_being_deleted in [false, true] {
        waiting.extend(pods.iter().filter(|pod| {
            pod.is_being_deleted() == is_being_deleted && (is_being_deleted || !pod.is_ready())
        }));
    }
    waiting
}
