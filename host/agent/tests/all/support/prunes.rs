//! Calls of `prune`, and artifacts with a date.

use super::copies::MANIFEST;
use super::http::{Layer, put_artifact, put_blob, put_manifest};
use super::{Agent, Finished};
use serde_json::json;

/// Calls `prune`, with a folder for its termination message. Nobody has logged in.
pub fn prune(arguments: &[&str]) -> Finished {
    pruning(arguments).run()
}

/// A call of `prune` before it is started.
pub fn pruning(arguments: &[&str]) -> Agent {
    let agent = Agent::new([&["prune", "--patience=20"], arguments].concat());
    let message = format!("--termination-message={}", agent.message().display());
    let home = agent.folder().to_owned();
    agent.flag(message).env("HOME", &home).env_remove("DOCKER_CONFIG")
}

/// Prunes, and returns the line that says what was done.
pub fn pruned(arguments: &[&str]) -> String {
    let outcome = prune(arguments);
    assert_eq!(outcome.code, Some(0), "{}", outcome.stderr);
    let line = outcome.stdout().trim_end().to_owned();
    let (said, _) = outcome.said();
    assert_eq!(said, format!("orascache: {line}"));
    line
}

/// Puts an artifact without a date.
pub fn put(host: &str, repository: &str, tag: &str) {
    put_artifact(host, repository, tag, &[Layer::file("a", format!("{repository}:{tag}"))]);
}

/// Puts an artifact that says when it was made.
pub fn put_of(host: &str, repository: &str, tag: &str, created: &str) {
    let content = format!("{repository}:{tag}");
    let (config, layer) = (put_blob(host, repository, b"{}"), put_blob(host, repository, content.as_bytes()));
    let manifest = json!({
        "schemaVersion": 2,
        "mediaType": MANIFEST,
        "config": {"mediaType": "application/vnd.oci.empty.v1+json", "digest": config, "size": 2},
        "layers": [{"mediaType": "text/plain", "digest": layer, "size": content.len()}],
        "annotations": {"org.opencontainers.image.created": created},
    });
    put_manifest(host, repository, tag, &manifest);
}

/// The time before this number of seconds.
pub fn ago(seconds: i64) -> String {
    jiff::Timestamp::from_second(jiff::Timestamp::now().as_second() - seconds).unwrap().to_string()
}

/// A day, in seconds.
pub const DAY: i64 = 24 * 60 * 60;
