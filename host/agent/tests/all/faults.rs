//! Transfers with cut networks, killed registries, full disks and killed steps.

use crate::support::http::{Layer, put_artifact, tagged};
use crate::support::tree::{content, paths, tree, write};
use crate::support::{Agent, Finished, assert_failed, eventually, program, pull, push, try_pull};
use rustix::process::{Signal, kill_process_group};
use std::fs;
use std::path::Path;
use test_registries::{DockerRegistry, Embedded, Event, Network, Reaction, namespaces, registries};

/// Large enough that buffers cannot hold it.
const SIZE: usize = 6 << 20;

/// A directory of several files that cannot be compressed.
fn large(root: &Path) {
    for n in 0..3 {
        write(&root.join(format!("out/{n}")), content(SIZE / 3, n), 0o644);
    }
}

/// A step that pushes `out` of a directory as `a:1`.
fn pushing(host: &str, directory: &Path) -> Agent {
    let agent = Agent::step(host, ["true"]).directory(directory);
    agent.flag("--output=a:1").flag("--output-path=out")
}

/// The files of a pull of `a:1`.
fn pulled(host: &str) -> std::collections::BTreeMap<std::path::PathBuf, String> {
    let into = tempfile::tempdir().unwrap();
    pull(host, "a:1", into.path());
    tree(into.path())
}

#[test]
fn a_pull_continues_after_a_cut() {
    let from = tempfile::tempdir().unwrap();
    large(from.path());
    for (host, _registry) in registries() {
        push(&host, "a:1", &from.path().join("out"));
        for offset in [1, 1000, 1 << 20, SIZE as u64 - 1000] {
            let network = Network::to(&host);
            network.when(Event::Received(offset), Reaction::Cut);
            network.when(Event::Received(offset + 100_000), Reaction::Cut);
            let into = tempfile::tempdir().unwrap();
            pull(&network.host(), "a:1", into.path());
            assert_eq!(tree(into.path()), tree(from.path()), "{host} {offset}");
            assert!(network.cuts() > 0, "{host} {offset}");
        }
    }
}

#[test]
fn bytes_before_a_cut_are_not_requested_again() {
    // The embedded registry does not know ranges, and sends everything again.
    let Some(registry) = DockerRegistry::start() else { return };
    let from = tempfile::tempdir().unwrap();
    large(from.path());
    push(&registry.host(), "a:1", &from.path().join("out"));
    let network = Network::to(&registry.host());
    network.when(Event::Received(SIZE as u64 / 2), Reaction::Cut);
    let into = tempfile::tempdir().unwrap();
    pull(&network.host(), "a:1", into.path());
    assert_eq!((network.cuts(), tree(into.path())), (1, tree(from.path())));
    assert!(network.received() < SIZE as u64 + (1 << 20), "{} bytes", network.received());
}

#[test]
fn a_push_continues_after_a_cut() {
    let from = tempfile::tempdir().unwrap();
    large(from.path());
    for (host, _registry) in registries() {
        for (n, offset) in [1, 1000, 1 << 20, SIZE as u64 - 1000].into_iter().enumerate() {
            // New content, which the registry does not have.
            write(&from.path().join("out/own"), content(100_000, 100 + n as u64), 0o644);
            let network = Network::to(&host);
            network.when(Event::Sent(offset), Reaction::Cut);
            network.when(Event::Sent(offset + 20_000), Reaction::Cut);
            push(&network.host(), "a:1", &from.path().join("out"));
            assert_eq!(network.cuts(), 2, "{host} {offset}");
            assert_eq!(pulled(&host), tree(from.path()), "{host} {offset}");
        }
    }
}

#[test]
fn a_pull_survives_a_restart_of_the_registry() {
    let Some(mut registry) = DockerRegistry::start() else { return };
    let from = tempfile::tempdir().unwrap();
    large(from.path());
    push(&registry.host(), "a:1", &from.path().join("out"));
    let network = Network::to(&registry.host());
    network.when(Event::Received(2 << 20), Reaction::Hold);
    let into = tempfile::tempdir().unwrap();
    let running = Agent::step(&network.host(), ["true"]).directory(into.path()).flag("--input=a:1").start();
    network.wait_until_held(1);
    registry.kill();
    network.clear();
    registry.restart();
    let outcome = running.wait();
    assert_eq!(outcome.code, Some(0), "{}", outcome.stderr);
    assert_eq!(tree(into.path()), tree(from.path()));
}

#[test]
fn a_push_survives_a_restart_of_the_registry() {
    let Some(mut registry) = DockerRegistry::start() else { return };
    let from = tempfile::tempdir().unwrap();
    large(from.path());
    let network = Network::to(&registry.host());
    // In the middle of the blob, and before the tag.
    for event in [Event::Sent(2 << 20), Event::Request("PUT /v2/a/manifests/".to_owned())] {
        write(&from.path().join("out/own"), content(100_000, network.sent()), 0o644);
        network.when(event, Reaction::Hold);
        let running = pushing(&network.host(), from.path()).start();
        network.wait_until_held(1);
        registry.kill();
        network.clear();
        registry.restart();
        let outcome = running.wait();
        assert_eq!(outcome.code, Some(0), "{}", outcome.stderr);
        assert_eq!(pulled(&registry.host()), tree(from.path()));
    }
}

#[test]
fn a_registry_that_stays_away_ends_the_transfer() {
    let Some(mut registry) = DockerRegistry::start() else { return };
    let from = tempfile::tempdir().unwrap();
    large(from.path());
    push(&registry.host(), "a:1", &from.path().join("out"));
    let network = Network::to(&registry.host());
    network.when(Event::Received(2 << 20), Reaction::Hold);
    let into = tempfile::tempdir().unwrap();
    let running = Agent::step(&network.host(), ["touch", "started"])
        .directory(into.path())
        .flag("--input=a:1")
        .flag("--patience=1")
        .start();
    network.wait_until_held(1);
    registry.kill();
    network.sever();
    assert_failed(&running.wait(), 98, &["cannot pull a:1 from http://", "cannot be reached"]);
    assert_eq!(paths(into.path()), [""; 0]);
    registry.restart();
    write(&from.path().join("out/own"), content(100_000, 9), 0o644);
    network.when(Event::Sent(2 << 20), Reaction::Hold);
    let running = pushing(&network.host(), from.path()).flag("--patience=1").start();
    network.wait_until_held(1);
    registry.kill();
    network.sever();
    assert_failed(&running.wait(), 99, &["cannot push a:1 to http://", "cannot be reached"]);
}

#[test]
fn a_registry_that_falls_silent_ends_the_transfer() {
    let registry = Embedded::start();
    let from = tempfile::tempdir().unwrap();
    large(from.path());
    push(&registry.host(), "a:1", &from.path().join("out"));
    let host = &registry.host();
    // Each transfer waits for as long as its patience says: they wait side by side.
    std::thread::scope(|scope| {
        for event in [Event::Received(2 << 20), Event::Request("GET /v2/a/manifests/".to_owned())] {
            scope.spawn(move || assert_silence_ends_a_pull(host, event));
        }
        for event in ["HEAD ", "POST ", "PATCH ", "PUT /v2/a/blobs/", "PUT /v2/a/manifests/"] {
            scope.spawn(move || assert_silence_ends_a_push(host, event));
        }
    });
}

/// A pull of `a:1` through a network that falls silent at this event.
fn assert_silence_ends_a_pull(host: &str, event: Event) {
    let network = Network::to(host);
    network.when(event, Reaction::Hold);
    // Further attempts are not answered either.
    network.when(Event::Request("GET ".to_owned()), Reaction::Hold);
    let into = tempfile::tempdir().unwrap();
    let outcome = Agent::step(&network.host(), ["touch", "started"])
        .directory(into.path())
        .flag("--input=a:1")
        .flag("--patience=2")
        .run();
    assert_failed(&outcome, 98, &["cannot pull a:1", "nothing came for 2 s"]);
    assert_eq!(paths(into.path()), [""; 0]);
}

/// A push of new content through a network that falls silent at requests that begin like this.
fn assert_silence_ends_a_push(host: &str, request: &str) {
    let from = tempfile::tempdir().unwrap();
    large(from.path());
    write(&from.path().join("out/own"), content(100_000, request.len() as u64), 0o644);
    let network = Network::to(host);
    network.when(Event::Request(request.to_owned()), Reaction::Hold);
    let outcome = pushing(&network.host(), from.path()).flag("--patience=2").run();
    assert_failed(&outcome, 99, &["cannot push a:1", "nothing came for 2 s"]);
}

#[test]
fn a_push_that_is_cut_after_its_blobs_leaves_the_tag() {
    for (host, _registry) in registries() {
        let from = tempfile::tempdir().unwrap();
        large(from.path());
        push(&host, "a:1", &from.path().join("out"));
        let (old, digest) = (tree(from.path()), tagged(&host, "a", "1"));
        write(&from.path().join("out/own"), content(100_000, 9), 0o644);
        // The manifest is written under its digest first, and then under the tag.
        for at in ["PUT /v2/a/manifests/", "PUT /v2/a/manifests/1 "] {
            let network = Network::to(&host);
            network.when(Event::Request(at.to_owned()), Reaction::Cut);
            let outcome = pushing(&network.host(), from.path()).flag("--patience=1").run();
            assert_failed(&outcome, 99, &["cannot push a:1"]);
            assert!(network.cuts() > 0);
            assert_eq!((tagged(&host, "a", "1"), pulled(&host)), (digest.clone(), old.clone()), "{at}");
            let network = Network::to(&host);
            network.when(Event::Request(at.to_owned()), Reaction::Hold);
            let running = pushing(&network.host(), from.path()).start();
            network.wait_until_held(1);
            kill_process_group(running.id(), Signal::KILL).unwrap();
            assert_eq!(running.wait().signal, Some(9));
            drop(network);
            assert_eq!((tagged(&host, "a", "1"), pulled(&host)), (digest.clone(), old.clone()), "{at}");
        }
        push(&host, "a:1", &from.path().join("out"));
        assert_eq!(pulled(&host), tree(from.path()));
    }
}

#[test]
fn what_a_killed_pull_has_left_is_removed_by_a_later_one() {
    let registry = Embedded::start();
    put_artifact(&registry.host(), "a", "1", &[Layer::file("data", content(SIZE, 1))]);
    let into = tempfile::tempdir().unwrap();
    write(&into.path().join("old"), "old", 0o644);
    let network = Network::to(&registry.host());
    network.when(Event::Received(SIZE as u64 / 2), Reaction::Hold);
    let running =
        Agent::step(&network.host(), ["touch", "started"]).directory(into.path()).flag("--input=a:1").start();
    network.wait_until_held(1);
    // The content may be in buffers while the agent is about to create its hidden directory.
    let is_hidden = |entry: fs::DirEntry| entry.file_name().to_string_lossy().starts_with(".orascache-pull-");
    eventually("the hidden directory", || fs::read_dir(into.path()).unwrap().flatten().any(is_hidden));
    kill_process_group(running.id(), Signal::KILL).unwrap();
    assert_eq!(running.wait().signal, Some(9));
    let left = paths(into.path());
    let hidden = left.iter().find(|path| path.starts_with(".orascache-pull-") && !path.contains('/'));
    let hidden = into.path().join(hidden.expect("the hidden directory"));
    assert!(left.contains(&"old".to_owned()) && !left.iter().any(|path| path == "data" || path == "started"));
    // It may belong to a pull on another node, as long as it was touched lately.
    pull(&registry.host(), "a:1", into.path());
    assert!(hidden.exists());
    let long_ago = std::time::SystemTime::now() - std::time::Duration::from_secs(3600);
    fs::File::open(&hidden).unwrap().set_modified(long_ago).unwrap();
    pull(&registry.host(), "a:1", into.path());
    assert_eq!(paths(into.path()), ["data", "old"]);
}

#[test]
fn a_step_killed_in_its_command_or_its_push_tags_nothing() {
    let registry = Embedded::start();
    let from = tempfile::tempdir().unwrap();
    large(from.path());
    let running = Agent::step(&registry.host(), ["sh", "-c", "echo ready; exec sleep 1000"])
        .directory(from.path())
        .flag("--output=a:1")
        .flag("--output-path=out")
        .start();
    running.wait_for("ready\n");
    kill_process_group(running.id(), Signal::KILL).unwrap();
    assert_eq!(running.wait().signal, Some(9));
    assert_eq!(tagged(&registry.host(), "a", "1"), None);
    let network = Network::to(&registry.host());
    network.when(Event::Sent(2 << 20), Reaction::Hold);
    let running = pushing(&network.host(), from.path()).start();
    network.wait_until_held(1);
    kill_process_group(running.id(), Signal::KILL).unwrap();
    assert_eq!(running.wait().signal, Some(9));
    drop(network);
    assert_eq!(tagged(&registry.host(), "a", "1"), None);
    push(&registry.host(), "a:1", &from.path().join("out"));
    assert_eq!(pulled(&registry.host()), tree(from.path()));
}

/// Artifacts of one large file, and of a directory with one.
fn put_large(host: &str) {
    let from = tempfile::tempdir().unwrap();
    write(&from.path().join("directory/data"), content(SIZE, 1), 0o644);
    write(&from.path().join("file"), content(SIZE, 2), 0o644);
    push(host, "directory:1", &from.path().join("directory"));
    push(host, "file:1", &from.path().join("file"));
}

#[test]
fn a_full_disk_is_reported_and_leaves_the_target_unchanged() {
    if !namespaces() {
        return;
    }
    let registry = Embedded::start();
    put_large(&registry.host());
    let script = r#"
        mount -t tmpfs -o size=2m none "$INTO" && echo old > "$INTO/old" || exit 1
        cd "$INTO"
        "$AGENT" exec --registry=http://$HOST --termination-message=/dev/null --input=$NAME:1 -- touch started
        code=$?
        find . -mindepth 1
        exit $code
    "#;
    for name in ["directory", "file"] {
        let into = tempfile::tempdir().unwrap();
        let outcome = Agent::of("unshare", ["--map-root-user", "--mount", "sh", "-c", script])
            .env("INTO", into.path())
            .env("AGENT", program())
            .env("HOST", registry.host())
            .env("NAME", name)
            .run();
        assert_eq!(outcome.code, Some(98), "{}", outcome.stderr);
        assert!(outcome.stderr.contains("no space left on the device"), "{}", outcome.stderr);
        assert_eq!(outcome.stdout(), "./old\n");
    }
}

#[test]
fn a_file_size_limit_is_reported_and_leaves_the_target_unchanged() {
    let registry = Embedded::start();
    put_large(&registry.host());
    for name in ["directory", "file"] {
        let into = tempfile::tempdir().unwrap();
        write(&into.path().join("old"), "old", 0o644);
        // `ulimit -f` counts in units of 512 bytes (POSIX, Shell and Utilities, ulimit).
        let outcome: Finished = Agent::of("sh", ["-c", "ulimit -f 4000; exec \"$AGENT\" \"$@\"", "sh"])
            .env("AGENT", program())
            .directory(into.path())
            .flag("exec")
            .flag(format!("--registry=http://{}", registry.host()))
            .flag(format!("--input={name}:1"))
            .flag("--termination-message=/dev/null")
            .flag("--")
            .flag("touch")
            .flag("started")
            .run();
        assert_eq!(outcome.code, Some(98), "{}", outcome.stderr);
        assert!(outcome.stderr.contains("cannot be written: File too large"), "{}", outcome.stderr);
        assert_eq!(paths(into.path()), ["old"]);
    }
}

#[test]
fn a_read_only_directory_is_reported() {
    let registry = Embedded::start();
    put_artifact(&registry.host(), "a", "1", &[Layer::file("data", "x")]);
    let folder = tempfile::tempdir().unwrap();
    write(&folder.path().join("file"), "x", 0o644);
    let outcome = try_pull(&registry.host(), "a:1", &folder.path().join("file"));
    assert_failed(&outcome, 98, &["cannot be written", "file"]);
    let outcome = try_pull(&registry.host(), "a:1", Path::new("/proc/1/x"));
    assert_failed(&outcome, 98, &["/proc/1/x", "cannot be written"]);
    assert_eq!(fs::read_to_string(folder.path().join("file")).unwrap(), "x");
}

#[test]
fn a_registry_with_a_full_disk_is_reported() {
    let Some(registry) = DockerRegistry::on_small_disk(2 << 20) else { return };
    let from = tempfile::tempdir().unwrap();
    write(&from.path().join("out"), "small", 0o644);
    push(&registry.host(), "a:1", &from.path().join("out"));
    let old = tagged(&registry.host(), "a", "1");
    assert!(old.is_some());
    write(&from.path().join("out"), content(SIZE, 1), 0o644);
    let outcome = pushing(&registry.host(), from.path()).flag("--patience=1").run();
    assert_failed(&outcome, 99, &["cannot push a:1", "the registry answered 500"]);
    assert_eq!(tagged(&registry.host(), "a", "1"), old);
}

#[test]
fn a_registry_that_lost_its_data_gets_the_blobs_again() {
    let Some(registry) = DockerRegistry::start() else { return };
    let from = tempfile::tempdir().unwrap();
    large(from.path());
    let network = Network::to(&registry.host());
    network.when(Event::Request("PUT /v2/a/manifests/".to_owned()), Reaction::Hold);
    let running = pushing(&network.host(), from.path()).start();
    network.wait_until_held(1);
    // The blobs are pushed, and the manifest is not. A registry without storage loses the blobs
    // when it is restarted.
    fs::remove_dir_all(registry.data()).unwrap();
    network.clear();
    let finished = running.wait();
    assert_eq!(finished.code, Some(0), "{}", finished.stderr);
    assert_eq!(pulled(&registry.host()), tree(from.path()));
}
