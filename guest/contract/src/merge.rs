//! How server-side apply merges fields of the built-in kinds, by their names.
//!
//! The API server merges most objects member by member, and some lists item by item. Everything else
//! is *atomic*: one manager owns it as a whole, and a further member is a change of it. A guest that
//! compares what it wants with what is observed has to know which is which. The OpenAPI documents of
//! the API server say it with `x-kubernetes-list-map-keys` and `x-kubernetes-map-type`.
//!
//! ```
//! use orascache_contract::merge;
//!
//! assert_eq!(merge::item_keys("volumeMounts"), ["mountPath"]);
//! assert!(merge::item_keys("tolerations").is_empty(), "an atomic list");
//! assert!(merge::is_atomic_map("podSelector"));
//! ```

/// Members by which the items of a list are told apart: the first one that an item has. Empty for
/// atomic lists. `field` is the name of the field that holds the list.
pub fn item_keys(field: &str) -> &'static [&'static str] {
    match field {
        "claims"
        | "containers"
        | "env"
        | "ephemeralContainers"
        | "imagePullSecrets"
        | "initContainers"
        | "matchConditions"
        | "resourceClaims"
        | "schedulingGates"
        | "volumes"
        | "webhooks" => &["name"],
        "conditions" => &["type"],
        "hostAliases" => &["ip"],
        "ownerReferences" => &["uid"],
        // Names are unique, and optional where there is one port.
        "ports" => &["name", "containerPort", "port"],
        "volumeDevices" => &["devicePath"],
        "volumeMounts" => &["mountPath"],
        _ => &[],
    }
}

/// Whether an object in a field of this name is atomic: a selector, or a reference to a key. A
/// selector with one more label selects other objects.
pub fn is_atomic_map(field: &str) -> bool {
    matches!(
        field,
        "configMapKeyRef"
            | "labelSelector"
            | "namespaceSelector"
            | "nodeSelector"
            | "objectSelector"
            | "podSelector"
            | "secretKeyRef"
            | "selector"
    )
}
