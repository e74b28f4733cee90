//! Requests to the API server, and what their errors mean.

use crate::concurrency::Concurrency;
use crate::decoded::Decoded;
use crate::object::Key;
use kube::core::ApiResource;
use kube::{Api, Client, Resource};
use orascache_contract::{Failure, FailureReason, Kind, ObjectRef, Verb};
use prometheus_client::metrics::gauge::Gauge;
use std::sync::Arc;

/// A client whose writes wait while too many of them are under way. Clones count together.
#[derive(Clone)]
pub(crate) struct Writer {
    client: Client,
    concurrency: Arc<Concurrency>,
}

impl Writer {
    /// At most that many writes are ever under way at the same time. `limit` shows how many may be
    /// now.
    pub(crate) fn new(client: Client, most: usize, limit: Gauge) -> Self {
        Self { client, concurrency: Arc::new(Concurrency::new(most, limit)) }
    }

    /// The client for everything but writes.
    pub(crate) fn client(&self) -> &Client {
        &self.client
    }

    /// Sends a write when its turn has come.
    pub(crate) async fn write<T>(
        &self,
        write: impl Future<Output = Result<T, kube::Error>>,
    ) -> Result<T, kube::Error> {
        let under_way = self.concurrency.begin().await;
        let answer = write.await;
        under_way.end(answer.as_ref().is_err_and(is_overload));
        answer
    }
}

/// Whether the API server has too much to do, as far as an error tells, or gave no answer.
fn is_overload(error: &kube::Error) -> bool {
    match error {
        kube::Error::Api(status) => matches!(status.code, 429 | 503 | 504),
        kube::Error::HyperError(_) | kube::Error::Service(_) => true,
        _ => false,
    }
}

/// A kind as `kube` describes it.
pub(crate) fn api_resource(kind: &Kind) -> ApiResource {
    ApiResource {
        group: kind.group().to_owned(),
        version: kind.version().to_owned(),
        api_version: kind.api_version.to_string(),
        kind: kind.kind.to_string(),
        plural: kind.plural.to_string(),
    }
}

/// The API of one kind in one namespace.
pub(crate) fn api(client: &Client, kind: &Kind, namespace: &str) -> Api<Decoded> {
    let resource = api_resource(kind);
    if kind.namespaced {
        Api::namespaced_with(client.clone(), namespace, &resource)
    } else {
        Api::all_with(client.clone(), &resource)
    }
}

/// Creates an object, JSON text. Unknown fields are an error, as they are for server-side apply.
pub(crate) async fn create(
    client: &Writer,
    kind: &Kind,
    namespace: &str,
    field_manager: &str,
    object: String,
) -> Result<Decoded, kube::Error> {
    let path = path(kind, namespace);
    let query = format!("fieldManager={}&fieldValidation=Strict", encoded(field_manager));
    send(client, http::Request::post(format!("{path}?{query}")), "application/json", object).await
}

/// What of an object is applied.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Applied {
    Object,
    Status,
}

/// Applies a document, JSON text, by force.
pub(crate) async fn apply(
    client: &Writer,
    kind: &Kind,
    key: &Key,
    applied: Applied,
    field_manager: &str,
    document: String,
) -> Result<Decoded, kube::Error> {
    let subresource = match applied {
        Applied::Object => "",
        Applied::Status => "/status",
    };
    let path = path(kind, &key.namespace);
    let query = format!("fieldManager={}&force=true", encoded(field_manager));
    let uri = format!("{path}/{}{subresource}?{query}", key.name);
    send(client, http::Request::patch(uri), "application/apply-patch+yaml", document).await
}

/// Sends a JSON Merge Patch (RFC 7386).
pub(crate) async fn merge_patch(
    client: &Writer,
    kind: &Kind,
    key: &Key,
    field_manager: &str,
    patch: String,
) -> Result<Decoded, kube::Error> {
    let path = path(kind, &key.namespace);
    let uri = format!("{path}/{}?fieldManager={}", key.name, encoded(field_manager));
    send(client, http::Request::patch(uri), "application/merge-patch+json", patch).await
}

/// Sends a JSON Patch (RFC 6902).
pub(crate) async fn json_patch(
    client: &Writer,
    kind: &Kind,
    key: &Key,
    field_manager: &str,
    patch: Vec<u8>,
) -> Result<Decoded, kube::Error> {
    let path = path(kind, &key.namespace);
    let uri = format!("{path}/{}?fieldManager={}", key.name, encoded(field_manager));
    send(client, http::Request::patch(uri), "application/json-patch+json", patch).await
}

/// The path of the objects of a kind in one namespace.
fn path(kind: &Kind, namespace: &str) -> String {
    Decoded::url_path(&api_resource(kind), kind.namespaced.then_some(namespace))
}

async fn send(
    client: &Writer,
    request: http::request::Builder,
    content_type: &str,
    body: impl Into<Vec<u8>>,
) -> Result<Decoded, kube::Error> {
    let request = request
        .header(http::header::ACCEPT, "application/json")
        .header(http::header::CONTENT_TYPE, content_type)
        .body(body.into())
        .map_err(|error| kube::Error::BuildRequest(kube::core::request::Error::BuildRequest(error)))?;
    client.write(client.client.request(request)).await
}

/// A text in a query. Only characters that need no escape stay.
fn encoded(text: &str) -> String {
    let mut encoded = String::with_capacity(text.len());
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            encoded.push(char::from(byte));
        } else {
            encoded.push_str(&format!("%{byte:02X}"));
        }
    }
    encoded
}

/// Names the object of that kind and key, whatever its UID.
pub(crate) fn target(kind: &Kind, key: &Key) -> ObjectRef {
    ObjectRef {
        kind: kind.clone(),
        namespace: (!key.namespace.is_empty()).then(|| key.namespace.to_string()),
        name: key.name.to_string(),
        uid: None,
    }
}

/// Reason of a failure because the namespace is being deleted, and the word by which the API server
/// gives this cause of a 403.
const NAMESPACE_TERMINATING: &str = "NamespaceTerminating";

/// Whether the API server refuses new objects because the namespace is being deleted.
pub(crate) fn is_namespace_terminating(error: &kube::Error) -> bool {
    let kube::Error::Api(status) = error else { return false };
    let mut causes = status.details.iter().flat_map(|details| &details.causes);
    causes.any(|cause| cause.reason == NAMESPACE_TERMINATING)
}

/// Whether a write failed because the namespace is being deleted. That does not change any more.
pub(crate) fn is_final(failure: &Failure) -> bool {
    matches!(&failure.reason, FailureReason::Other(word) if word == NAMESPACE_TERMINATING)
}

/// A failure from an error of the client.
pub(crate) fn failure(target: ObjectRef, verb: Verb, error: &kube::Error) -> Failure {
    let (code, reason, message) = match error {
        kube::Error::Api(status) if is_namespace_terminating(error) => {
            (status.code, FailureReason::Other(NAMESPACE_TERMINATING.to_owned()), status.message.clone())
        }
        kube::Error::Api(status) => {
            (status.code, reason(status.code, &status.reason), status.message.clone())
        }
        other => (0, FailureReason::Unreachable, other.to_string()),
    };
    Failure { target, verb, code, reason, message }
}

/// The reason of a Status. Answers without one (of proxies, or for paths that the API server does
/// not serve) get a reason by their HTTP status.
fn reason(code: u16, reason: &str) -> FailureReason {
    let is_word = !reason.is_empty() && reason.chars().all(char::is_alphanumeric);
    match (is_word, code) {
        (true, _) => FailureReason::from_status(reason),
        (false, 403) => FailureReason::Forbidden,
        (false, 404) => FailureReason::NotFound,
        (false, 409) => FailureReason::Conflict,
        (false, 422) => FailureReason::Invalid,
        (false, 429) => FailureReason::TooManyRequests,
        (false, code) => FailureReason::Other(format!("HTTP{code}")),
    }
}

/// Whether an answer has one of these HTTP statuses.
pub(crate) fn has_code(error: &kube::Error, codes: &[u16]) -> bool {
    matches!(error, kube::Error::Api(status) if codes.contains(&status.code))
}

#[cfg(test)]
mod tests {
    use super::{encoded, reason};
    use orascache_contract::FailureReason;

    #[test]
    fn a_field_manager_is_escaped_in_queries() {
        assert_eq!(encoded("my manager/1"), "my%20manager%2F1");
    }

    #[test]
    fn answers_without_a_status_are_told_by_their_http_status() {
        assert_eq!(reason(404, "Failed to parse error data"), FailureReason::NotFound);
        assert_eq!(reason(502, ""), FailureReason::Other("HTTP502".to_owned()));
        assert_eq!(reason(409, "AlreadyExists"), FailureReason::Other("AlreadyExists".to_owned()));
        assert_eq!(reason(422, "Invalid"), FailureReason::Invalid);
    }
}
