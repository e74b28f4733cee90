//! Who may ask for a garbage collection.

use crate::support;
use crate::support::http::ask;
use crate::support::prunes::{DAY, ago, put_of};
use crate::support::supervised::{KEY, Pod, end};
use std::fs;
use test_registries::{Event, Network, Reaction};

#[test]
fn security_another_key_collects_nothing() {
    let Some(pod) = Pod::new() else { return };
    let running = pod.start();
    put_of(&pod.host(), "a", "old", &ago(9 * DAY));
    // The supervisor has read its key.
    fs::write(pod.path("key"), "fedcba9876543210fedcba9876543210").unwrap();
    let outcome = pod.pruning().run();
    assert_eq!(outcome.code, Some(1));
    assert!(outcome.stderr.contains("failed: the supervisor has another key"), "{}", outcome.stderr);
    let outcome = end(running);
    assert!(!outcome.stderr.contains("garbage collection"), "{}", outcome.stderr);
}

#[test]
fn security_the_key_is_neither_sent_nor_logged() {
    let Some(pod) = Pod::new() else { return };
    let running = pod.start();
    put_of(&pod.host(), "a", "old", &ago(9 * DAY));
    let flags = pod.prune_flags();
    let network = Network::to(flags[0].strip_prefix("--collection=http://").unwrap());
    network.when(Event::Request(KEY.to_owned()), Reaction::Cut);
    let url = format!("--collection=http://{}", network.host());
    let outcome = support::prunes::pruning(&["--max-age=5d", &url, &flags[1], &pod.host()]).run();
    assert_eq!(outcome.code, Some(0), "{}", outcome.stderr);
    assert!(outcome.stdout().contains("garbage collection freed"), "{}", outcome.stdout());
    assert_eq!(network.cuts(), 0, "the key was sent");
    let ended = end(running);
    for text in [outcome.stdout(), outcome.stderr, ended.stderr] {
        assert!(!text.contains(KEY), "{text}");
    }
}

#[test]
fn security_requests_without_a_signature_learn_nothing() {
    let Some(pod) = Pod::new() else { return };
    let running = pod.start();
    let flags = pod.prune_flags();
    let host = flags[0].strip_prefix("--collection=http://").unwrap();
    for (method, path, status) in [
        ("GET", "/v1/collection", 401),
        ("POST", "/v1/collection", 401),
        ("DELETE", "/v1/collection", 405),
        ("POST", "/", 404),
    ] {
        let answer = ask(host, method, path, &[], b"");
        assert_eq!(answer.status, status, "{method} {path}");
        assert!(answer.body.is_empty(), "{method} {path}");
    }
    end(running);
}
