//! Steps that reuse outputs.

use super::http::{Layer, ask, put_artifact};
use super::tree::paths;
use super::{Agent, Finished, pull};
use std::fs;
use std::path::Path;
use tempfile::TempDir;
use test_registries::Embedded;

/// The annotation of manifests with the key.
pub const KEY: &str = "cache.converged-computing.github.io/key";

/// A registry with the input `in:1`, and a working directory.
pub struct Reusing {
    registry: Embedded,
    pub folder: TempDir,
}

impl Reusing {
    pub fn new() -> Self {
        let reusing = Reusing { registry: Embedded::start(), folder: tempfile::tempdir().unwrap() };
        put(&reusing.host(), "one");
        reusing
    }

    pub fn host(&self) -> String {
        self.registry.host()
    }

    /// A step that copies the input to `out:TAG`, and says that it runs.
    pub fn step(&self, tag: &str) -> Agent {
        step(&self.host(), self.folder.path(), "echo ran; cat in > out", tag)
    }

    /// Runs a step in an empty directory.
    pub fn run(&self, step: Agent) -> Finished {
        for path in paths(self.folder.path()) {
            fs::remove_file(self.folder.path().join(path)).unwrap();
        }
        step.run()
    }

    pub fn output(&self, tag: &str) -> String {
        let into = tempfile::tempdir().unwrap();
        pull(&self.host(), &format!("out:{tag}"), into.path());
        fs::read_to_string(into.path().join("out")).unwrap()
    }

    /// The tags of keys.
    pub fn keys(&self) -> Vec<String> {
        keys(&self.host(), "out")
    }
}

pub fn step(host: &str, directory: &Path, script: &str, tag: &str) -> Agent {
    Agent::step(host, ["sh", "-c", script])
        .directory(directory)
        .flag("--reuse=true")
        .flag("--reuse-image=busybox:1")
        .flag("--input=in:1")
        .flag(format!("--output=out:{tag},path=out"))
        .env("ORASCACHE_POD", format!("words-{tag}"))
        .env_remove("ORASCACHE_INDEX")
        .env_remove("JOB_COMPLETION_INDEX")
}

pub fn put(host: &str, content: &str) {
    put_artifact(host, "in", "1", &[Layer::file("in", content)]);
}

pub fn keys(host: &str, repository: &str) -> Vec<String> {
    let answer = ask(host, "GET", &format!("/v2/{repository}/tags/list"), &[], b"");
    if answer.status == 404 {
        return Vec::new();
    }
    let list: serde_json::Value = serde_json::from_slice(&answer.body).unwrap();
    let tags = list["tags"].as_array().unwrap().iter().map(|tag| tag.as_str().unwrap().to_owned());
    tags.filter(|tag| tag.starts_with("key-")).collect()
}

pub fn assert_ran(outcome: &Finished) {
    assert_eq!((outcome.code, outcome.stdout().as_str()), (Some(0), "ran\n"), "{}", outcome.stderr);
    assert!(outcome.stderr.contains("summary: reuse=miss "), "{}", outcome.stderr);
}

pub fn assert_reused(outcome: &Finished) {
    assert_eq!((outcome.code, outcome.stdout().as_str()), (Some(0), ""), "{}", outcome.stderr);
    assert!(outcome.stderr.contains("summary: reuse=hit "), "{}", outcome.stderr);
}
