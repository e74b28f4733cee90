//! `supervise-registry` with Debian's registry, and `prune` that has its garbage collected.

use crate::support::copies::raw;
use crate::support::http::{ask, manifest, put_blob};
use crate::support::prunes::{DAY, ago, put_of};
use crate::support::supervised::{Pod, end};
use crate::support::{Agent, eventually, exists, pull, push};
use rustix::process::{Pid, Signal, kill_process};
use std::fs;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use test_registries::{Event, Network, Reaction};

/// A script that stops before it looks or deletes, until the test lets it go on.
const STOPS: &str = r#"
step=${LOOK:+looking}; step=${step:-deleting}
touch "$POD/$step"
until [ -e "$POD/go-$step" ]; do sleep 0.01; done
collect "$@""#;

fn layer(host: &str, tag: &str) -> String {
    manifest(host, "a", tag)["layers"][0]["digest"].as_str().unwrap().to_owned()
}

/// Puts an artifact that goes, and one that stays. Returns the digests of their layers.
fn old_and_new(host: &str) -> [String; 2] {
    put_of(host, "a", "old", &ago(9 * DAY));
    put_of(host, "a", "new", &ago(DAY));
    ["old", "new"].map(|tag| layer(host, tag))
}

/// The process of the registry under a supervisor.
fn registry_of(supervisor: Pid) -> String {
    let id = supervisor.as_raw_nonzero();
    let children = || fs::read_to_string(format!("/proc/{id}/task/{id}/children")).unwrap_or_default();
    eventually("the registry", || !children().trim().is_empty());
    children().split_ascii_whitespace().next().unwrap().to_owned()
}

fn may_be_written(pod: &Pod) {
    pod.wait_until_it_listens();
    put_blob(&pod.host(), "writable", b"x");
}

#[test]
fn what_was_deleted_is_gone_from_the_disk_and_the_rest_is_there() {
    let Some(pod) = Pod::new() else { return };
    let running = pod.start();
    let [old, new] = old_and_new(&pod.host());
    assert!(pod.has(&old) && pod.has(&new));
    let line = pod.prune();
    let start = "deleted 1 tags and 1 manifests, 1 tags are left; garbage collection freed ";
    assert!(line.starts_with(start), "{line}");
    assert!(line.contains(" blobs, and the registry took no writes for "), "{line}");
    assert!(!pod.has(&old) && pod.has(&new));
    assert!(raw(&pod.host(), "a", "new").is_some() && raw(&pod.host(), "a", "old").is_none());
    may_be_written(&pod);
    assert_eq!(end(running).code, Some(0));
}

#[test]
fn the_freed_bytes_are_those_of_the_blobs_that_are_gone() {
    let Some(pod) = Pod::new() else { return };
    let running = pod.start();
    old_and_new(&pod.host());
    let gone = raw(&pod.host(), "a", "old").unwrap().1.len() + "a:old".len();
    let outcome = pod.pruning().run();
    let (line, message) = (outcome.stdout(), outcome.message.unwrap());
    let wanted = format!("freed {}, 2 blobs,", indicatif::HumanBytes(gone as u64));
    assert!(line.contains(&wanted), "{wanted}: {line}");
    // The operator reads it.
    assert!(message.contains(&format!("\"freedBytes\":{gone}")), "{message}");
    end(running);
}

#[test]
fn a_registry_with_nothing_to_free_is_not_restarted() {
    let Some(pod) = Pod::new() else { return };
    let running = pod.start();
    let before = registry_of(running.id());
    // Nothing was ever pushed.
    assert!(pod.prune().ends_with("; garbage collection found nothing to free\n"));
    put_of(&pod.host(), "a", "new", &ago(DAY));
    assert!(pod.prune().ends_with("; garbage collection found nothing to free\n"));
    assert_eq!(registry_of(running.id()), before);
    let outcome = end(running);
    assert_eq!(outcome.code, Some(0));
    assert!(!outcome.stderr.contains("takes no writes"), "{}", outcome.stderr);
}

#[test]
fn pulls_go_on_during_a_collection_and_pushes_wait_for_its_end() {
    let Some(pod) = Pod::with_collector(STOPS) else { return };
    let running = pod.start();
    let host = pod.host();
    let [old, _] = old_and_new(&host);
    pod.touch("go-looking");
    let pruning = pod.pruning().start();
    pod.wait_for("deleting");
    pod.wait_until_it_listens();
    assert!(raw(&host, "a", "new").is_some());
    let refused = ask(&host, "POST", "/v2/a/blobs/uploads/", &[], b"");
    assert_eq!(refused.status, 405);
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("words");
    fs::write(&file, "words").unwrap();
    let output_path = format!("--output-path={}", file.display());
    // Its own patience ends long before the collection.
    let pushing = Agent::step(&host, ["true"])
        .flag("--output=flow/words:1")
        .flag(output_path)
        .flag("--patience=11")
        .start();
    running.wait_for("\"POST /v2/flow/words/blobs/uploads/ HTTP/1.1\" 405");
    pod.touch("go-deleting");
    let outcome = pushing.wait();
    assert_eq!(outcome.code, Some(0), "{}", outcome.stderr);
    assert_eq!(pruning.wait().code, Some(0));
    assert!(!pod.has(&old));
    pull(&host, "flow/words:1", &folder.path().join("pulled"));
    assert_eq!(fs::read_to_string(folder.path().join("pulled/words")).unwrap(), "words");
    end(running);
}

#[test]
fn blobs_that_are_collected_before_their_manifest_comes_are_sent_again() {
    let Some(pod) = Pod::new() else { return };
    let running = pod.start();
    let host = pod.host();
    put_of(&host, "a", "new", &ago(DAY));
    let network = Network::to(&host);
    network.when(Event::Request("PUT /v2/flow/words/manifests/".to_owned()), Reaction::Hold);
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("words");
    fs::write(&file, "words").unwrap();
    let pushing = Agent::step(&network.host(), ["true"])
        .flag("--output=flow/words:1")
        .flag(format!("--output-path={}", file.display()))
        .start();
    network.wait_until_held(1);
    let line = pod.prune();
    assert!(line.contains("garbage collection freed"), "{line}");
    network.clear();
    let outcome = pushing.wait();
    assert_eq!(outcome.code, Some(0), "{}", outcome.stderr);
    pull(&host, "flow/words:1", &folder.path().join("pulled"));
    end(running);
}

#[test]
fn nothing_is_lost_while_others_push_during_collections() {
    let Some(pod) = Pod::new() else { return };
    let running = pod.start();
    let host = pod.host();
    let stop = Arc::new(AtomicBool::new(false));
    let writers: Vec<_> = (0..3)
        .map(|writer| {
            let (host, stop) = (host.clone(), stop.clone());
            std::thread::spawn(move || {
                let folder = tempfile::tempdir().unwrap();
                let mut written = Vec::new();
                while !stop.load(Ordering::Relaxed) || written.is_empty() {
                    let (file, content) = (folder.path().join("f"), format!("{writer} {}", written.len()));
                    fs::write(&file, &content).unwrap();
                    let uri = format!("flow/w{writer}:{}", written.len());
                    push(&host, &uri, &file);
                    written.push((uri, content));
                }
                written
            })
        })
        .collect();
    for n in 0..3 {
        put_of(&host, "old", &format!("{n}"), &ago((9 + n) * DAY));
        let line = pod.prune();
        assert!(line.contains("garbage collection freed"), "{line}");
    }
    stop.store(true, Ordering::Relaxed);
    let folder = tempfile::tempdir().unwrap();
    for writer in writers {
        for (n, (uri, content)) in writer.join().unwrap().into_iter().enumerate() {
            let into = folder.path().join(format!("{}-{n}", uri.replace('/', "-")));
            pull(&host, &uri, &into);
            assert_eq!(fs::read_to_string(into.join("f")).unwrap(), content);
        }
    }
    end(running);
}

#[test]
fn a_signal_in_each_phase_ends_the_registry_and_leaves_nothing() {
    for (step, allowed) in [("looking", None), ("deleting", Some("go-looking"))] {
        let Some(pod) = Pod::with_collector(STOPS) else { return };
        let running = pod.start();
        let [old, new] = old_and_new(&pod.host());
        if let Some(file) = allowed {
            pod.touch(file);
        }
        let pruning = pod.pruning().start();
        pod.wait_for(step);
        pod.wait_until_it_listens();
        let id = running.id().as_raw_nonzero();
        let children = fs::read_to_string(format!("/proc/{id}/task/{id}/children")).unwrap();
        assert_eq!(children.split_ascii_whitespace().count(), 2, "registry and collector");
        let outcome = end(running);
        assert_eq!(outcome.code, Some(0), "{step}: {}", outcome.stderr);
        assert!(children.split_ascii_whitespace().all(|id| !exists(id)), "{children}");
        // The next container serves as if there had been no collection. The client notices.
        let running = pod.start();
        assert!(pod.has(&old) && pod.has(&new));
        may_be_written(&pod);
        let outcome = pruning.wait();
        assert_eq!(outcome.code, Some(1), "{step}");
        assert!(outcome.stderr.contains("the registry's container was started again"), "{}", outcome.stderr);
        end(running);
    }
}

#[test]
fn a_collector_that_hangs_is_ended_and_the_registry_takes_writes_again() {
    let script = r#"[ -n "$LOOK" ] && { echo "blob eligible for deletion: sha256:00"; exit 0; }
sleep 1000"#;
    let Some(pod) = Pod::with_collector(script) else { return };
    let pod = pod.flag("--limit=1");
    let running = pod.start();
    old_and_new(&pod.host());
    let outcome = pod.pruning().run();
    assert_eq!(outcome.code, Some(1));
    let wanted = "deleted 1 tags and 1 manifests, 1 tags are left; garbage collection failed: it took longer than 1 seconds, and was ended";
    assert!(outcome.stderr.contains(wanted), "{}", outcome.stderr);
    let message = outcome.message.unwrap();
    assert!(message.starts_with(&format!("orascache: {wanted}\n")), "{message}");
    may_be_written(&pod);
    end(running);
}

#[test]
fn the_words_of_a_collector_that_fails_are_repeated() {
    let Some(pod) = Pod::with_collector("echo failed to collect: no disk >&2; exit 3") else { return };
    let running = pod.start();
    old_and_new(&pod.host());
    let outcome = pod.pruning().run();
    assert_eq!(outcome.code, Some(1));
    let wanted = "garbage collection failed: the collector ended with 3: failed to collect: no disk";
    assert!(outcome.stderr.contains(wanted), "{}", outcome.stderr);
    may_be_written(&pod);
    end(running);
}

#[test]
fn a_second_request_meanwhile_waits_for_its_own_collection() {
    let Some(pod) = Pod::with_collector(STOPS) else { return };
    let running = pod.start();
    let [old, _] = old_and_new(&pod.host());
    pod.touch("go-looking");
    let first = pod.pruning().start();
    pod.wait_for("deleting");
    let second = pod.pruning().start();
    second.wait_for_error("now the garbage is collected");
    pod.touch("go-deleting");
    for outcome in [first.wait(), second.wait()] {
        assert_eq!(outcome.code, Some(0), "{}", outcome.stderr);
    }
    assert!(!pod.has(&old));
    end(running);
}

#[test]
fn the_supervisor_ends_with_its_registry() {
    let Some(pod) = Pod::new() else { return };
    let running = pod.start();
    let registry = registry_of(running.id()).parse().unwrap();
    kill_process(Pid::from_raw(registry).unwrap(), Signal::KILL).unwrap();
    assert_eq!(running.wait().code, Some(137));
}

#[test]
fn a_program_that_the_image_does_not_have_is_named() {
    let Some(pod) = Pod::new() else { return };
    let outcome = pod.of("no-such-registry").agent().run();
    assert_eq!(outcome.code, Some(127));
    assert!(outcome.stderr.contains("the command no-such-registry was not found"), "{}", outcome.stderr);
}
