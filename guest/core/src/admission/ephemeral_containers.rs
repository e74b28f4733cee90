//! Ephemeral containers that are added to a running pod whose step has credentials. They must not
//! get at the credentials, which the step itself cannot read.

use super::request::Request;
use super::size;
use super::step_container;
use crate::findings::Findings;
use crate::json::Json;
use orascache_api::steps::{CREDENTIALS_VOLUME, PROXY_CONTAINER};
use std::collections::BTreeSet;

/// Where they are, for messages.
const PATH: &str = "spec.ephemeralContainers";

/// Refuses new ephemeral containers that share the processes of the proxy, mount the credentials,
/// or could replace the agent. Those that the pod has already cannot change any more.
pub(crate) fn check(request: &Request<'_>, findings: &mut Findings) {
    let (Some(new), Some(old)) = (request.object, request.old_object) else { return };
    // The old pod: whoever adds a container can leave the volumes out of the request.
    if !items(old, "volumes").iter().any(|volume| volume.name() == Some(CREDENTIALS_VOLUME)) {
        return;
    }
    if size::refuse_too_large("pod", request, findings) {
        return;
    }
    let mut present = BTreeSet::new();
    present.extend(items(old, "ephemeralContainers").iter().filter_map(Json::name));
    let is_new = |container: &&Json<'_>| container.name().is_none_or(|name| !present.contains(name));
    for container in items(new, "ephemeralContainers").iter().filter(is_new) {
        if container.member("targetContainerName").and_then(Json::as_str) == Some(PROXY_CONTAINER) {
            let name = container.name().unwrap_or_default();
            findings.refuse(format!(
                "{PATH}: {name} has the targetContainerName {PROXY_CONTAINER}, so that it could read the credentials in the memory of that container: name another container, or none"
            ));
        }
        step_container::check_mounts_of(container, PATH, findings);
    }
}

fn items<'o>(pod: &'o Json<'o>, list: &str) -> &'o [Json<'o>] {
    pod.member("spec").map(|spec| spec.items(list)).unwrap_or_default()
}
