//! The request of an AdmissionReview (admission.k8s.io/v1).

use crate::fields::Fields;
use crate::json::Json;
use orascache_api::names::{GROUP, KIND};
use orascache_contract::Error;

/// What is done to the object.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Operation {
    Create,
    Update,
    Delete,
    /// Connections, about which nothing is decided.
    Other,
}

/// What kind of object it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Subject {
    Cache,
    Pod,
    Job,
    /// The subresource of a pod by which ephemeral containers are added. The object is the pod.
    EphemeralContainers,
    /// Any other kind, and all other subresources.
    Other,
}

/// The request, as far as decisions depend on it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Request<'a> {
    /// Bytes of the review's text, which bound how many values its objects have.
    pub(crate) length: usize,
    pub(crate) uid: &'a str,
    pub(crate) operation: Operation,
    pub(crate) subject: Subject,
    /// `default` where the request names none, as for kubectl.
    pub(crate) namespace: &'a str,
    pub(crate) object: Option<&'a Json<'a>>,
    pub(crate) old_object: Option<&'a Json<'a>>,
}

impl<'a> Request<'a> {
    /// Reads a review whose text has `length` bytes.
    pub(crate) fn read(review: &'a Json<'a>, length: usize) -> Result<Self, Error> {
        let request = Fields::root(review).object("request", "request")?.ok_or_else(|| {
            Error::invalid_input("this is not an AdmissionReview of admission.k8s.io/v1: request is missing")
        })?;
        let kind = request.object("kind", "request.kind")?;
        let of_kind = |name| kind.map_or(Ok(None), |kind| kind.text(name));
        let subresource = request.text("subResource")?.unwrap_or_default();
        let subject = match (of_kind("group")?.unwrap_or_default(), of_kind("kind")?.unwrap_or_default()) {
            ("", "Pod") if subresource == "ephemeralcontainers" => Subject::EphemeralContainers,
            _ if !subresource.is_empty() => Subject::Other,
            (GROUP, KIND) => Subject::Cache,
            ("", "Pod") => Subject::Pod,
            ("batch", "Job") => Subject::Job,
            _ => Subject::Other,
        };
        Ok(Request {
            length,
            uid: request.required_text("uid")?,
            operation: match request.text("operation")?.unwrap_or_default() {
                "CREATE" => Operation::Create,
                "UPDATE" => Operation::Update,
                "DELETE" => Operation::Delete,
                _ => Operation::Other,
            },
            subject,
            namespace: request.text("namespace")?.filter(|name| !name.is_empty()).unwrap_or("default"),
            object: request.member("object"),
            old_object: request.member("oldObject"),
        })
    }
}
