//! Directories as layers that are compressed with Zstandard, ours and those of other programs.

use crate::support::http::{manifest, tagged};
use crate::support::tree::{content, tree, write};
use crate::support::{Agent, Finished, pull};
use std::fs;
use std::path::Path;
use std::process::Command;
use test_registries::{Embedded, installed, registries};

const ZSTD: &str = "application/vnd.oci.image.layer.v1.tar+zstd";

/// A directory whose archive is too large to be kept in memory while it is sent.
fn words(root: &Path) {
    write(&root.join("out/text"), "word ".repeat(10_000), 0o644);
    write(&root.join("out/bin/run"), "#!/bin/sh\n", 0o755);
    write(&root.join("out/data"), content(6 << 20, 1), 0o640);
    fs::create_dir_all(root.join("out/empty")).unwrap();
}

/// A step that pushes `out` of a directory.
fn pushes(host: &str, directory: &Path, tag: &str) -> Agent {
    Agent::step(host, ["true"])
        .directory(directory)
        .flag(format!("--output=a:{tag}"))
        .flag("--output-path=out")
}

fn succeeded(outcome: &Finished) {
    assert_eq!(outcome.code, Some(0), "{}", outcome.stderr);
}

#[test]
fn a_directory_that_is_pushed_with_zstd_is_pulled_unchanged() {
    for (host, _registry) in registries() {
        let from = tempfile::tempdir().unwrap();
        words(from.path());
        succeeded(&pushes(&host, from.path(), "gzip").run());
        succeeded(&pushes(&host, from.path(), "zstd").flag("--compression=zstd").run());
        let name = format!("{host}/a:by-hand");
        let by_hand = Agent::new(["push", "--compression", "zstd", &name, "out"]).directory(from.path());
        succeeded(&by_hand.run());

        let layer = |tag: &str| manifest(&host, "a", tag)["layers"][0].clone();
        assert_eq!(layer("gzip")["mediaType"], "application/vnd.oci.image.layer.v1.tar+gzip");
        assert_eq!(layer("zstd")["mediaType"], ZSTD);
        assert_eq!(layer("zstd")["annotations"], layer("gzip")["annotations"], "the archive is the same");
        assert_eq!(layer("by-hand"), layer("zstd"), "equal content has an equal digest");
        for tag in ["gzip", "zstd", "by-hand"] {
            let into = tempfile::tempdir().unwrap();
            pull(&host, &format!("a:{tag}"), into.path());
            assert_eq!(tree(into.path()), tree(from.path()), "{tag}");
        }
    }
}

#[test]
fn a_key_of_gzip_is_not_one_of_zstd() {
    let registry = Embedded::start();
    let from = tempfile::tempdir().unwrap();
    words(from.path());
    let step = |tag| pushes(&registry.host(), from.path(), tag).flag("--reuse=true");
    succeeded(&step("gzip").run());
    succeeded(&step("zstd").flag("--compression=zstd").run());
    succeeded(&step("again").flag("--compression=zstd").run());
    let digest = |tag| tagged(&registry.host(), "a", tag);
    assert_ne!(digest("zstd"), digest("gzip"));
    assert_eq!(digest("again"), digest("zstd"), "the output is reused");
    assert_eq!(manifest(&registry.host(), "a", "again")["layers"][0]["mediaType"], ZSTD);
}

#[test]
fn an_archive_of_tar_and_zstd_that_oras_pushed_is_pulled() {
    if !installed("oras") || !installed("zstd") {
        return;
    }
    let run = |directory: &Path, words: &[&str]| {
        let mut command = Command::new(words[0]);
        command
            .args(&words[1..])
            .current_dir(directory)
            .env("HOME", directory)
            .env("DOCKER_CONFIG", directory);
        let output = command.output().unwrap();
        assert!(output.status.success(), "{words:?}: {}", String::from_utf8_lossy(&output.stderr));
    };
    for (host, _registry) in registries() {
        let (from, work) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        words(from.path());
        let tar = work.path().join("out.tar").display().to_string();
        run(from.path(), &["tar", "--sort=name", "-cf", &tar, "out"]);
        for level in ["-1", "-19"] {
            // The name of the file becomes the title of the layer.
            run(work.path(), &["zstd", "-q", "-f", level, "out.tar", "-o", "out"]);
            let annotations = r#"{"out":{"io.deis.oras.content.unpack":"true"}}"#;
            write(&work.path().join("annotations.json"), annotations, 0o644);
            let (name, file) = (format!("{host}/theirs:1"), format!("out:{ZSTD}"));
            let push =
                ["oras", "push", "--plain-http", "--annotation-file", "annotations.json", &name, &file];
            run(work.path(), &push);
            assert_eq!(manifest(&host, "theirs", "1")["layers"][0]["mediaType"], ZSTD);
            let into = tempfile::tempdir().unwrap();
            pull(&host, "theirs:1", into.path());
            assert_eq!(tree(into.path()), tree(from.path()), "{level}");
        }
    }
}
