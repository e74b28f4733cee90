//! The admission of a write.

use fake_kube_apimachinery::managed_fields;
use fake_kube_apimachinery::status::ApiError;
use serde_json::{Map, Value};

use super::{Write, metadata};
use crate::admission::{Attributes, Operation, Phase, Request, User, Versioned};
use crate::cluster::Cluster;

/// The operation and its object.
#[derive(Clone, Copy, Debug)]
pub(super) struct Subject<'a> {
    /// The operation.
    pub operation: Operation,
    /// The object's name; empty while it is not generated, and when a collection is deleted.
    pub name: &'a str,
    /// The stored object; `None` for a creation.
    pub old: Option<&'a Value>,
}

impl Write {
    /// Mutating admission of the object, or of the body of an action.
    ///
    /// No manager comes to own the changes: as in the API server, managers are tracked before
    /// admission.
    pub(super) async fn mutate(
        &mut self,
        cluster: &Cluster,
        subject: &Subject<'_>,
        object: Option<Value>,
    ) -> Result<Option<Value>, ApiError> {
        let has_plugin = cluster.admission.watches(&self.kind.group, &self.kind.plural);
        if self.exempt || (!has_plugin && !self.has_webhooks(cluster, Phase::Mutating)) {
            return Ok(object);
        }
        let managers = object.as_ref().and_then(|object| object.pointer("/metadata/managedFields")).cloned();
        let mut attributes = self.attributes(subject, object);
        if has_plugin {
            let admitted = cluster.admission.admit(attributes.request.clone()).await?;
            self.warnings.extend(admitted.warnings);
            if admitted.object.is_some() && attributes.request.object.is_some() {
                attributes.request.object = admitted.object;
            }
        }
        cluster.webhooks.mutate(&cluster.state, &mut attributes, &mut self.warnings).await?;
        let mut object = attributes.request.object;
        if let Some(object) = object.as_mut() {
            self.restore_managers(object, managers);
        }
        Ok(object)
    }

    /// Validating admission of the object as it will be stored.
    pub(super) async fn validate(
        &mut self,
        cluster: &Cluster,
        subject: &Subject<'_>,
        object: Option<&Value>,
    ) -> Result<(), ApiError> {
        if self.exempt || !self.has_webhooks(cluster, Phase::Validating) {
            return Ok(());
        }
        let attributes = self.attributes(subject, object.cloned());
        cluster.webhooks.validate(&cluster.state, &attributes, &mut self.warnings).await
    }

    fn has_webhooks(&self, cluster: &Cluster, phase: Phase) -> bool {
        !cluster.webhooks.of(&cluster.state, phase, &self.kind).is_empty()
    }

    fn attributes(&self, subject: &Subject<'_>, object: Option<Value>) -> Attributes {
        let kind = &self.kind;
        let versioned = |(group, version, name): (&str, &str, &str)| Versioned {
            group: group.to_owned(),
            version: version.to_owned(),
            name: name.to_owned(),
        };
        let request = Request {
            operation: subject.operation,
            kind: versioned(kind.body(self.subresource.as_deref())),
            resource: versioned((&kind.group, &kind.version, &kind.plural)),
            subresource: self.subresource.clone(),
            namespace: self.namespace_of(subject.name),
            name: subject.name.to_owned(),
            object,
            old_object: subject.old.cloned(),
            options: self.options_of(subject.operation),
            dry_run: self.dry_run,
            user: User::default(),
        };
        Attributes { request, kind: kind.clone(), deadline: self.deadline }
    }

    /// The namespace of the request; that of a request about a namespace is the namespace itself.
    fn namespace_of(&self, name: &str) -> Option<String> {
        if self.kind.is("", "namespaces") && !name.is_empty() {
            return Some(name.to_owned());
        }
        self.namespace.clone()
    }

    /// The options of the operation. Those of a PATCH are shown as `UpdateOptions` or
    /// `CreateOptions`.
    fn options_of(&self, operation: Operation) -> Value {
        let kind = match operation {
            Operation::Create | Operation::Connect => "CreateOptions",
            Operation::Update => "UpdateOptions",
            Operation::Delete => "DeleteOptions",
        };
        let mut options: Map<String, Value> = self.options.clone();
        options.insert("kind".into(), kind.into());
        options.insert("apiVersion".into(), "meta.k8s.io/v1".into());
        Value::Object(options)
    }

    /// Resets managed fields that admission has made invalid.
    fn restore_managers(&mut self, object: &mut Value, before: Option<Value>) {
        let Err(why) = managed_fields::check(object) else { return };
        if let Some(fields) = metadata::of(object) {
            match before {
                Some(before) => fields.insert("managedFields".into(), before),
                None => fields.remove("managedFields"),
            };
        }
        self.warnings.push(format!(
            ".metadata.managedFields was in an invalid state after admission; this could be caused by an outdated \
             mutating admission controller; please fix your requests: {why}"
        ));
    }
}
