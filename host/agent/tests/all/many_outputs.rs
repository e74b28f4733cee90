//! Steps with several outputs.

use crate::support::http::{Layer, ask, put_artifact, tagged};
use crate::support::tree::write;
use crate::support::{Agent, assert_failed, pull};
use rustix::process::Signal;
use std::fs;
use std::path::Path;
use test_registries::{DockerRegistry, Embedded, Event, Network, Reaction};

/// A step with the outputs `a:1` and `b:1`, and further flags.
fn step(host: &str, directory: &Path, script: &str) -> Agent {
    Agent::step(host, ["sh", "-c", script])
        .directory(directory)
        .flag("--output=a:1,path=out/a")
        .flag("--output=b:1,path=out/b")
}

const WRITE: &str = "mkdir -p out/b; echo a > out/a; echo b > out/b/file";

#[test]
fn each_output_is_what_is_at_its_path() {
    let embedded = Embedded::start();
    let docker = DockerRegistry::start();
    let hosts = [Some(embedded.host()), docker.as_ref().map(DockerRegistry::host)];
    for host in hosts.into_iter().flatten() {
        let folder = tempfile::tempdir().unwrap();
        let outcome = step(&host, folder.path(), WRITE)
            .flag("--output=all/{pod}:1")
            .flag("--output-path=out")
            .env("ORASCACHE_POD", "words-1")
            .run();
        assert_eq!(outcome.code, Some(0), "{}", outcome.stderr);
        let into = tempfile::tempdir().unwrap();
        for uri in ["a:1", "b:1", "all/words-1:1"] {
            pull(&host, uri, into.path());
        }
        for (path, content) in [("a", "a\n"), ("b/file", "b\n"), ("out/a", "a\n"), ("out/b/file", "b\n")] {
            assert_eq!(fs::read_to_string(into.path().join(path)).unwrap(), content, "{path}");
        }
        assert_eq!(outcome.stderr.matches("orascache: pushed ").count(), 3);
    }
}

#[test]
fn no_tag_moves_before_everything_else_is_in_the_registry() {
    let registry = Embedded::start();
    let host = registry.host();
    let network = Network::to(&host);
    network.when(Event::Request("PUT /v2/a/manifests/1".to_owned()), Reaction::Hold);
    let folder = tempfile::tempdir().unwrap();
    let running = step(&network.host(), folder.path(), WRITE).start();
    network.wait_until_held(1);
    // The first tag is on its way. The manifest of the other output is there by its digest alone.
    assert_eq!((tagged(&host, "a", "1"), tagged(&host, "b", "1")), (None, None));
    running.signal(Signal::TERM);
    running.wait_for_error("its output is still saved");
    network.clear();
    let outcome = running.wait();
    assert_eq!(outcome.code, Some(0), "{}", outcome.stderr);
    for repository in ["a", "b"] {
        let digest = tagged(&host, repository, "1").unwrap();
        assert_eq!(ask(&host, "HEAD", &format!("/v2/{repository}/manifests/{digest}"), &[], b"").status, 200);
    }
}

#[test]
fn what_fails_before_the_tags_leaves_all_tags_where_they_were() {
    let registry = Embedded::start();
    let host = registry.host();
    for repository in ["a", "b"] {
        put_artifact(&host, repository, "1", &[Layer::file("old", "old")]);
    }
    let before = [tagged(&host, "a", "1"), tagged(&host, "b", "1")];
    let folder = tempfile::tempdir().unwrap();
    // The second output is missing.
    let outcome = step(&host, folder.path(), "mkdir -p out; echo new > out/a").run();
    assert_failed(&outcome, 99, &["left nothing at out/b"]);
    assert_eq!([tagged(&host, "a", "1"), tagged(&host, "b", "1")], before);
    // Each request of these is cut, however often it is repeated.
    for event in ["POST /v2/b/blobs/uploads/", "PUT /v2/b/manifests/sha256", "POST /v2/a/blobs/uploads/"] {
        let network = Network::to(&host);
        network.when(Event::Request(event.to_owned()), Reaction::Cut);
        write(&folder.path().join("out/b/file"), event, 0o644);
        let outcome = step(&network.host(), folder.path(), "echo $$ > out/a").flag("--patience=1").run();
        assert_failed(&outcome, 99, &["cannot push ", "cannot be reached"]);
        assert_eq!([tagged(&host, "a", "1"), tagged(&host, "b", "1")], before, "{event}");
        network.clear();
    }
}

#[test]
fn a_failure_among_the_tags_names_those_that_have_moved() {
    let registry = Embedded::start();
    let host = registry.host();
    let network = Network::to(&host);
    network.when(Event::Request("PUT /v2/b/manifests/1".to_owned()), Reaction::Cut);
    let folder = tempfile::tempdir().unwrap();
    let outcome = step(&network.host(), folder.path(), WRITE).flag("--patience=1").run();
    assert_failed(&outcome, 99, &["cannot push b:1 to http://", "; already pushed: a:1"]);
    assert!(tagged(&host, "a", "1").is_some());
    assert_eq!(tagged(&host, "b", "1"), None);
}

#[test]
fn a_registry_that_lost_everything_before_the_tags_gets_it_again() {
    let Some(mut registry) = DockerRegistry::start() else { return };
    let network = Network::to(&registry.host());
    network.when(Event::Request("PUT /v2/a/manifests/1".to_owned()), Reaction::Hold);
    let folder = tempfile::tempdir().unwrap();
    let running = step(&network.host(), folder.path(), WRITE).start();
    network.wait_until_held(1);
    registry.kill();
    fs::remove_dir_all(registry.data()).unwrap();
    network.sever();
    registry.restart();
    let outcome = running.wait();
    assert_eq!(outcome.code, Some(0), "{}", outcome.stderr);
    let into = tempfile::tempdir().unwrap();
    for uri in ["a:1", "b:1"] {
        pull(&registry.host(), uri, into.path());
    }
    assert_eq!(fs::read_to_string(into.path().join("b/file")).unwrap(), "b\n");
}

#[test]
fn wrong_outputs_are_refused_before_the_command() {
    let folder = tempfile::tempdir().unwrap();
    for (flag, part) in [
        ("--output=c:1", "it has no path: write ,path=<PATH> behind it, or --output-path=<PATH>"),
        ("--output=a:1,path=other", "two outputs are a:1, of which only one would remain"),
        (
            "--output=c:1,path=//",
            "the path of the output c:1 is \"//\": name a file or directory below the root",
        ),
        ("--output=c:{0..9},path=x", "{0..9}"),
        ("--output=c:1,path={tag}", "{tag} is no placeholder"),
    ] {
        let outcome = step("127.0.0.1:9", folder.path(), "touch started").flag(flag).run();
        assert_failed(&outcome, 97, &[part]);
        assert!(!folder.path().join("started").exists());
    }
}
