//! What the garbage collection of a distribution registry needs: the agent in front of the registry,
//! and the key with which retention asks it for a collection (`orascache-agent supervise-registry`).

use super::pod_parts::{container_security, default_resources, read_only_mount, secret_volume};
use super::task_access::Mounted;
use super::{Child, not_empty, selector_labels_of, zot};
use crate::json::Json;
use crate::kinds::SECRET;
use crate::primary::{Flavor, Metadata, Primary};
use orascache_api::names::COLLECTION_PORT;
use orascache_api::steps::{AGENT_DIRECTORY, AGENT_PATH, AGENT_PROGRAM, AGENT_VOLUME, INSTALL_CONTAINER};
use orascache_contract::{Generated, RandomKey, Recipe};
use std::borrow::Cow;

/// Name of the port, of the volume with the key, and the end of the name of its Secret.
pub(super) const NAME: &str = "collection";
/// The key in that Secret, and the name of its file.
const KEY: &str = "key";
/// Directory of that file.
const DIRECTORY: &str = "/etc/orascache/collection";
/// Bytes of the key: as many as the output of SHA-256 (RFC 2104, section 3).
const BYTES: u32 = 32;

/// Name of the Secret with the key.
pub(super) fn key_secret(metadata: &Metadata<'_>) -> String {
    format!("{}-{NAME}", metadata.name)
}

/// Whether the registry of a cache, and so the key, exists.
pub(super) fn has_key(primary: &Primary<'_>) -> bool {
    primary.spec.deploy() && primary.spec.collects_garbage()
}

/// Name and content of the Secret that the host fills once.
pub(super) fn generated_key(primary: &Primary<'_>) -> (String, Generated) {
    let name = key_secret(&primary.metadata);
    let child = Child::new(primary, &SECRET, Cow::Borrowed(&name), [("type", "Opaque".into())]);
    let recipe = Recipe::Random(RandomKey { key: KEY.to_owned(), bytes: BYTES });
    let generated = Generated { secret: child.object.to_text(), recipe };
    (name, generated)
}

/// The init container that copies the agent into its volume. It asks for no more than the registry,
/// so that the pod does not need more.
pub(super) fn install_container<'a>(primary: &'a Primary<'a>, agent_image: &str) -> Json<'a> {
    let mount =
        Json::object([("mountPath", Some(AGENT_DIRECTORY.into())), ("name", Some(AGENT_VOLUME.into()))]);
    let words = [AGENT_PROGRAM, "install", AGENT_DIRECTORY].map(Json::from);
    Json::object([
        ("command", Some(Json::Array(words.into()))),
        ("image", Some(agent_image.to_owned().into())),
        ("name", Some(INSTALL_CONTAINER.into())),
        ("resources", Some(not_empty(primary.spec.resources).unwrap_or_else(default_resources))),
        ("securityContext", Some(container_security())),
        ("terminationMessagePolicy", Some("FallbackToLogsOnError".into())),
        ("volumeMounts", Some(Json::Array(vec![mount]))),
    ])
}

/// The command of the registry's container. It finds the registry in the image.
pub(super) fn command<'a>() -> Json<'a> {
    let key = format!("--key={DIRECTORY}/{KEY}");
    Json::Array(vec![AGENT_PATH.into(), "supervise-registry".into(), key.into()])
}

/// Volumes and mounts of the registry's container: the agent, and the key.
pub(super) fn volumes_and_mounts<'a>(primary: &Primary<'_>) -> [(Json<'a>, Json<'a>); 2] {
    let agent = Json::object([
        ("emptyDir", Some(Json::object([("sizeLimit", Some("64Mi".into()))]))),
        ("name", Some(AGENT_VOLUME.into())),
    ]);
    // The registry is in the group of the file, by the `fsGroup` of the pod.
    let key = key_volume(primary, Some(0o440));
    [(agent, read_only_mount(AGENT_VOLUME, AGENT_DIRECTORY)), (key, read_only_mount(NAME, DIRECTORY))]
}

/// The volume with the key.
fn key_volume<'a>(primary: &Primary<'_>, mode: Option<i64>) -> Json<'a> {
    secret_volume(NAME, key_secret(&primary.metadata).into(), &[KEY], mode)
}

/// The word by which `prune` has garbage collected in the only pod of a cache.
pub(super) fn word<'a>(primary: &Primary<'_>) -> Json<'a> {
    let (name, namespace) = (primary.metadata.name, primary.metadata.namespace);
    format!("--collection=http://{name}-0.{name}.{namespace}.svc:{COLLECTION_PORT}").into()
}

/// The key for the pods of retention.
pub(super) fn mounted<'a>(primary: &Primary<'_>) -> Mounted<'a> {
    Mounted {
        volume: key_volume(primary, None),
        mount: read_only_mount(NAME, DIRECTORY),
        word: format!("--collection-key={DIRECTORY}/{KEY}"),
    }
}

/// A peer of a NetworkPolicy: the pods of the retention of a cache.
pub(super) fn retention_pods<'a>(primary: &'a Primary<'a>, role: &'static str) -> Json<'a> {
    let labels = selector_labels_of(primary, role);
    Json::object([("podSelector", Some(Json::object([("matchLabels", Some(labels))])))])
}

/// Whether pods with this spec of a StatefulSet do their part of retention: zot all of it, and
/// distribution the garbage collection. A registry without storage keeps the template that an older
/// version made.
pub(crate) fn pods_retain(primary: &Primary<'_>, set: Option<&Json<'_>>) -> bool {
    match primary.spec.flavor() {
        Flavor::Distribution => agent_image_of(set).is_some(),
        Flavor::Zot => set.is_some_and(zot::retains),
    }
}

/// The agent's image in the spec of a StatefulSet whose registry the agent supervises.
pub(super) fn agent_image_of<'o>(set: Option<&'o Json<'_>>) -> Option<&'o str> {
    let pod = set?.get("template")?.get("spec")?;
    let install = pod.items("initContainers").iter().find(|one| one.name() == Some(INSTALL_CONTAINER))?;
    install.get("image")?.as_str()
}
