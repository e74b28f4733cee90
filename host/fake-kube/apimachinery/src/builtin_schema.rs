//! Schemas of the built-in kinds.
//!
//! They are made from the types of `k8s-openapi` and from the list keys that a real API server
//! publishes (`data/list-map-keys.json`), which the types lack.

use crate::schema::{self, Schema, TimePrecision};
use k8s_openapi::api::admissionregistration::v1 as admissionregistration_v1;
use k8s_openapi::api::apps::v1 as apps_v1;
use k8s_openapi::api::authentication::v1 as authentication_v1;
use k8s_openapi::api::authorization::v1 as authorization_v1;
use k8s_openapi::api::autoscaling::v1 as autoscaling_v1;
use k8s_openapi::api::autoscaling::v2 as autoscaling_v2;
use k8s_openapi::api::batch::v1 as batch_v1;
use k8s_openapi::api::coordination::v1 as coordination_v1;
use k8s_openapi::api::core::v1 as core_v1;
use k8s_openapi::api::discovery::v1 as discovery_v1;
use k8s_openapi::api::events::v1 as events_v1;
use k8s_openapi::api::networking::v1 as networking_v1;
use k8s_openapi::api::policy::v1 as policy_v1;
use k8s_openapi::api::rbac::v1 as rbac_v1;
use k8s_openapi::api::scheduling::v1 as scheduling_v1;
use k8s_openapi::api::storage::v1 as storage_v1;
use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1 as apiextensions_v1;
use schemars::{JsonSchema, SchemaGenerator};
use serde_json::{Map, Value};
use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, LazyLock, Mutex, PoisonError};

/// Definitions of all built-in types.
struct Definitions {
    /// OpenAPI schemas by the name of the type, for example `io.k8s.api.apps.v1.StatefulSet`.
    types: Map<String, Value>,
    /// Names of types by group, version and kind.
    kinds: BTreeMap<(&'static str, &'static str, &'static str), String>,
}

/// Prefix of definition names in published OpenAPI documents; the data file leaves it out.
const PREFIX: &str = "io.k8s.";

static LIST_KEYS: LazyLock<Map<String, Value>> = LazyLock::new(|| {
    // The file belongs to this crate, and a test checks that it is JSON.
    serde_json::from_str(include_str!("../data/list-map-keys.json")).unwrap_or_default()
});

static DEFINITIONS: LazyLock<Definitions> = LazyLock::new(|| {
    let mut generator = schemars::generate::SchemaSettings::openapi3().into_generator();
    let mut kinds = BTreeMap::new();
    register_all(&mut generator, &mut kinds);
    let mut types = Map::new();
    for (name, definition) in generator.take_definitions(false) {
        types.insert(name.clone(), overlay(&name, definition));
    }
    Definitions { types, kinds }
});

/// The schema of a built-in kind, or `None` when it is not known here.
pub fn schema(group: &str, version: &str, kind: &str) -> Option<Arc<Schema>> {
    static CACHE: LazyLock<Mutex<HashMap<String, Arc<Schema>>>> = LazyLock::new(Mutex::default);
    let definitions = &*DEFINITIONS;
    let name = definition_name(group, version, kind)?;
    let mut cache = CACHE.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(known) = cache.get(name) {
        return Some(known.clone());
    }
    let schema = Arc::new(resolve(&definitions.types, name, &mut Vec::new()));
    cache.insert(name.to_owned(), schema.clone());
    Some(schema)
}

/// The schema of `metadata`, which custom resources share.
pub fn object_meta() -> Arc<Schema> {
    static META: LazyLock<Arc<Schema>> = LazyLock::new(|| {
        let name = "io.k8s.apimachinery.pkg.apis.meta.v1.ObjectMeta";
        Arc::new(resolve(&DEFINITIONS.types, name, &mut Vec::new()))
    });
    META.clone()
}

/// Name of the definition of a kind in OpenAPI documents.
pub fn definition_name(group: &str, version: &str, kind: &str) -> Option<&'static str> {
    let kinds = &DEFINITIONS.kinds;
    kinds
        .iter()
        .find(|((g, v, k), _)| *g == group && *v == version && *k == kind)
        .map(|(_, name)| name.as_str())
}

/// All definitions, for OpenAPI documents.
pub fn definitions() -> &'static Map<String, Value> {
    &DEFINITIONS.types
}

fn resolve(types: &Map<String, Value>, name: &str, open: &mut Vec<String>) -> Schema {
    // JSONSchemaProps (in CRDs) refers to itself. The inner occurrence accepts everything.
    if open.iter().any(|open| open == name) {
        return Schema::any();
    }
    let Some(definition) = types.get(name) else { return Schema::any() };
    open.push(name.to_owned());
    let read = schema::read(definition, "", &mut |reference| {
        Some(resolve(types, reference.trim_start_matches(REFERENCE), open))
    });
    open.pop();
    let mut schema = read.unwrap_or_else(|_| Schema::any());
    if name.ends_with(".FieldsV1") || name.ends_with(".JSON") || name.ends_with(".RawExtension") {
        schema.preserve_unknown = true;
    }
    // The names distinguish the two time types; their schemas are equal.
    if name.ends_with(".meta.v1.Time") {
        schema.time = Some(TimePrecision::Seconds);
    } else if name.ends_with(".meta.v1.MicroTime") {
        schema.time = Some(TimePrecision::Microseconds);
    }
    schema
}

const REFERENCE: &str = "#/components/schemas/";

/// Adds what the published types lack: list keys, patch strategies, atomic maps.
fn overlay(name: &str, mut definition: Value) -> Value {
    if let Some(Value::Object(extra)) = LIST_KEYS.get(name.trim_start_matches(PREFIX)) {
        for (field, attributes) in extra {
            let target = if field == "." {
                Some(&mut definition)
            } else {
                definition.get_mut("properties").and_then(|properties| properties.get_mut(field))
            };
            if let (Some(Value::Object(target)), Value::Object(attributes)) = (target, attributes) {
                for (attribute, value) in attributes {
                    target.insert(format!("x-kubernetes-{attribute}"), value.clone());
                }
            }
        }
    }
    definition
}

macro_rules! kinds {
    ($($group:literal $version:literal: $module:ident { $($kind:ident),+ $(,)? })+) => {
        fn register_all(
            generator: &mut SchemaGenerator,
            kinds: &mut BTreeMap<(&'static str, &'static str, &'static str), String>,
        ) {
            $($(
                let _ = generator.subschema_for::<$module::$kind>();
                let name = <$module::$kind as JsonSchema>::schema_name().into_owned();
                kinds.insert(($group, $version, stringify!($kind)), name);
            )+)+
        }
    };
}

kinds! {
    "" "v1": core_v1 {
        ConfigMap, Endpoints, Event, LimitRange, Namespace, Node, PersistentVolume, PersistentVolumeClaim, Pod,
        PodTemplate, ReplicationController, ResourceQuota, Secret, Service, ServiceAccount, Binding,
    }
    "apps" "v1": apps_v1 { ControllerRevision, DaemonSet, Deployment, ReplicaSet, StatefulSet }
    "batch" "v1": batch_v1 { CronJob, Job }
    "autoscaling" "v1": autoscaling_v1 { Scale, HorizontalPodAutoscaler }
    "autoscaling" "v2": autoscaling_v2 { HorizontalPodAutoscaler }
    "coordination.k8s.io" "v1": coordination_v1 { Lease }
    "discovery.k8s.io" "v1": discovery_v1 { EndpointSlice }
    "events.k8s.io" "v1": events_v1 { Event }
    "networking.k8s.io" "v1": networking_v1 { Ingress, IngressClass, NetworkPolicy }
    "policy" "v1": policy_v1 { PodDisruptionBudget, Eviction }
    "rbac.authorization.k8s.io" "v1": rbac_v1 { ClusterRole, ClusterRoleBinding, Role, RoleBinding }
    "scheduling.k8s.io" "v1": scheduling_v1 { PriorityClass }
    "storage.k8s.io" "v1": storage_v1 { StorageClass }
    "admissionregistration.k8s.io" "v1": admissionregistration_v1 {
        MutatingWebhookConfiguration, ValidatingWebhookConfiguration,
    }
    "authentication.k8s.io" "v1": authentication_v1 { SelfSubjectReview, TokenReview }
    "authorization.k8s.io" "v1": authorization_v1 {
        SelfSubjectAccessReview, SelfSubjectRulesReview, SubjectAccessReview, LocalSubjectAccessReview,
    }
    "apiextensions.k8s.io" "v1": apiextensions_v1 { CustomResourceDefinition }
}

#[cfg(test)]
mod tests {
    use super::{LIST_KEYS, object_meta, schema};
    use crate::schema::{ListType, TimePrecision, Type};

    #[test]
    fn list_keys_are_read() {
        assert!(LIST_KEYS.len() > 90);
    }

    #[test]
    fn a_stateful_set_has_keyed_containers() {
        let set = schema("apps", "v1", "StatefulSet").expect("known");
        let pod = &set.properties["spec"].properties["template"].properties["spec"];
        let containers = &pod.properties["containers"];
        assert_eq!(containers.list_type, ListType::Map(vec!["name".to_owned()]));
        let container = containers.items.as_ref().expect("items");
        assert!(matches!(container.properties["ports"].list_type, ListType::Map(_)));
        assert_eq!(container.properties["image"].kind, Type::String);
        assert!(set.properties["spec"].properties["selector"].atomic_map);
        assert!(
            container.properties["resources"].properties["requests"]
                .additional
                .as_ref()
                .expect("a map")
                .int_or_string
        );
    }

    #[test]
    fn time_types_differ_in_their_precision() {
        assert_eq!(object_meta().properties["creationTimestamp"].time, Some(TimePrecision::Seconds));
        let lease = schema("coordination.k8s.io", "v1", "Lease").expect("known");
        let renewed = &lease.properties["spec"].properties["renewTime"];
        assert_eq!(renewed.time, Some(TimePrecision::Microseconds));
    }

    #[test]
    fn recursive_types_end() {
        assert_eq!(object_meta().properties["finalizers"].list_type, ListType::Set);
        assert!(schema("apiextensions.k8s.io", "v1", "CustomResourceDefinition").is_some());
        assert!(schema("lab.example.com", "v1", "Thing").is_none());
    }
}
