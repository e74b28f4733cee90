//! Calls of `copy`, and indexes of several manifests.

use super::http::{ask, put_manifest};
use super::{Agent, Finished};
use serde_json::{Value, json};

pub const INDEX: &str = "application/vnd.oci.image.index.v1+json";
pub const MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";

/// Calls `copy`, with a folder for its termination message.
pub fn copy(arguments: &[&str]) -> Finished {
    let agent = copying(arguments);
    agent.run()
}

/// A call of `copy` before it is started. Nobody has logged in.
pub fn copying(arguments: &[&str]) -> Agent {
    let agent = Agent::new([&["copy", "--patience=20"], arguments].concat());
    let message = format!("--termination-message={}", agent.message().display());
    let home = agent.folder().to_owned();
    agent.flag(message).env("HOME", &home).env_remove("DOCKER_CONFIG")
}

/// Copies, and returns the line that says what was done.
pub fn copied(arguments: &[&str]) -> String {
    let outcome = copy(arguments);
    assert_eq!(outcome.code, Some(0), "{}", outcome.stderr);
    let line = outcome.stdout().trim_end().to_owned();
    let (said, _) = outcome.said();
    assert_eq!(said, format!("orascache: {line}"));
    line
}

/// Puts an index of the manifests of these tags.
pub fn put_index(host: &str, repository: &str, tag: &str, of: &[&str]) {
    let children: Vec<Value> = of.iter().map(|tag| descriptor(host, repository, tag)).collect();
    let index = json!({"schemaVersion": 2, "mediaType": INDEX, "manifests": children});
    put_manifest(host, repository, tag, &index);
}

/// A descriptor of what a tag names.
pub fn descriptor(host: &str, repository: &str, tag: &str) -> Value {
    let (media_type, body) = raw(host, repository, tag).expect("a manifest");
    let digest = oci_registry_client::Digest::of(&body).to_string();
    json!({"mediaType": media_type, "digest": digest, "size": body.len()})
}

/// Media type and bytes of a manifest or an index.
pub fn raw(host: &str, repository: &str, selector: &str) -> Option<(String, Vec<u8>)> {
    let path = format!("/v2/{repository}/manifests/{selector}");
    let answer = ask(host, "GET", &path, &[("Accept", &format!("{MANIFEST}, {INDEX}"))], b"");
    (answer.status == 200).then(|| (answer.header("content-type").unwrap().to_owned(), answer.body))
}

/// The tags of a repository.
pub fn tags(host: &str, repository: &str) -> Vec<String> {
    let answer = ask(host, "GET", &format!("/v2/{repository}/tags/list"), &[], b"");
    if answer.status == 404 {
        return Vec::new();
    }
    let list: Value = serde_json::from_slice(&answer.body).unwrap();
    let tags = list["tags"].as_array().cloned().unwrap_or_default();
    let mut tags: Vec<String> = tags.iter().map(|tag| tag.as_str().unwrap().to_owned()).collect();
    tags.sort();
    tags
}

/// Puts a manifest that refers to what a tag names. Returns its digest.
pub fn put_referrer(host: &str, repository: &str, subject: &str, content: &str) -> String {
    let config = super::http::put_blob(host, repository, b"{}");
    let layer = super::http::put_blob(host, repository, content.as_bytes());
    let manifest = json!({
        "schemaVersion": 2,
        "mediaType": MANIFEST,
        "artifactType": "application/vnd.test.note",
        "config": {"mediaType": "application/vnd.oci.empty.v1+json", "digest": config, "size": 2},
        "layers": [{"mediaType": "text/plain", "digest": layer, "size": content.len()}],
        "subject": descriptor(host, repository, subject),
    });
    let digest = oci_registry_client::Digest::of(manifest.to_string().as_bytes()).to_string();
    put_manifest(host, repository, &digest, &manifest);
    digest
}
