//! The commands `pull` and `push`.

use crate::support;
use crate::support::http::{Layer, manifest, put_artifact, tagged};
use crate::support::tree::{content, paths, tree, write};
use crate::support::{Agent, Finished};
use rustix::fs::{Mode, OFlags, open};
use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};
use std::fs::File;
use std::io::{Read, Seek, SeekFrom, Write};
use std::path::Path;
use test_registries::{DockerRegistry, Embedded, Event, Network, Reaction};

/// Password "secret" of user "ann".
const HTPASSWD: &str = include_str!("../../../oci-registry-client/tests/htpasswd");

/// A call in a directory, by a person without any credentials of their own.
fn call(directory: &Path, words: &[&str]) -> Agent {
    let nowhere = directory.join("no-configuration");
    let agent = Agent::new(words).directory(directory).env("HOME", &nowhere).env("DOCKER_CONFIG", &nowhere);
    ["ORAS_USER", "ORAS_PULL_PASS", "ORAS_PUSH_PASS"].into_iter().fold(agent, Agent::env_remove)
}

/// A file to read standard input from.
fn typed(text: &str) -> File {
    let mut file = tempfile::tempfile().unwrap();
    file.write_all(text.as_bytes()).unwrap();
    file.seek(SeekFrom::Start(0)).unwrap();
    file
}

fn assert_failed(outcome: &Finished, code: i32, parts: &[&str]) {
    assert_eq!((outcome.code, outcome.stdout().as_str()), (Some(code), ""), "{}", outcome.stderr);
    assert_eq!(outcome.stderr.lines().count(), 1, "{}", outcome.stderr);
    for part in parts {
        assert!(outcome.stderr.contains(part), "{part:?} is not in {}", outcome.stderr);
    }
}

#[test]
fn a_pushed_artifact_is_pulled_unchanged() {
    let registry = Embedded::start();
    let from = tempfile::tempdir().unwrap();
    write(&from.path().join("words/en"), "hello", 0o640);
    write(&from.path().join("one"), content(2 << 20, 1), 0o644);
    let artifact = format!("{}/flow/words:1", registry.host());
    let pushed = call(from.path(), &["push", &artifact, "words", "./one"]).run();
    let digest = tagged(&registry.host(), "flow/words", "1").unwrap();
    assert_eq!((pushed.code, pushed.stderr.as_str()), (Some(0), ""));
    assert!(pushed.stdout().starts_with(&format!("pushed {artifact} ({digest}")), "{}", pushed.stdout());
    for name in [artifact.clone(), format!("http://{artifact}"), format!("{artifact}@{digest}")] {
        let into = tempfile::tempdir().unwrap();
        let pulled = call(into.path(), &["pull", &name]).run();
        assert_eq!((pulled.code, pulled.stderr.as_str()), (Some(0), ""), "{name}");
        assert!(pulled.stdout().contains(&digest) && pulled.stdout().lines().count() == 1);
        assert_eq!(tree(into.path()), tree(from.path()), "{name}");
    }
    let into = tempfile::tempdir().unwrap();
    assert_eq!(call(into.path(), &["pull", &artifact, "a/b"]).run().code, Some(0));
    assert_eq!(tree(&into.path().join("a/b")), tree(from.path()));
}

#[test]
fn an_artifact_has_the_type_and_annotations_that_are_named() {
    let registry = Embedded::start();
    let from = tempfile::tempdir().unwrap();
    write(&from.path().join("out/file"), "x", 0o644);
    let artifact = format!("{}/a:1", registry.host());
    let typed = "--artifact-type=application/vnd.words";
    let words =
        ["push", typed, "--annotation", "a=b=c", "--annotation=d=", "--unpack=false", &artifact, "out"];
    let outcome = call(from.path(), &words).run();
    assert_eq!(outcome.code, Some(0), "{}", outcome.stderr);
    let manifest = manifest(&registry.host(), "a", "1");
    assert_eq!(manifest["artifactType"], "application/vnd.words");
    assert_eq!(manifest["annotations"], serde_json::json!({"a": "b=c", "d": ""}));
    assert!(manifest["layers"][0]["annotations"].get("io.deis.oras.content.unpack").is_none());
}

#[test]
fn failures_end_with_1_and_wrong_arguments_with_2() {
    let registry = Embedded::start();
    let host = registry.host();
    let folder = tempfile::tempdir().unwrap();
    write(&folder.path().join("file"), "x", 0o644);
    let artifact = |text: &str| format!("{host}/{text}");
    let pinned = artifact(&format!("a:1@sha256:{}", "0".repeat(64)));
    for (words, code, parts) in [
        (vec!["pull", &artifact("a:1")], 1, vec!["cannot pull a:1", "is not in the registry"]),
        (vec!["pull", "127.0.0.1:9/a:1", "--patience=0"], 1, vec!["cannot be reached"]),
        (vec!["push", "127.0.0.1:9/a:1", "file", "--patience=0"], 1, vec!["cannot be reached"]),
        (vec!["push", &artifact("a:1"), "missing"], 1, vec!["missing", "cannot be read"]),
        (vec!["pull", "a:1"], 2, vec!["\"a:1\"", "registry.example.org"]),
        (vec!["pull", "flow/words:1"], 2, vec!["does not begin with the host"]),
        (vec!["pull", &artifact("Upper:1")], 2, vec!["Upper", "lower case"]),
        (vec!["pull", "ftp://a.b/c"], 2, vec!["neither http nor https"]),
        (vec!["pull", "ann:secret@a.b/c"], 2, vec!["credentials do not belong"]),
        (vec!["push", &pinned, "file"], 2, vec!["names a digest"]),
        (vec!["push", &artifact("a:1"), "/"], 2, vec!["root of the file system"]),
    ] {
        let outcome = call(folder.path(), &words).run();
        assert_failed(&outcome, code, &parts);
        assert!(!outcome.stderr.contains("secret"), "{}", outcome.stderr);
    }
    for words in [
        vec!["pull"],
        vec!["push", &artifact("a:1")],
        vec!["push", &artifact("a:1"), "file", "--annotation=x"],
        vec!["pull", &artifact("a:1"), "--username=ann"],
        vec!["pull", &artifact("a:1"), "--password-stdin"],
    ] {
        let outcome = call(folder.path(), &words).run();
        assert_eq!((outcome.code, outcome.stdout().as_str()), (Some(2), ""), "{words:?}: {}", outcome.stderr);
    }
    assert_eq!(paths(folder.path()), ["file"]);
}

#[test]
fn passwords_come_from_standard_input_the_environment_or_docker() {
    let Some(registry) = DockerRegistry::with_password(HTPASSWD) else { return };
    let host = registry.host();
    let from = tempfile::tempdir().unwrap();
    write(&from.path().join("file"), "x", 0o644);
    let artifact = format!("{host}/a:1");
    let push = || call(from.path(), &["push", &artifact, "file", "--patience=5"]);
    let with_stdin = |password| push().flag("--username=ann").flag("--password-stdin").stdin(typed(password));
    let configured = |secret: &str| {
        // As `docker login` writes it: base64 of user and password (RFC 4648).
        let configuration = serde_json::json!({"auths": {&host: {"auth": secret}}});
        write(&from.path().join("docker/config.json"), configuration.to_string(), 0o600);
        push().env("DOCKER_CONFIG", from.path().join("docker"))
    };
    assert_failed(&push().run(), 1, &["refuses access (401", "none were given"]);
    for wrong in [
        with_stdin("hunter2\n"),
        push().env("ORAS_USER", "ann").env("ORAS_PUSH_PASS", "hunter2"),
        // ann:hunter2
        configured("YW5uOmh1bnRlcjI="),
    ] {
        let outcome = wrong.run();
        assert_failed(&outcome, 1, &["refuses access (401", "check the credentials"]);
        assert!(!outcome.stderr.contains("hunter2"), "{}", outcome.stderr);
    }
    for right in [
        with_stdin("secret\n"),
        with_stdin("secret"),
        push().env("ORAS_USER", "ann").env("ORAS_PUSH_PASS", "secret"),
        // ann:secret
        configured("YW5uOnNlY3JldA=="),
    ] {
        let outcome = right.run();
        assert_eq!(outcome.code, Some(0), "{}", outcome.stderr);
    }
    let into = tempfile::tempdir().unwrap();
    let pulled = call(into.path(), &["pull", &artifact, "--username=ann", "--password-stdin"])
        .stdin(typed("secret\n"))
        .run();
    assert_eq!(pulled.code, Some(0), "{}", pulled.stderr);
    assert_eq!(paths(into.path()), ["file"]);
}

/// A folder with a credential helper, which is a script.
fn helper(name: &str, script: &str) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    write(&folder.path().join(format!("docker-credential-{name}")), format!("#!/bin/sh\n{script}\n"), 0o755);
    folder
}

#[test]
fn credential_helpers_are_asked_as_docker_asks_them() {
    let open = Embedded::start();
    let from = tempfile::tempdir().unwrap();
    write(&from.path().join("file"), "x", 0o644);
    let push = |host: &str, store: &str, helper: &Path| {
        let configuration = serde_json::json!({"auths": {host: {}}, "credsStore": store});
        write(&from.path().join("docker/config.json"), configuration.to_string(), 0o600);
        let path = format!("{}:{}", helper.display(), std::env::var("PATH").unwrap());
        call(from.path(), &["push", &format!("{host}/a:1"), "file", "--patience=5"])
            .env("DOCKER_CONFIG", from.path().join("docker"))
            .env("PATH", path)
            .run()
    };
    // A helper without credentials and one that is not installed mean anonymous access.
    let without =
        helper("keychain", "cat > /dev/null; echo 'credentials not found in native keychain'; exit 1");
    for store in ["keychain", "not-installed"] {
        let outcome = push(&open.host(), store, without.path());
        assert_eq!(outcome.code, Some(0), "{store}: {}", outcome.stderr);
    }
    let failing = helper("keychain", "echo 'hunter2: the keychain is locked'; exit 1");
    let outcome = push(&open.host(), "keychain", failing.path());
    assert_failed(&outcome, 2, &["the credential helper docker-credential-keychain", "fails for"]);
    assert!(!outcome.stderr.contains("hunter2"), "{}", outcome.stderr);
    let Some(closed) = DockerRegistry::with_password(HTPASSWD) else { return };
    let host = closed.host();
    let answer = r#"echo '{"ServerURL":"x","Username":"ann","Secret":"secret"}'"#;
    let with = helper("keychain", &format!(r#"read server; [ "$server" = {host} ] && {answer}"#));
    let outcome = push(&host, "keychain", with.path());
    assert_eq!(outcome.code, Some(0), "{}", outcome.stderr);
}

#[test]
fn a_damaged_configuration_of_docker_is_an_error() {
    let registry = Embedded::start();
    let from = tempfile::tempdir().unwrap();
    write(&from.path().join("docker/config.json"), r#"{"auths":{"x":{"auth":"hunter2"}},}"#, 0o600);
    let outcome = call(from.path(), &["pull", &format!("{}/a:1", registry.host())])
        .env("DOCKER_CONFIG", from.path().join("docker"))
        .run();
    assert_failed(&outcome, 2, &["docker/config.json is damaged at line 1", "mend it"]);
    assert!(!outcome.stderr.contains("hunter2"), "{}", outcome.stderr);
}

#[test]
fn two_paths_with_one_name_are_refused() {
    let registry = Embedded::start();
    let from = tempfile::tempdir().unwrap();
    let paths = ["a/out.txt", "b/out.txt"].map(|path| from.path().join(path));
    for path in &paths {
        write(path, path.display().to_string(), 0o644);
    }
    let paths = paths.map(|path| path.display().to_string());
    let artifact = format!("{}/a:1", registry.host());
    let outcome = call(from.path(), &["push", &artifact, &paths[0], &paths[1]]).run();
    assert_failed(&outcome, 2, &[&paths[0], &paths[1], "both be restored as \"out.txt\""]);
    assert_eq!(tagged(&registry.host(), "a", "1"), None);
}

#[test]
fn the_limit_of_archives_can_be_raised() {
    let registry = Embedded::start();
    let archive = support::tar::Tar::default().file("x/data", &"0".repeat(5000)).end();
    put_artifact(&registry.host(), "a", "1", &[Layer::archive("x", archive)]);
    let into = tempfile::tempdir().unwrap();
    let artifact = format!("{}/a:1", registry.host());
    let refused = call(into.path(), &["pull", &artifact, "--max-unpacked=4000"]).run();
    assert_failed(&refused, 1, &["\"x\"", "4000"]);
    assert_eq!(paths(into.path()), [""; 0]);
    let taken = call(into.path(), &["pull", &artifact, "--max-unpacked=10000"]).run();
    assert_eq!(taken.code, Some(0), "{}", taken.stderr);
    assert_eq!(paths(into.path()), ["x", "x/data"]);
}

/// A terminal: the end of the person, and the end of the program.
fn terminal() -> (File, File) {
    let master = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY).unwrap();
    grantpt(&master).unwrap();
    unlockpt(&master).unwrap();
    let name = ptsname(&master, Vec::new()).unwrap();
    let slave = open(&name, OFlags::RDWR | OFlags::NOCTTY, Mode::empty()).unwrap();
    (File::from(master), File::from(slave))
}

#[test]
fn a_terminal_shows_how_far_a_transfer_is() {
    let registry = Embedded::start();
    put_artifact(&registry.host(), "a", "1", &[Layer::file("da\u{1b}[2Jta", content(4 << 20, 1))]);
    let network = Network::to(&registry.host());
    network.when(Event::Received(2 << 20), Reaction::Hold);
    let into = tempfile::tempdir().unwrap();
    let (mut screen, slave) = terminal();
    let running = call(into.path(), &["pull", &format!("{}/a:1", network.host())]).stderr(slave).start();
    let mut seen = String::new();
    let mut buffer = [0; 4096];
    // The end of a terminal is an error.
    while let Ok(length @ 1..) = screen.read(&mut buffer) {
        seen.push_str(&String::from_utf8_lossy(&buffer[..length]));
        // A part of it is shown before the rest has come.
        if seen.contains("of 4.00 MiB") {
            network.clear();
        }
    }
    let outcome = running.wait();
    assert_eq!(outcome.code, Some(0), "{seen}");
    assert!(seen.contains("da?[2Jta") && !seen.contains("da\u{1b}"), "{seen:?}");
    assert!(outcome.stdout().starts_with("pulled "));
}
