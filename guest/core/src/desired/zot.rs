//! The configuration of zot: a file in JSON (zotregistry.dev, "Configuring zot"), which the pod gets
//! from an annotation of its own. So a change of it restarts the pod, and no ConfigMap is needed.

use super::pod_parts::read_only_mount;
use super::secret_files::{ACCOUNTS_DIRECTORY, HTPASSWD_KEY, TLS_CERTIFICATE, TLS_DIRECTORY, TLS_KEY};
use super::{TemplateRevision, zot_retention};
use crate::json::Json;
use crate::primary::{Bucket, Primary, Provider};
use orascache_api::names::{DATA_PATH, REGISTRY_PORT};

/// Annotation of registry pods with the configuration.
const CONFIGURATION_ANNOTATION: &str = "cache.converged-computing.github.io/zot-configuration";
/// Directory of the configuration file.
const DIRECTORY: &str = "/etc/orascache/zot";
/// Its name there.
const FILE: &str = "config.json";
/// Volume with the file.
const VOLUME: &str = "zot";
/// Version of the distribution specification. zot warns where it knows another one.
const SPECIFICATION: &str = "1.1.1";

/// The annotation of the pod template.
pub(super) fn annotation<'a>(primary: &'a Primary<'a>, revision: TemplateRevision) -> Json<'a> {
    Json::object([(CONFIGURATION_ANNOTATION, Some(configuration(primary, revision).to_text().into()))])
}

/// Whether pods with this spec of a StatefulSet delete by zot's own retention.
pub(super) fn retains(set: &Json<'_>) -> bool {
    let metadata = set.get("template").and_then(|template| template.get("metadata"));
    let annotations = metadata.and_then(|metadata| metadata.get("annotations"));
    let text = annotations.and_then(|all| all.get(CONFIGURATION_ANNOTATION)).and_then(Json::as_str);
    text.is_some_and(|text| text.contains(r#""retention":"#))
}

/// The arguments of zot.
pub(super) fn arguments<'a>() -> Json<'a> {
    Json::Array(vec!["serve".into(), format!("{DIRECTORY}/{FILE}").into()])
}

/// The volume with the configuration file, and its mount.
pub(super) fn volume_and_mount<'a>() -> (Json<'a>, Json<'a>) {
    let field = format!("metadata.annotations['{CONFIGURATION_ANNOTATION}']");
    let item = Json::object([
        // Written out, since the API server writes its default into a list that counts as a whole.
        (
            "fieldRef",
            Some(Json::object([("apiVersion", Some("v1".into())), ("fieldPath", Some(field.into()))])),
        ),
        ("path", Some(FILE.into())),
    ]);
    let volume = Json::object([
        ("downwardAPI", Some(Json::object([("items", Some(Json::Array(vec![item])))]))),
        ("name", Some(VOLUME.into())),
    ]);
    (volume, read_only_mount(VOLUME, DIRECTORY))
}

/// The configuration of a cache's registry.
fn configuration<'a>(primary: &'a Primary<'a>, revision: TemplateRevision) -> Json<'a> {
    let (spec, metadata) = (&primary.spec, &primary.metadata);
    let is_native = revision == TemplateRevision::Collection;
    let retention = spec.tasks.retention.as_ref();
    // Before, retention was a client like others.
    let deletes = spec.delete() || (retention.is_some() && !is_native);
    let retention = retention.filter(|_| is_native);
    let tls = spec.tls.map(|_| {
        let file = |name| Some(format!("{TLS_DIRECTORY}/{name}").into());
        Json::object([("cert", file(TLS_CERTIFICATE)), ("key", file(TLS_KEY))])
    });
    let auth = spec.auth.map(|_| {
        let path = format!("{ACCOUNTS_DIRECTORY}/{HTPASSWD_KEY}");
        let htpasswd = Json::object([("path", Some(path.into()))]);
        Json::object([("htpasswd", Some(htpasswd))])
    });
    let bucket = spec.bucket();
    Json::object([
        ("distSpecVersion", Some(SPECIFICATION.into())),
        ("extensions", spec.proxy.as_ref().map(|proxy| fetching_from(proxy.remote_url))),
        (
            "http",
            Some(Json::object([
                ("accessControl", Some(rights(primary, deletes))),
                ("address", Some("0.0.0.0".into())),
                ("auth", auth),
                ("port", Some(REGISTRY_PORT.to_string().into())),
                ("realm", Some(metadata.name.into())),
                ("tls", tls),
            ])),
        ),
        ("log", Some(Json::object([("level", Some("info".into()))]))),
        (
            "storage",
            Some(Json::object([
                // A bucket is shared with nobody, and has no database for finding the same blobs.
                ("dedupe", Some(bucket.is_none().into())),
                // zot would delete manifests without a tag, which steps may name by their digest.
                ("gc", Some(retention.is_some().into())),
                ("gcDelay", retention.map(|_| zot_retention::BLOBS_STAY.into())),
                ("gcInterval", retention.map(|_| zot_retention::INTERVAL.into())),
                ("retention", retention.map(zot_retention::rendered)),
                ("rootDirectory", Some(DATA_PATH.into())),
                ("storageDriver", bucket.and_then(|bucket| storage_driver(primary, bucket))),
            ])),
        ),
    ])
}

/// What clients may do: everybody who has an account where there are accounts, and else everybody.
fn rights<'a>(primary: &Primary<'_>, deletes: bool) -> Json<'a> {
    let spec = &primary.spec;
    let actions: &[&'static str] = match (spec.read_only() || spec.proxy.is_some(), deletes) {
        (true, _) => &["read"],
        (false, false) => &["read", "create", "update"],
        (false, true) => &["read", "create", "update", "delete"],
    };
    let actions = Json::Array(actions.iter().map(|action| Json::from(*action)).collect());
    let policy = if spec.auth.is_some() { "defaultPolicy" } else { "anonymousPolicy" };
    let everything = Json::object([(policy, Some(actions))]);
    Json::object([("repositories", Some(Json::object([("**", Some(everything))])))])
}

fn fetching_from<'a>(remote_url: &'a str) -> Json<'a> {
    let registry = Json::object([
        ("onDemand", Some(true.into())),
        ("tlsVerify", Some(true.into())),
        ("urls", Some(Json::Array(vec![remote_url.into()]))),
    ]);
    let sync =
        Json::object([("enable", Some(true.into())), ("registries", Some(Json::Array(vec![registry])))]);
    Json::object([("sync", Some(sync))])
}

/// Keys of the bucket are variables, and no part of the configuration.
fn storage_driver<'a>(primary: &'a Primary<'a>, bucket: &'a Bucket<'a>) -> Option<Json<'a>> {
    let Provider::S3 { region, endpoint, path_style } = bucket.provider else { return None };
    let is_secure = endpoint.is_none_or(|endpoint| !endpoint.starts_with("http://"));
    let directory = bucket.root_directory(&primary.metadata);
    Some(Json::object([
        ("bucket", Some(bucket.name.into())),
        ("forcepathstyle", Some(path_style.into())),
        ("name", Some("s3".into())),
        ("region", Some(region.into())),
        ("regionendpoint", endpoint.map(Json::from)),
        ("rootdirectory", Some(directory.into())),
        ("secure", Some(is_secure.into())),
    ]))
}
