//! The program and the `oras` command line pull what the other one pushed.

use crate::support::http::{manifest, tagged};
use crate::support::tree::{content, paths, tree, write};
use crate::support::{Agent, pull, push};
use std::ffi::OsStr;
use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::process::Command;
use test_registries::installed;

/// The installed registries. None where `oras` is not installed.
fn registries() -> Vec<(String, Box<dyn Send>)> {
    if !installed("oras") {
        return Vec::new();
    }
    test_registries::registries()
}

/// Calls `oras` in a directory, with a home of its own.
fn oras(directory: &Path, words: &[&str]) -> String {
    let home = tempfile::tempdir().unwrap();
    let output = Command::new("oras")
        .args(words)
        .current_dir(directory)
        .env("HOME", home.path())
        .env("DOCKER_CONFIG", home.path())
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(output.status.success(), "oras {words:?}: {said}{}", String::from_utf8_lossy(&output.stderr));
    said
}

/// A directory with many kinds of files.
fn various(root: &Path) {
    write(&root.join("text"), "hello\n", 0o644);
    write(&root.join("secret"), "x", 0o600);
    write(&root.join("read-only"), "y", 0o444);
    write(&root.join("bin/run"), "#!/bin/sh\n", 0o755);
    write(&root.join("nothing"), "", 0o644);
    write(&root.join("data"), content(3 << 20, 1), 0o640);
    write(&root.join("with spaces/and ünïcode/ok"), "z", 0o644);
    write(&root.join(format!("{0}/{0}/{1}", "d".repeat(120), "f".repeat(200))), "long", 0o644);
    for n in 0..50 {
        write(&root.join(format!("many/{n}")), n.to_string(), 0o644);
    }
    fs::create_dir_all(root.join("empty/inside")).unwrap();
    symlink("text", root.join("link")).unwrap();
    symlink("../text", root.join("bin/up")).unwrap();
    symlink("missing", root.join("dangling")).unwrap();
}

#[test]
fn artifacts_of_oras_are_pulled() {
    for (host, _registry) in registries() {
        let from = tempfile::tempdir().unwrap();
        various(&from.path().join("out"));
        write(&from.path().join("single"), content(100_000, 2), 0o644);
        write(&from.path().join("below/it"), "deep", 0o644);
        let artifact = format!("{host}/flow/out:1");
        oras(from.path(), &["push", "--plain-http", &artifact, "out", "single", "below/it"]);
        let into = tempfile::tempdir().unwrap();
        let outcome = pull(&host, "flow/out:1", into.path());
        assert_eq!(tree(into.path()), tree(from.path()), "{host}");
        assert!(outcome.stderr.contains(&tagged(&host, "flow/out", "1").unwrap()), "{}", outcome.stderr);
    }
}

#[test]
fn types_annotations_and_configurations_of_oras_do_not_matter() {
    for (host, _registry) in registries() {
        let from = tempfile::tempdir().unwrap();
        write(&from.path().join("file"), "content", 0o644);
        write(&from.path().join("config.json"), "{\"a\":1}", 0o644);
        let typed = format!("{host}/a:typed");
        let plain = ["--annotation", "a=b", "file:application/vnd.words.v1+text"];
        oras(
            from.path(),
            &[&["push", "--plain-http", "--artifact-type", "application/vnd.words", &typed], &plain[..]]
                .concat(),
        );
        let configured = format!("{host}/a:configured");
        let config = "config.json:application/vnd.config.v1+json";
        oras(from.path(), &["push", "--plain-http", "--config", config, &configured, "file"]);
        let old = format!("{host}/a:old");
        oras(from.path(), &["push", "--plain-http", "--image-spec", "v1.0", &old, "file"]);
        for tag in ["typed", "configured", "old"] {
            let into = tempfile::tempdir().unwrap();
            pull(&host, &format!("a:{tag}"), into.path());
            assert_eq!(tree(into.path())[Path::new("file")], "file 644 \"content\"");
            assert_eq!(paths(into.path()), ["file"], "{tag}");
        }
    }
}

#[test]
fn attached_artifacts_are_not_pulled() {
    for (host, _registry) in registries() {
        let from = tempfile::tempdir().unwrap();
        write(&from.path().join("file"), "content", 0o644);
        write(&from.path().join("signature"), "signed", 0o644);
        let artifact = format!("{host}/a:1");
        oras(from.path(), &["push", "--plain-http", &artifact, "file"]);
        let before = tagged(&host, "a", "1");
        oras(
            from.path(),
            &["attach", "--plain-http", "--artifact-type", "application/vnd.s", &artifact, "signature"],
        );
        assert_eq!(tagged(&host, "a", "1"), before);
        let into = tempfile::tempdir().unwrap();
        pull(&host, "a:1", into.path());
        assert_eq!(paths(into.path()), ["file"]);
    }
}

#[test]
fn oras_pulls_artifacts_of_the_agent() {
    for (host, _registry) in registries() {
        let from = tempfile::tempdir().unwrap();
        various(&from.path().join("out"));
        push(&host, "flow/out:1", &from.path().join("out"));
        let into = tempfile::tempdir().unwrap();
        oras(into.path(), &["pull", "--plain-http", &format!("{host}/flow/out:1")]);
        assert_eq!(tree(into.path()), tree(from.path()), "{host}");
        let single = tempfile::tempdir().unwrap();
        write(&single.path().join("data.bin"), content(2 << 20, 3), 0o644);
        push(&host, "flow/single:1", &single.path().join("data.bin"));
        let into = tempfile::tempdir().unwrap();
        oras(into.path(), &["pull", "--plain-http", &format!("{host}/flow/single:1")]);
        assert_eq!(tree(into.path()), tree(single.path()), "{host}");
    }
}

#[test]
fn oras_pulls_outputs_that_can_be_reused() {
    for (host, _registry) in registries() {
        let from = tempfile::tempdir().unwrap();
        write(&from.path().join("out/file"), "content", 0o644);
        let step = |uri: &str| {
            let step = Agent::step(&host, ["true"]).directory(from.path()).flag("--reuse=true");
            let outcome = step.flag(format!("--output={uri},path=out")).run();
            assert_eq!(outcome.code, Some(0), "{}", outcome.stderr);
        };
        step("a:1");
        step("a:2");
        assert_eq!(tagged(&host, "a", "1"), tagged(&host, "a", "2"), "the second one is reused");
        for tag in ["1", "2"] {
            let into = tempfile::tempdir().unwrap();
            oras(into.path(), &["pull", "--plain-http", &format!("{host}/a:{tag}")]);
            assert_eq!(tree(into.path()), tree(from.path()));
        }
    }
}

#[test]
fn oras_pulls_names_that_are_not_utf_8() {
    for (host, _registry) in registries() {
        let from = tempfile::tempdir().unwrap();
        let name = OsStr::from_bytes(b"out/caf\xe9");
        write(&from.path().join(name), "latin", 0o644);
        push(&host, "a:1", &from.path().join("out"));
        let (ours, theirs) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        pull(&host, "a:1", ours.path());
        assert_eq!(tree(ours.path()), tree(from.path()));
        oras(theirs.path(), &["pull", "--plain-http", &format!("{host}/a:1")]);
        assert_eq!(tree(theirs.path()), tree(from.path()));
    }
}

#[test]
fn oras_pulls_an_archive_as_a_file_where_unpack_is_false() {
    for (host, _registry) in registries() {
        let from = tempfile::tempdir().unwrap();
        write(&from.path().join("out/file"), "content", 0o644);
        let outcome = Agent::step(&host, ["true"])
            .directory(from.path())
            .flag("--output=a:1")
            .flag("--output-path=out")
            .flag("--unpack=false")
            .run();
        assert_eq!(outcome.code, Some(0), "{}", outcome.stderr);
        let into = tempfile::tempdir().unwrap();
        oras(into.path(), &["pull", "--plain-http", &format!("{host}/a:1")]);
        assert_eq!(paths(into.path()), ["out"]);
        let listed = Command::new("tar").args(["-tzf", "out"]).current_dir(into.path()).output().unwrap();
        assert!(String::from_utf8(listed.stdout).unwrap().lines().any(|name| name == "out/file"));
    }
}

#[test]
fn an_artifact_is_unchanged_after_a_round_trip() {
    for (host, _registry) in registries() {
        let from = tempfile::tempdir().unwrap();
        various(&from.path().join("out"));
        oras(from.path(), &["push", "--plain-http", &format!("{host}/a:oras"), "out"]);
        let step = tempfile::tempdir().unwrap();
        let outcome = Agent::step(&host, ["true"])
            .directory(step.path())
            .flag("--input=a:oras")
            .flag("--output=a:step")
            .flag("--output-path=out")
            .run();
        assert_eq!(outcome.code, Some(0), "{}", outcome.stderr);
        let into = tempfile::tempdir().unwrap();
        oras(into.path(), &["pull", "--plain-http", &format!("{host}/a:step")]);
        assert_eq!(tree(into.path()), tree(from.path()));
        // Both write the same annotations.
        let layer = |tag| manifest(&host, "a", tag)["layers"][0].clone();
        let (theirs, ours) = (layer("oras"), layer("step"));
        assert_eq!(ours["mediaType"], theirs["mediaType"]);
        let keys = |layer: &serde_json::Value| -> Vec<String> {
            layer["annotations"].as_object().unwrap().keys().cloned().collect()
        };
        assert_eq!(keys(&ours), keys(&theirs));
    }
}
