//! Pushing the outputs of steps to registries.

use crate::support::http::{Layer, manifest, put_artifact, tagged};
use crate::support::tree::{content, tree, write};
use crate::support::{Agent, assert_failed, pull, push};
use rustix::process::Signal;
use serde_json::Value;
use std::fs;
use std::path::Path;
use test_registries::{DockerRegistry, Embedded, Event, Network, Reaction};

/// One file as an artifact.
fn put_file(host: &str, repository: &str, title: &str, content: &str) {
    put_artifact(host, repository, "1", &[Layer::file(title, content)]);
}

#[test]
fn a_failed_push_ends_with_99_although_the_command_succeeded() {
    let forbidding = Embedded::refusing(403);
    let failing = Embedded::refusing(500);
    let unwilling = Embedded::refusing(405);
    for (host, part) in [
        (forbidding.host(), "the registry refuses access (403"),
        (failing.host(), "the registry answered 500"),
        (unwilling.host(), "the registry answered 405"),
        (test_registries::free_address().to_string(), "cannot be reached"),
    ] {
        let folder = tempfile::tempdir().unwrap();
        let outcome = Agent::step(&host, ["sh", "-c", "echo result > out"])
            .directory(folder.path())
            .flag("--output=a:1")
            .flag("--output-path=out")
            .flag("--patience=1")
            .run();
        assert_failed(&outcome, 99, &["cannot push a:1 to http://", &host, part]);
        assert_eq!(fs::read_to_string(folder.path().join("out")).unwrap(), "result\n");
    }
}

#[test]
fn directories_are_unpacked_unless_unpack_is_false() {
    let registry = Embedded::start();
    let folder = tempfile::tempdir().unwrap();
    let words = folder.path().join("words");
    write(&words.join("en"), "hello", 0o600);
    write(&words.join("bin/run"), "#!/bin/sh\n", 0o755);
    fs::create_dir(words.join("empty")).unwrap();
    std::os::unix::fs::symlink("bin/run", words.join("link")).unwrap();
    for (flag, is_unpacked) in [("--unpack=true", true), ("--unpack=false", false)] {
        let outcome = Agent::step(&registry.host(), ["true"])
            .flag("--output=words:1")
            .flag(format!("--output-path={}", words.display()))
            .flag(flag)
            .run();
        assert_eq!(outcome.code, Some(0), "{}", outcome.stderr);
        let layer = &manifest(&registry.host(), "words", "1")["layers"][0];
        let unpack = &layer["annotations"]["io.deis.oras.content.unpack"];
        assert_eq!(unpack == "true", is_unpacked, "{layer}");
        let into = tempfile::tempdir().unwrap();
        pull(&registry.host(), "words:1", into.path());
        let pulled = into.path().join("words");
        assert_eq!(pulled.is_dir(), is_unpacked);
        if !is_unpacked {
            let unpacked = std::process::Command::new("tar")
                .args(["-xpzf", "words", "--transform=s/^words/unpacked/"])
                .current_dir(into.path())
                .status()
                .unwrap();
            assert!(unpacked.success());
            fs::rename(into.path().join("unpacked"), into.path().join("done")).unwrap();
        }
        let pulled = into.path().join(if is_unpacked { "words" } else { "done" });
        assert_eq!(tree(&pulled), tree(&words));
    }
}

#[test]
fn the_manifest_of_an_output_names_its_inputs() {
    let registry = Embedded::start();
    let host = registry.host();
    put_file(&host, "flow/one", "one", "1\n");
    put_file(&host, "flow/two", "two", "2\n");
    let folder = tempfile::tempdir().unwrap();
    let outcome = Agent::step(&host, ["sh", "-c", "mkdir out; cat one two > out/both"])
        .directory(folder.path())
        .flag("--input=flow/one:1")
        .flag("--input=flow/two:1")
        .flag("--output=flow/both:1")
        .flag("--output-path=out")
        .run();
    assert_eq!(outcome.code, Some(0), "{}", outcome.stderr);
    let written = manifest(&host, "flow/both", "1");
    let inputs = written["annotations"]["cache.converged-computing.github.io/inputs"].as_str().unwrap();
    let inputs: Value = serde_json::from_str(inputs).unwrap();
    let expected: Vec<String> = ["flow/one", "flow/two"]
        .iter()
        .map(|repository| format!("{repository}:1@{}", tagged(&host, repository, "1").unwrap()))
        .collect();
    assert_eq!(inputs, Value::from(expected));
    let next = tempfile::tempdir().unwrap();
    let outcome =
        Agent::step(&host, ["cat", "out/both"]).directory(next.path()).flag("--input=flow/both:1").run();
    assert_eq!((outcome.code, outcome.stdout().as_str()), (Some(0), "1\n2\n"), "{}", outcome.stderr);
    // Without inputs there is no such annotation, and nothing that differs from run to run.
    push(&host, "flow/alone:1", &folder.path().join("one"));
    let alone = manifest(&host, "flow/alone", "1");
    let names: Vec<&String> = alone["annotations"].as_object().unwrap().keys().collect();
    assert_eq!(names, ["cache.converged-computing.github.io/command"]);
}

#[test]
fn an_unchanged_output_is_not_sent_again() {
    const SIZE: usize = 3 << 20;
    let embedded = Embedded::start();
    let docker = DockerRegistry::start();
    let hosts = [Some(embedded.host()), docker.as_ref().map(DockerRegistry::host)];
    let folder = tempfile::tempdir().unwrap();
    write(&folder.path().join("out/data"), content(SIZE, 1), 0o644);
    for host in hosts.into_iter().flatten() {
        let network = Network::to(&host);
        push(&network.host(), "a:1", &folder.path().join("out"));
        let (first, digest) = (network.sent(), tagged(&host, "a", "1").unwrap());
        assert!(first > SIZE as u64);
        let outcome = push(&network.host(), "a:2", &folder.path().join("out"));
        assert!(network.sent() - first < 64 << 10, "{} bytes", network.sent() - first);
        assert!(outcome.stderr.contains("all of it there already"), "{}", outcome.stderr);
        assert_eq!(tagged(&host, "a", "2").unwrap(), digest);
    }
}

#[test]
fn blobs_of_inputs_in_other_repositories_are_mounted() {
    const SIZE: usize = 3 << 20;
    let Some(registry) = DockerRegistry::start() else { return };
    let folder = tempfile::tempdir().unwrap();
    write(&folder.path().join("data"), content(SIZE, 2), 0o644);
    push(&registry.host(), "flow/one:1", &folder.path().join("data"));
    let network = Network::to(&registry.host());
    let work = tempfile::tempdir().unwrap();
    let outcome = Agent::step(&network.host(), ["true"])
        .directory(work.path())
        .flag("--input=flow/one:1")
        .flag("--output=flow/two:1")
        .flag("--output-path=data")
        .run();
    assert_eq!(outcome.code, Some(0), "{}", outcome.stderr);
    assert!(network.received() > SIZE as u64);
    assert!(network.sent() < 64 << 10, "{} bytes", network.sent());
    let into = tempfile::tempdir().unwrap();
    pull(&registry.host(), "flow/two:1", into.path());
    assert_eq!(tree(into.path()), tree(work.path()));
}

#[test]
fn a_command_that_failed_pushes_nothing() {
    let registry = Embedded::start();
    let network = Network::to(&registry.host());
    for (end, code) in [("exit 3", 3), ("kill -KILL $$", 137), ("kill -TERM $$", 143), ("exit 97", 97)] {
        let folder = tempfile::tempdir().unwrap();
        let outcome = Agent::step(&network.host(), ["sh", "-c", &format!("echo partial > out; {end}")])
            .directory(folder.path())
            .flag("--output=a:1")
            .flag("--output-path=out")
            .run();
        assert_eq!((outcome.code, outcome.message), (Some(code), None), "{end}");
    }
    assert_eq!(network.sent(), 0);
    assert_eq!(tagged(&registry.host(), "a", "1"), None);
}

#[test]
fn a_command_without_output_ends_with_99() {
    let registry = Embedded::start();
    let outcome = Agent::step(&registry.host(), ["true"])
        .flag("--output=a:1")
        .flag("--output-path=/no/such/output")
        .run();
    assert_failed(&outcome, 99, &["succeeded but left nothing at /no/such/output"]);
    assert_eq!(tagged(&registry.host(), "a", "1"), None);
}

#[test]
fn standard_output_is_pushed_with_an_output_pipe() {
    let registry = Embedded::start();
    let folder = tempfile::tempdir().unwrap();
    let log = folder.path().join("log");
    let outcome = Agent::step(&registry.host(), ["echo", "hello"])
        .flag(format!("--output-pipe={}", log.display()))
        .flag(format!("--output-path={}", log.display()))
        .flag("--output=a:1")
        .run();
    assert_eq!((outcome.code, outcome.stdout().as_str()), (Some(0), "hello\n"), "{}", outcome.stderr);
    let into = tempfile::tempdir().unwrap();
    pull(&registry.host(), "a:1", into.path());
    assert_eq!(tree(into.path())[Path::new("log")], "file 644 \"hello\\n\"");
}

#[test]
fn a_push_is_completed_after_a_signal() {
    let registry = Embedded::start();
    let network = Network::to(&registry.host());
    network.when(Event::Request("PUT /v2/a/manifests/".to_owned()), Reaction::Hold);
    let folder = tempfile::tempdir().unwrap();
    let running = Agent::step(&network.host(), ["sh", "-c", "echo result > out"])
        .directory(folder.path())
        .flag("--output=a:1")
        .flag("--output-path=out")
        .start();
    network.wait_until_held(1);
    running.signal(Signal::TERM);
    running.wait_for_error("SIGTERM came when the command had ended; its output is still saved");
    assert_eq!(tagged(&registry.host(), "a", "1"), None);
    network.clear();
    let outcome = running.wait();
    assert_eq!((outcome.code, outcome.message), (Some(0), None), "{}", outcome.stderr);
    assert!(tagged(&registry.host(), "a", "1").is_some());
}

#[test]
fn of_two_steps_with_one_tag_one_wins_completely() {
    let embedded = Embedded::start();
    let docker = DockerRegistry::start();
    let hosts = [Some(embedded.host()), docker.as_ref().map(DockerRegistry::host)];
    let folder = tempfile::tempdir().unwrap();
    for name in ["a", "b"] {
        for n in 0..20 {
            write(&folder.path().join(name).join(format!("out/{n}")), format!("{name}{n}"), 0o644);
        }
    }
    for host in hosts.into_iter().flatten() {
        for round in 0..3 {
            let network = Network::to(&host);
            // Both steps have sent their blobs before either moves the tag.
            network.when(Event::Request(format!("/manifests/run-{round}")), Reaction::Hold);
            let start = |name: &str| {
                Agent::step(&network.host(), ["true"])
                    .directory(&folder.path().join(name))
                    .flag(format!("--output=a:run-{round}"))
                    .flag("--output-path=out")
                    .start()
            };
            let both = [start("a"), start("b")];
            network.wait_until_held(2);
            network.clear();
            for running in both {
                let outcome = running.wait();
                assert_eq!(outcome.code, Some(0), "{}", outcome.stderr);
            }
            let into = tempfile::tempdir().unwrap();
            pull(&host, &format!("a:run-{round}"), into.path());
            let pulled = tree(into.path());
            assert!(["a", "b"].iter().any(|name| tree(&folder.path().join(name)) == pulled), "{pulled:?}");
        }
    }
}
