//! `copy` with cut networks, busy registries, and blobs that are lost or damaged.

use crate::support;
use crate::support::copies::{copied, copy, copying, raw, tags};
use crate::support::http::{Layer, manifest, put_artifact};
use crate::support::tree::content;
use crate::support::{Agent, assert_failed, eventually};
use axum::http::{Method, StatusCode, header};
use axum::response::IntoResponse;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use test_registries::{DockerRegistry, Embedded, Event, Network, Reaction, registries};

/// Large enough that buffers cannot hold it.
const SIZE: usize = 6 << 20;

fn large(host: &str, tag: &str, seed: u64) {
    put_artifact(host, "a", tag, &[Layer::file("a", content(SIZE, seed))]);
}

#[test]
fn a_copy_continues_after_cuts_on_both_sides() {
    for (from, _source) in registries() {
        for (to, _destination) in registries() {
            large(&from, "1", 1);
            let (source, destination) = (Network::to(&from), Network::to(&to));
            source.when(Event::Received(SIZE as u64 / 2), Reaction::Cut);
            destination.when(Event::Sent(SIZE as u64 / 3), Reaction::Cut);
            destination.when(Event::Sent(SIZE as u64 / 3 + 100_000), Reaction::Cut);
            copied(&[&format!("{}/a:1", source.host()), &format!("{}/a:1", destination.host())]);
            assert!(source.cuts() == 1 && destination.cuts() == 2, "{from} {to}");
            assert_eq!(raw(&to, "a", "1"), raw(&from, "a", "1"));
            let layer = manifest(&to, "a", "1")["layers"][0]["digest"].as_str().unwrap().to_owned();
            let path = format!("/v2/a/blobs/{layer}");
            assert_eq!(support::http::ask(&to, "GET", &path, &[], b"").body, content(SIZE, 1));
        }
    }
}

#[test]
fn a_killed_copy_is_finished_by_the_same_command() {
    for (from, _source) in registries() {
        let to = Embedded::start();
        (1..=3).for_each(|n| large(&from, &n.to_string(), n));
        let destination = Network::to(&to.host());
        destination.when(Event::Sent(SIZE as u64 + (SIZE / 2) as u64), Reaction::Hold);
        let words =
            ["--all-tags", "--parallel=1", &format!("{from}/a"), &format!("{}/a", destination.host())];
        let running = copying(&words).start();
        destination.wait_until_held(1);
        running.signal(rustix::process::Signal::KILL);
        drop(running);
        destination.clear();
        assert_eq!(tags(&to.host(), "a"), [""; 0], "tags come last");
        let sent = destination.sent();
        copied(&words);
        assert_eq!(tags(&to.host(), "a"), ["1", "2", "3"]);
        let again = destination.sent() - sent;
        assert!(again < (2 * SIZE + SIZE / 2) as u64, "the first artifact was not sent again: {again}");
    }
}

#[test]
fn a_busy_registry_is_asked_again_when_it_says_so() {
    let asked = Arc::new(AtomicUsize::new(0));
    let busy = |asked: Arc<AtomicUsize>| {
        move |_: &axum::extract::Request| {
            // Every third request is refused.
            (asked.fetch_add(1, Ordering::Relaxed) % 3 == 1)
                .then(|| (StatusCode::TOO_MANY_REQUESTS, [(header::RETRY_AFTER, "0")]).into_response())
        }
    };
    let (from, to) = (Embedded::start(), Embedded::behind(busy(asked.clone())));
    large(&from.host(), "1", 1);
    copied(&[&format!("{}/a:1", from.host()), &format!("{}/a", to.host())]);
    let count = asked.load(Ordering::Relaxed);
    assert!(count > 6, "{count}");
}

#[test]
fn a_blob_that_the_source_lost_is_named_and_the_others_are_copied() {
    let lost = Arc::new(std::sync::Mutex::new(String::new()));
    let hook = {
        let lost = lost.clone();
        move |request: &axum::extract::Request| {
            let lost = lost.lock().unwrap();
            let is_lost = !lost.is_empty() && request.uri().path().ends_with(lost.as_str());
            (is_lost && request.method() == Method::GET).then(|| StatusCode::NOT_FOUND.into_response())
        }
    };
    let (from, to) = (Embedded::behind(hook), Embedded::start());
    large(&from.host(), "1", 1);
    large(&from.host(), "2", 2);
    let layer = manifest(&from.host(), "a", "1")["layers"][0]["digest"].as_str().unwrap().to_owned();
    lost.lock().unwrap().clone_from(&layer);
    let words = ["--all-tags", &format!("{}/a", from.host()), &format!("{}/a", to.host())];
    assert_failed(
        &copy(&words),
        1,
        &["cannot copy a:1", &layer, "is not in the registry", "copied 1 artifact"],
    );
    assert_eq!(tags(&to.host(), "a"), ["2"]);
    // It comes back.
    lost.lock().unwrap().clear();
    copied(&words);
    assert_eq!(tags(&to.host(), "a"), ["1", "2"]);
}

#[test]
fn damaged_content_does_not_arrive() {
    let layer = format!("/v2/a/blobs/{}", oci_registry_client::Digest::of(&content(SIZE, 1)));
    let hook = move |request: &axum::extract::Request| {
        let is_layer = request.method() == Method::GET && request.uri().path() == layer;
        is_layer.then(|| content(SIZE, 99).into_response())
    };
    for (to, _destination) in registries() {
        let from = Embedded::behind(hook.clone());
        large(&from.host(), "1", 1);
        let outcome = copy(&[&format!("{}/a:1", from.host()), &format!("{to}/a")]);
        assert_failed(&outcome, 1, &["cannot copy a:1"]);
        assert!(outcome.stderr.contains("is damaged: its digest is sha256:"), "{}", outcome.stderr);
        assert_eq!(tags(&to, "a"), [""; 0]);
    }
}

#[test]
fn blobs_that_the_destination_loses_are_sent_again() {
    let Some(registry) = DockerRegistry::start() else { return };
    let from = Embedded::start();
    large(&from.host(), "1", 1);
    let network = Network::to(&registry.host());
    network.when(Event::Request("PUT /v2/a/manifests/".to_owned()), Reaction::Hold);
    let running = copying(&[&format!("{}/a:1", from.host()), &format!("{}/a", network.host())]).start();
    network.wait_until_held(1);
    remove_blobs(&registry.data());
    network.clear();
    let outcome = running.wait();
    assert_eq!(outcome.code, Some(0), "{}", outcome.stderr);
    assert_eq!(raw(&registry.host(), "a", "1"), raw(&from.host(), "a", "1"));
    let layer = manifest(&from.host(), "a", "1")["layers"][0]["digest"].as_str().unwrap().to_owned();
    let answer = support::http::ask(&registry.host(), "GET", &format!("/v2/a/blobs/{layer}"), &[], b"");
    assert_eq!(answer.body, content(SIZE, 1));
}

fn remove_blobs(data: &Path) {
    std::fs::remove_dir_all(data).unwrap();
    eventually("the data to be gone", || !data.exists());
}

#[test]
fn a_registry_that_stays_away_ends_the_copy() {
    let from = Embedded::start();
    large(&from.host(), "1", 1);
    let pair = [&format!("{}/a:1", from.host()), "127.0.0.1:9/a"];
    let outcome = Agent::new(["copy", "--patience=1", pair[0], pair[1]]).run();
    assert_eq!(outcome.code, Some(1));
    assert!(outcome.stderr.contains("127.0.0.1:9 cannot be reached"), "{}", outcome.stderr);
}
