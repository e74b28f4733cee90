//! Parts that the pods of registries and of work on them have in common. Both satisfy Pod Security
//! `restricted`.

use crate::json::Json;
use crate::kubernetes::variable;
use std::borrow::Cow;

/// User and group: `nonroot` of distroless images.
const NON_ROOT_ID: i64 = 65_532;

/// The security context of a pod. `owns_volumes` says whether its volumes get its group.
pub(super) fn pod_security<'a>(owns_volumes: bool) -> Json<'a> {
    Json::object([
        ("fsGroup", owns_volumes.then(|| NON_ROOT_ID.into())),
        ("fsGroupChangePolicy", owns_volumes.then(|| "OnRootMismatch".into())),
        ("runAsGroup", Some(NON_ROOT_ID.into())),
        ("runAsNonRoot", Some(true.into())),
        ("runAsUser", Some(NON_ROOT_ID.into())),
        ("seccompProfile", Some(Json::object([("type", Some("RuntimeDefault".into()))]))),
    ])
}

/// The security context of a container.
pub(super) fn container_security<'a>() -> Json<'a> {
    Json::object([
        ("allowPrivilegeEscalation", Some(false.into())),
        ("capabilities", Some(Json::object([("drop", Some(Json::Array(vec!["ALL".into()])))]))),
        ("readOnlyRootFilesystem", Some(true.into())),
    ])
}

/// Requests that spread pods over nodes. There are no limits, since the need depends on the use.
pub(super) fn default_resources<'a>() -> Json<'a> {
    Json::object([(
        "requests",
        Some(Json::object([("cpu", Some("50m".into())), ("memory", Some("64Mi".into()))])),
    )])
}

/// A variable with the value of a key of a Secret.
pub(super) fn variable_from_secret<'a>(
    name: &'static str,
    secret: impl Into<Cow<'a, str>>,
    key: &'static str,
) -> Json<'a> {
    let reference = Json::object([("key", Some(key.into())), ("name", Some(secret.into().into()))]);
    let source = Json::object([("secretKeyRef", Some(reference))]);
    Json::object([("name", Some(name.into())), ("valueFrom", Some(source))])
}

/// A variable with a value that Kubernetes has nothing to expand in.
pub(super) fn literal<'a>(name: &'static str, value: impl Into<Json<'a>>) -> Json<'a> {
    variable(name, value.into())
}

/// A volume with some keys of a Secret, as files that are replaced when the Secret changes.
pub(super) fn secret_volume<'a>(
    name: &'static str,
    secret: Cow<'a, str>,
    keys: &[&'static str],
    mode: Option<i64>,
) -> Json<'a> {
    let item =
        |key: &&'static str| Json::object([("key", Some((*key).into())), ("path", Some((*key).into()))]);
    let source = Json::object([
        ("defaultMode", mode.map(Json::from)),
        ("items", Some(Json::Array(keys.iter().map(item).collect()))),
        ("secretName", Some(secret.into())),
    ]);
    Json::object([("name", Some(name.into())), ("secret", Some(source))])
}

/// A mount whose files cannot be written.
pub(super) fn read_only_mount<'a>(volume: &'static str, directory: &'static str) -> Json<'a> {
    Json::object([
        ("mountPath", Some(directory.into())),
        ("name", Some(volume.into())),
        ("readOnly", Some(true.into())),
    ])
}
