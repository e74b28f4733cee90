//! Requests and limits of the containers that are added to a pod.

use super::pod::{Container, Pod};
use crate::json::Json;
use crate::settings::{Amounts, ProxyResources, Resources};

/// The members of `resources` that matter here.
const KINDS: [&str; 2] = ["requests", "limits"];
const CPU: &str = "cpu";
const MEMORY: &str = "memory";
const STORAGE: &str = "ephemeral-storage";

/// Local storage of the credential proxy.
const PROXY_STORAGE: &str = "64Mi";

/// Resources of the install container in a pod whose step container has none.
const INSTALL_DEFAULTS: Resources<'_> = Resources {
    requests: Amounts { cpu: "10m", memory: "32Mi" },
    limits: Amounts { cpu: "500m", memory: "64Mi" },
};

/// Requests or limits. Members that are `None` are left out.
#[derive(Default)]
struct Quantities<'a> {
    cpu: Option<Json<'a>>,
    memory: Option<Json<'a>>,
    storage: Option<Json<'a>>,
}

impl<'a> Quantities<'a> {
    fn is_empty(&self) -> bool {
        self.cpu.is_none() && self.memory.is_none() && self.storage.is_none()
    }

    fn into_json(self) -> Option<Json<'a>> {
        let is_empty = self.is_empty();
        let json = Json::object([(CPU, self.cpu), (MEMORY, self.memory), (STORAGE, self.storage)]);
        (!is_empty).then_some(json)
    }
}

impl<'a> From<Amounts<'a>> for Quantities<'a> {
    fn from(amounts: Amounts<'a>) -> Self {
        Quantities { cpu: Some(amounts.cpu.into()), memory: Some(amounts.memory.into()), storage: None }
    }
}

/// `resources` of the install container: the same as those of the step container. The install
/// container ends before the step container starts, so that its requests add nothing to the pod's.
/// Quotas and limit ranges that admit the step container admit it too.
pub(crate) fn of_install<'a>(pod: &Pod<'a>, container: &Container<'a>) -> Option<Json<'a>> {
    let copied = KINDS.map(|kind| {
        let copy = |name| container.resource(kind, name).cloned();
        Quantities { cpu: copy(CPU), memory: copy(MEMORY), storage: copy(STORAGE) }
    });
    resources(pod, copied, INSTALL_DEFAULTS)
}

/// `resources` of the credential proxy. The proxy has a request or a limit for each resource for
/// which the step container has one, so that quotas admit the pod. The amounts are small, because
/// they add to the pod's.
///
/// Local storage is limited only where every container limits it: the kubelet takes the sum of all
/// limits for the limit of the whole pod, and a limit of the proxy alone would evict the pod.
pub(crate) fn of_proxy<'a>(
    pod: &Pod<'a>,
    container: &Container<'a>,
    proxy: &ProxyResources<'a>,
) -> Option<Json<'a>> {
    let wanted = proxy.resources(is_guaranteed(pod));
    let [requests, limits] = KINDS;
    let small = [(requests, wanted.requests), (limits, wanted.limits)].map(|(kind, amounts)| {
        let has = |name| container.resource(kind, name).is_some();
        let all_have_storage = pod.all_containers().all(|other| other.resource(kind, STORAGE).is_some());
        Quantities {
            cpu: has(CPU).then_some(amounts.cpu.into()),
            memory: has(MEMORY).then_some(amounts.memory.into()),
            storage: (has(STORAGE) && all_have_storage).then_some(PROXY_STORAGE.into()),
        }
    });
    resources(pod, small, wanted)
}

/// Requests and limits as the member `resources`. A pod with pod-level resources already bounds all
/// its containers, so that nothing is added there. Where no quantity is given, the defaults count.
fn resources<'a>(
    pod: &Pod<'_>,
    quantities: [Quantities<'a>; 2],
    defaults: Resources<'a>,
) -> Option<Json<'a>> {
    if pod.spec.member("resources").is_some() {
        return None;
    }
    let is_unbounded = quantities.iter().all(Quantities::is_empty);
    let [requests, limits] =
        if is_unbounded { [defaults.requests.into(), defaults.limits.into()] } else { quantities };
    let [requests_name, limits_name] = KINDS;
    Some(Json::object([(requests_name, requests.into_json()), (limits_name, limits.into_json())]))
}

/// Whether the pod has the quality of service Guaranteed, which it must not lose
/// (kubernetes.io/docs/concepts/workloads/pods/pod-qos).
fn is_guaranteed(pod: &Pod<'_>) -> bool {
    pod.all_containers().all(|container| {
        [CPU, MEMORY].into_iter().all(|name| {
            let limit = container.resource("limits", name);
            let request = container.resource("requests", name);
            limit.is_some() && (request.is_none() || request == limit)
        })
    })
}
