//! Requests that were made, as what somebody needs a right for.

use deploy_manifests::access::AccessRequest;
use fake_kube::Request;

/// What this request needs. For the right to another verb on the same object, replace `verb`.
pub fn needed(request: &Request) -> AccessRequest<'_> {
    AccessRequest {
        verb: &request.verb,
        group: &request.group,
        resource: &request.resource,
        subresource: request.subresource.as_deref(),
        namespace: request.namespace.as_deref(),
        name: request.name.as_deref(),
        field_selector: request.field_selector.as_deref(),
    }
}
