//! Pulling the inputs of steps from registries.

use crate::support::http::{self, Layer, manifest, put_artifact, tagged};
use crate::support::tree::{content, holds, paths, tree, write};
use crate::support::{Agent, assert_failed, eventually, pull, try_pull};
use rustix::process::Signal;
use std::fs;
use std::path::Path;
use test_registries::{Embedded, Event, Network, Reaction};

/// One file as an artifact.
fn put_file(host: &str, repository: &str, title: &str, content: &str) {
    put_artifact(host, repository, "1", &[Layer::file(title, content)]);
}

#[test]
fn later_inputs_win_if_wanted_whichever_is_the_slowest() {
    let registry = Embedded::start();
    for name in ["a", "b", "c"] {
        let own = format!("own-{name}");
        let layers = [Layer::file("same", name), Layer::file(&own, name)];
        put_artifact(&registry.host(), name, "1", &layers);
    }
    for order in [["a", "b", "c"], ["c", "b", "a"], ["b", "c", "a"]] {
        let network = Network::to(&registry.host());
        network.when(Event::Request(format!("GET /v2/{}/blobs/", order[0])), Reaction::Hold);
        let into = tempfile::tempdir().unwrap();
        let mut agent = Agent::step(&network.host(), ["cat", "same"])
            .directory(into.path())
            .flag("--input-conflicts=last-wins");
        for name in order {
            agent = agent.flag(format!("--input={name}:1"));
        }
        let running = agent.start();
        network.wait_until_held(1);
        for name in &order[1..] {
            let own = format!("own-{name}");
            eventually("the other inputs", || holds(into.path(), &own));
        }
        // Nothing is visible before everything has arrived.
        assert!(!into.path().join("same").exists());
        network.clear();
        let outcome = running.wait();
        assert_eq!((outcome.code, outcome.stdout()), (Some(0), order[2].to_owned()), "{}", outcome.stderr);
        assert_eq!(paths(into.path()), ["own-a", "own-b", "own-c", "same"]);
    }
}

#[test]
fn inputs_with_different_content_at_one_path_are_refused() {
    let registry = Embedded::start();
    let host = registry.host();
    let shared = || Layer::file("shared/equal", "equal");
    put_artifact(&host, "a", "1", &[shared(), Layer::file("shared/file", "one")]);
    put_artifact(&host, "b", "1", &[shared(), Layer::file("shared/other", "two")]);
    put_artifact(&host, "c", "1", &[Layer::file("shared/file", "three")]);
    let into = tempfile::tempdir().unwrap();
    let step = |inputs: [&str; 2]| {
        let agent = Agent::step(&host, ["true"]).directory(into.path());
        inputs.iter().fold(agent, |agent, input| agent.flag(format!("--input={input}")))
    };
    let refused = step(["a:1", "c:1"]).run();
    let path = "shared/file cannot be put in place: two of the layers hold it with different content";
    assert_failed(&refused, 98, &["a:1 and c:1 clash", path, "last-wins"]);
    assert_eq!(paths(into.path()), [""; 0]);
    // Directories may be shared, and files with equal content.
    let both = step(["a:1", "b:1"]).run();
    assert_eq!(both.code, Some(0), "{}", both.stderr);
    assert_eq!(paths(into.path()), ["shared", "shared/equal", "shared/file", "shared/other"]);
}

#[test]
fn a_title_that_occurs_twice_in_an_artifact_is_refused() {
    let registry = Embedded::start();
    let host = registry.host();
    put_artifact(&host, "a", "1", &[Layer::file("file", "one"), Layer::file("./file", "two")]);
    let into = tempfile::tempdir().unwrap();
    let outcome = try_pull(&host, "a:1", into.path());
    assert_failed(&outcome, 98, &["two layers of a:1 clash", "file cannot be put in place"]);
    assert_eq!(paths(into.path()), [""; 0]);
}

#[test]
fn inputs_go_to_the_input_path_or_the_working_directory() {
    let registry = Embedded::start();
    put_file(&registry.host(), "words", "en/words", "hello");
    for (flag, expected) in
        [(None, "en/words"), (Some("data/in"), "data/in/en/words"), (Some("./"), "en/words")]
    {
        let folder = tempfile::tempdir().unwrap();
        let mut agent = Agent::step(&registry.host(), ["cat", expected]).flag("--input=words:1");
        if let Some(path) = flag {
            agent = agent.flag(format!("--input-path={path}"));
        }
        let outcome = agent.directory(folder.path()).run();
        assert_eq!((outcome.code, outcome.stdout().as_str()), (Some(0), "hello"), "{}", outcome.stderr);
        assert_eq!(tree(folder.path())[Path::new(expected)], "file 644 \"hello\"");
    }
    let folder = tempfile::tempdir().unwrap();
    let absolute = folder.path().join("made/for/it");
    pull(&registry.host(), "words:1", &absolute);
    assert_eq!(fs::read_to_string(absolute.join("en/words")).unwrap(), "hello");
}

#[test]
fn without_an_input_the_command_is_not_started() {
    let registry = Embedded::start();
    put_file(&registry.host(), "there", "file", "new");
    let into = tempfile::tempdir().unwrap();
    write(&into.path().join("file"), "old", 0o640);
    let before = tree(into.path());
    for missing in ["missing:1", "there:2", &format!("there@sha256:{}", "0".repeat(64))] {
        let outcome = Agent::step(&registry.host(), ["touch", "started"])
            .directory(into.path())
            .flag("--input=there:1")
            .flag(format!("--input={missing}"))
            .run();
        assert_failed(&outcome, 98, &["cannot pull ", missing, &registry.host(), "is not in the registry"]);
        assert_eq!(tree(into.path()), before);
    }
}

#[test]
fn an_artifact_without_files_is_refused() {
    let registry = Embedded::start();
    let host = registry.host();
    put_artifact(&host, "a", "bare", &[Layer { content: b"x".to_vec(), annotations: Vec::new() }]);
    put_artifact(&host, "a", "empty", &[]);
    let part = manifest(&host, "a", "bare");
    let media_type = "application/vnd.oci.image.index.v1+json";
    let digest = tagged(&host, "a", "bare").unwrap();
    let size = http::ask(&host, "GET", "/v2/a/manifests/bare", &[], b"").body.len();
    let part = serde_json::json!({"mediaType": part["mediaType"], "digest": digest, "size": size});
    let index = serde_json::json!({"schemaVersion": 2, "mediaType": media_type, "manifests": [part]});
    http::put_manifest(&host, "a", "index", &index);
    let into = tempfile::tempdir().unwrap();
    for (tag, part) in [
        ("bare", "none of its layers has a title"),
        ("empty", "none of its layers has a title"),
        ("index", "index of several manifests"),
    ] {
        let outcome = try_pull(&host, &format!("a:{tag}"), into.path());
        assert_failed(&outcome, 98, &[&format!("a:{tag}"), part]);
        assert_eq!(paths(into.path()), [""; 0]);
    }
}

#[test]
fn a_digest_pins_an_input() {
    let registry = Embedded::start();
    put_file(&registry.host(), "a", "file", "first");
    let digest = tagged(&registry.host(), "a", "1").unwrap();
    put_file(&registry.host(), "a", "file", "second");
    for (uri, expected) in
        [("a:1".to_owned(), "second"), (format!("a@{digest}"), "first"), (format!("a:1@{digest}"), "first")]
    {
        let into = tempfile::tempdir().unwrap();
        pull(&registry.host(), &uri, into.path());
        assert_eq!(fs::read_to_string(into.path().join("file")).unwrap(), expected, "{uri}");
    }
}

#[test]
fn a_failed_pull_ends_with_98() {
    let forbidding = Embedded::refusing(401);
    let failing = Embedded::refusing(503);
    for (host, part) in [
        (forbidding.host(), "the registry refuses access (401"),
        (failing.host(), "the registry answered 503"),
        (test_registries::free_address().to_string(), "cannot be reached"),
    ] {
        let folder = tempfile::tempdir().unwrap();
        let outcome = Agent::step(&host, ["touch", "started"])
            .directory(folder.path())
            .flag("--input=a:1")
            .flag("--patience=1")
            .run();
        assert_failed(&outcome, 98, &["cannot pull a:1 from http://", &host, part]);
        assert_eq!(paths(folder.path()), [""; 0]);
    }
}

#[test]
fn a_wrong_registry_ends_with_97() {
    for (url, part) in [
        ("cache:5000", "neither http:// nor https://"),
        ("ftp://cache", "neither http:// nor https://"),
        ("http://cache/path", "behind the host"),
        ("http://ann:secret@cache", "credentials do not belong"),
        ("", "is no URL"),
    ] {
        let folder = tempfile::tempdir().unwrap();
        for transfer in [["--input=a:1"].as_slice(), &["--output=a:1", "--output-path=out"]] {
            let message = folder.path().join("message");
            let mut agent = Agent::new(["exec", &format!("--registry={url}")])
                .flag(format!("--termination-message={}", message.display()));
            for flag in transfer {
                agent = agent.flag(flag);
            }
            let outcome = agent.flag("--").flag("touch").flag("out").directory(folder.path()).run();
            let said = fs::read_to_string(&message).unwrap();
            assert_eq!(outcome.code, Some(97), "{url}: {said}");
            assert!(said.contains(part) && !said.contains("secret"), "{url}: {said}");
            assert!(!outcome.stderr.contains("secret"));
            assert!(!folder.path().join("out").exists(), "{url}: a bad request is known before the command");
        }
    }
}

#[test]
fn placeholders_of_inputs_and_outputs_are_replaced() {
    let registry = Embedded::start();
    put_file(&registry.host(), "in/lab/sim", "file", "seven");
    let folder = tempfile::tempdir().unwrap();
    let outcome = Agent::step(&registry.host(), ["cp", "file", "out"])
        .directory(folder.path())
        .flag("--input=in/{namespace}/{job}:1")
        .flag("--output=out/{job}:run-{index}-{pod}")
        .flag("--output-path=out")
        .env("ORASCACHE_NAMESPACE", "lab")
        .env("ORASCACHE_JOB", "sim")
        .env("ORASCACHE_INDEX", "7")
        .env("ORASCACHE_POD", "sim-7-x2x4z")
        .run();
    assert_eq!(outcome.code, Some(0), "{}", outcome.stderr);
    assert!(tagged(&registry.host(), "out/sim", "run-7-sim-7-x2x4z").is_some());
}

#[test]
fn placeholders_of_paths_are_replaced() {
    let registry = Embedded::start();
    put_file(&registry.host(), "in", "file", "seven");
    let folder = tempfile::tempdir().unwrap();
    let outcome = Agent::step(&registry.host(), ["sh", "-c", "cat in/7/file"])
        .directory(folder.path())
        .flag("--input=in:1")
        .flag("--input-path=in/{index}")
        .flag("--output=out:1")
        .flag("--output-path=out-{pod}")
        .flag("--output-pipe=out-{pod}")
        .env("ORASCACHE_INDEX", "7")
        .env("ORASCACHE_POD", "sim-7")
        .run();
    assert_eq!((outcome.code, outcome.stdout().as_str()), (Some(0), "seven"), "{}", outcome.stderr);
    assert_eq!(fs::read_to_string(folder.path().join("out-sim-7")).unwrap(), "seven");
    assert!(tagged(&registry.host(), "out", "1").is_some());
    assert!(!folder.path().join("out-{pod}").exists());
}

#[test]
fn a_signal_during_a_pull_leaves_nothing() {
    let registry = Embedded::start();
    put_artifact(&registry.host(), "a", "1", &[Layer::file("data", content(4 << 20, 3))]);
    for (signal, code) in [(Signal::TERM, 143), (Signal::INT, 130)] {
        let network = Network::to(&registry.host());
        network.when(Event::Received(2 << 20), Reaction::Hold);
        let into = tempfile::tempdir().unwrap();
        write(&into.path().join("data"), "old", 0o644);
        let before = tree(into.path());
        let running = Agent::step(&network.host(), ["touch", "started"])
            .directory(into.path())
            .flag("--input=a:1")
            .start();
        network.wait_until_held(1);
        running.signal(signal);
        let outcome = running.wait();
        assert_failed(&outcome, code, &["came before the command was started"]);
        assert_eq!(tree(into.path()), before);
    }
}
