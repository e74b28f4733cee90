//! One object, looked up through the host; and why there is none.
//!
//! The host gives errors as text alone. The texts are those of policy-evaluator
//! (`runtimes/callback.rs`, `callback_handler/kubernetes/client.rs`).

use orascache_contract::ObjectRef;
use serde_json::json;

/// Calls of the Kubewarden host (docs.kubewarden.io, "Host capabilities"), whose waPC binding is
/// `kubewarden`.
pub trait Host {
    /// One call; payload and answer are JSON.
    ///
    /// # Errors
    /// What the host says: that the policy may not ask, that there is no such object, or why it has
    /// no answer.
    fn call(&self, namespace: &str, operation: &str, payload: &str) -> Result<Vec<u8>, String>;
}

/// Why an object could not be looked up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Obstacle {
    /// The policy may not make this host call at all.
    NoCapability,
    /// The policy may not read this kind.
    NoAccessToKind,
    /// The policy server may not read this kind.
    Forbidden,
    /// The API server gave an error, or no answer.
    NoAnswer,
}

/// What was found.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Found {
    /// The object, JSON text.
    Object(String),
    /// There is none of this name.
    Missing,
    /// The cluster does not know this kind.
    UnknownKind,
}

/// Looks up an object: first in what the host remembers for some seconds, where that is allowed, and
/// then, if it is not there or is being deleted, in the API itself. The host may not have an object
/// yet that was just created.
///
/// # Errors
/// Why there is no answer, and the host's words.
pub(crate) fn look_up(
    reference: &ObjectRef,
    may_be_remembered: bool,
    host: &impl Host,
) -> Result<Found, (Obstacle, String)> {
    if may_be_remembered {
        match read(reference, false, host)? {
            Found::Object(object) if !object.contains("\"deletionTimestamp\"") => {
                return Ok(Found::Object(object));
            }
            Found::UnknownKind => return Ok(Found::UnknownKind),
            // A deleted object may have been replaced by another one of its name.
            Found::Object(_) | Found::Missing => {}
        }
    }
    read(reference, true, host)
}

fn read(reference: &ObjectRef, disable_cache: bool, host: &impl Host) -> Result<Found, (Obstacle, String)> {
    let request = json!({
        "api_version": reference.kind.api_version, "kind": reference.kind.kind, "name": reference.name,
        "namespace": reference.namespace, "disable_cache": disable_cache,
    });
    match host.call("kubernetes", "get_resource", &request.to_string()) {
        Ok(object) => String::from_utf8(object)
            .map(Found::Object)
            .map_err(|_| (Obstacle::NoAnswer, "the host's answer is not UTF-8".to_owned())),
        Err(error) => classified(error, &reference.name),
    }
}

fn classified(error: String, name: &str) -> Result<Found, (Obstacle, String)> {
    let has = |text: &str| error.contains(text);
    if has("Cannot find ") && has(&format!(" named '{name}'")) {
        return Ok(Found::Missing);
    }
    // Discovery: the group has no such kind, or the cluster has no such group.
    if has("Cannot find resource ") || (has("error finding resource ") && has("404")) {
        return Ok(Found::UnknownKind);
    }
    let obstacle = if has("host capability") {
        Obstacle::NoCapability
    } else if has("has not been granted access to Kubernetes") {
        Obstacle::NoAccessToKind
    } else if has("is forbidden") || has("Forbidden") || has("Unauthorized") {
        Obstacle::Forbidden
    } else {
        Obstacle::NoAnswer
    };
    Err((obstacle, error))
}

impl Obstacle {
    /// What is in the way, and what to do about it.
    pub(crate) fn advice(self, kind: &str) -> String {
        match self {
            Self::NoCapability => {
                "the policy has no host capability kubernetes/get_resource: add it to what the policy server allows this policy".to_owned()
            }
            Self::NoAccessToKind => format!(
                "the policy may not read objects of kind {kind}: list it under contextAwareResources of a ClusterAdmissionPolicy, since a namespaced policy reads nothing"
            ),
            Self::Forbidden => format!(
                "the policy server may not read objects of kind {kind}: allow its ServiceAccount to get them (manifests/kubewarden/rights.yaml)"
            ),
            Self::NoAnswer => "the API server gave no answer: try again".to_owned(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Found, Obstacle, classified};

    #[test]
    fn the_hosts_words_are_understood() {
        let of = |error: &str| classified(error.to_owned(), "demo").map_err(|(obstacle, _)| obstacle);
        assert_eq!(
            of(
                "Callback evaluation failure: Cannot find g/v1/OrasCache named 'demo' inside of namespace 'Some(\"lab\")'"
            ),
            Ok(Found::Missing)
        );
        for unknown in [
            "Callback evaluation failure: Cannot find resource g/v1/OrasCache",
            "Callback evaluation failure: error finding resource g/v1 / OrasCache: ApiError: \"404 page not found\\n\": Failed to parse error data (Status { code: 404 })",
        ] {
            assert_eq!(of(unknown), Ok(Found::UnknownKind), "{unknown}");
        }
        for (error, wanted) in [
            (
                "Policy has not been granted access to the 'kubernetes/get_resource' host capability. The violation has been reported.",
                Obstacle::NoCapability,
            ),
            (
                "Policy has not been granted access to Kubernetes g/v1/OrasCache resources. The violation has been reported.",
                Obstacle::NoAccessToKind,
            ),
            (
                "Callback evaluation failure: ApiError: orascaches.g \"demo\" is forbidden: User \"system:serviceaccount:kubewarden:policy-server\" cannot get resource: Forbidden (Status { code: 403 })",
                Obstacle::Forbidden,
            ),
            (
                "Callback evaluation failure: ApiError: Internal error occurred: etcdserver: request timed out: InternalError (Status { code: 500 })",
                Obstacle::NoAnswer,
            ),
            (
                "Callback evaluation failure: error finding resource g/v1 / OrasCache: HyperError: connection refused",
                Obstacle::NoAnswer,
            ),
            ("Callback evaluation failure: kube::Client was not initialized properly", Obstacle::NoAnswer),
        ] {
            assert_eq!(of(error), Err(wanted), "{error}");
        }
    }
}
