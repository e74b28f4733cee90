//! The selection of a list or watch: namespace, labels and fields.

use fake_kube_apimachinery::selector::{FieldSelector, LabelSelector};
use fake_kube_apimachinery::status::ApiError;
use serde_json::Value;

use crate::catalogue::{Kind, Origin};
use crate::http::query::Query;
use crate::store::Object;

/// Namespace and selectors of a request.
#[derive(Clone, Debug, Default)]
pub struct Selection {
    /// Only this namespace.
    pub namespace: Option<String>,
    labels: LabelSelector,
    fields: FieldSelector,
    /// Whether fields other than name and namespace are selected, for which the body must be
    /// parsed.
    needs_body: bool,
}

impl Selection {
    /// Reads the selectors of a query.
    ///
    /// # Errors
    /// 400 for a malformed selector or a field that cannot be selected.
    pub fn read(kind: &Kind, namespace: Option<String>, query: &Query) -> Result<Self, ApiError> {
        let labels = query.get("labelSelector").map(LabelSelector::parse).transpose()?.unwrap_or_default();
        let fields = query.get("fieldSelector").map(FieldSelector::parse).transpose()?.unwrap_or_default();
        let mut needs_body = false;
        for field in fields.fields() {
            if !is_supported(kind, field) {
                return Err(ApiError::bad_request(format!(
                    "Unable to find {:?} that match label selector \"\", field selector {:?}: field label not supported: {field}",
                    kind.resource_name().qualified(),
                    query.get("fieldSelector").unwrap_or_default(),
                )));
            }
            needs_body |= !matches!(field, "metadata.name" | "metadata.namespace");
        }
        Ok(Self { namespace, labels, fields, needs_body })
    }

    /// Whether there is a label or field selector.
    pub fn has_selectors(&self) -> bool {
        !self.labels.is_empty() || !self.fields.is_empty()
    }

    /// Whether the object is selected.
    pub fn matches(&self, kind: &Kind, object: &Object) -> bool {
        if self.namespace.as_ref().is_some_and(|namespace| *namespace != object.key.namespace) {
            return false;
        }
        if !self.labels.is_empty() && !self.labels.matches(object.head()) {
            return false;
        }
        match (self.fields.is_empty(), self.needs_body) {
            (true, _) => true,
            (false, false) => self.fields.matches(object.head()),
            (false, true) => self.fields.matches(&with_derived_fields(kind.value(object))),
        }
    }
}

/// The object with the field `source` by which selectors find events: the name of the component.
fn with_derived_fields(mut object: Value) -> Value {
    if let Some(component) = object.pointer("/source/component").cloned()
        && let Some(map) = object.as_object_mut()
    {
        map.insert("source".into(), component);
    }
    object
}

fn is_supported(kind: &Kind, field: &str) -> bool {
    if matches!(field, "metadata.name" | "metadata.namespace") {
        return true;
    }
    let fields: &[&str] = match &kind.origin {
        Origin::Custom(custom) => return custom.selectable_fields.iter().any(|known| known == field),
        Origin::Builtin(_) => match (kind.group.as_str(), kind.plural.as_str()) {
            ("", "pods") => &[
                "spec.nodeName",
                "spec.restartPolicy",
                "spec.schedulerName",
                "spec.serviceAccountName",
                "spec.hostNetwork",
                "status.phase",
                "status.podIP",
                "status.nominatedNodeName",
            ],
            ("", "events") => &[
                "involvedObject.kind",
                "involvedObject.namespace",
                "involvedObject.name",
                "involvedObject.uid",
                "involvedObject.apiVersion",
                "involvedObject.resourceVersion",
                "involvedObject.fieldPath",
                "reason",
                "reportingComponent",
                "source",
                "type",
            ],
            ("events.k8s.io", "events") => &[
                "regarding.kind",
                "regarding.namespace",
                "regarding.name",
                "regarding.uid",
                "regarding.apiVersion",
                "regarding.resourceVersion",
                "regarding.fieldPath",
                "reason",
                "reportingController",
                "type",
            ],
            ("", "secrets") => &["type"],
            ("", "namespaces") => &["status.phase"],
            ("", "nodes") => &["spec.unschedulable"],
            ("", "services") => &["spec.clusterIP", "spec.type"],
            ("", "replicationcontrollers") | ("apps", "replicasets") => &["status.replicas"],
            ("batch", "jobs") => &["status.successful"],
            _ => &[],
        },
    };
    fields.contains(&field)
}
