//! What the API server says of a cache before it asks a webhook: the rules of the CRD.

use anyhow::Context;
use fake_kube::apimachinery::status::{ApiError, ResourceName};
use fake_kube::apimachinery::validation::Validator;
use fake_kube::apimachinery::{defaulting, unknown_fields};
use fake_kube::builtins::validate_metadata;
use kube::{CustomResourceExt, Resource};
use orascache_api::orascache::OrasCache;
use orascache_contract::{Kind, Refusal};
use serde_json::Value;

/// The part of a generated name that the API server adds to `generateName`.
const GENERATED: &str = "xxxxx";

/// The definition of a kind.
pub(super) struct Definition {
    kind: Kind,
    validator: Validator,
}

/// Whether that kind is OrasCache, whose CRD is part of this program.
pub(super) fn is_cache(kind: &Kind) -> bool {
    kind.kind == OrasCache::kind(&()) && kind.api_version == OrasCache::api_version(&())
}

impl Definition {
    /// The definition of a kind, if it is part of this program. Components with other kinds bring
    /// no definition along.
    pub(super) fn of(kind: &Kind) -> anyhow::Result<Option<Self>> {
        if !is_cache(kind) {
            return Ok(None);
        }
        let versions = OrasCache::crd().spec.versions;
        let schema = versions.into_iter().find(|version| version.name == kind.version());
        let schema = schema.and_then(|version| version.schema?.open_api_v3_schema);
        let openapi = serde_json::to_value(schema).context("the schema of the CRD")?;
        let validator = Validator::from_openapi(&openapi).context("the schema of the CRD")?;
        Ok(Some(Self { kind: kind.clone(), validator }))
    }

    /// What the API server answers to the creation of an object that it refuses by the definition.
    pub(super) fn refuse(&self, object: &Value) -> Option<Refusal> {
        let mut object = object.clone();
        if let Some(members) = object.as_object_mut() {
            // What a client says of the status does not count.
            members.remove("status");
        }
        let unknown = unknown_fields::prune(self.validator.schema(), &mut object);
        defaulting::apply(self.validator.schema(), &mut object);
        let name = generate_name(&mut object);
        let mut causes = validate_metadata(self.kind.namespaced, &object);
        causes.extend(self.validator.validate(&object, None));

        let mut errors = Vec::new();
        if !unknown.is_empty() {
            let problems: Vec<String> = unknown.iter().map(|path| unknown_fields::problem(path)).collect();
            errors.push(unknown_fields::strict_error(&self.kind.kind, self.kind.version(), &problems));
        }
        if !causes.is_empty() {
            let resource = ResourceName { group: self.kind.group(), resource: &self.kind.kind };
            errors.push(ApiError::invalid(resource, &name, &causes));
        }
        let code = errors.first()?.code;
        let sentences: Vec<String> = errors.into_iter().map(|error| error.message).collect();
        Some(Refusal { code, message: sentences.join("; ") })
    }
}

/// The name of the object. One that asks for a generated name gets one, as before the API server
/// validates it.
pub(super) fn generate_name(object: &mut Value) -> String {
    let Some(metadata) = object.get_mut("metadata").and_then(Value::as_object_mut) else {
        return String::new();
    };
    let text = |field: &str| metadata.get(field).and_then(Value::as_str).unwrap_or_default().to_owned();
    let (name, prefix) = (text("name"), text("generateName"));
    if !name.is_empty() || prefix.is_empty() {
        return name;
    }
    let name = format!("{prefix}{GENERATED}");
    metadata.insert("name".to_owned(), name.clone().into());
    name
}
