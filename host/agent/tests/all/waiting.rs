//! Steps that wait for inputs which are not in the registry yet.

use crate::support::http::{Layer, ask, manifest, put_artifact, tagged};
use crate::support::tree::paths;
use crate::support::{Agent, Finished, assert_failed};
use axum::Router;
use axum::http::StatusCode;
use axum::response::IntoResponse;
use rustix::process::Signal;
use std::fs;
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};
use test_registries::{DockerRegistry, Embedded};

/// A step that waits for inputs, and then prints their files.
fn step(host: &str, seconds: &str, inputs: &[&str], directory: &Path) -> Agent {
    let agent = Agent::step(host, ["sh", "-c", "cat *"]).directory(directory);
    let agent = agent.flag(format!("--input-wait={seconds}")).env_remove("ORASCACHE_INPUT_WAIT_REMAINING");
    inputs.iter().fold(agent, |agent, input| agent.flag(format!("--input={input}")))
}

/// One file as an artifact. Its name is that of the repository.
fn put(host: &str, repository: &str, content: &str) {
    put_artifact(host, repository, "1", &[Layer::file(repository, content)]);
}

fn assert_printed(outcome: &Finished, expected: &str) {
    assert_eq!((outcome.code, outcome.stdout().as_str()), (Some(0), expected), "{}", outcome.stderr);
}

#[test]
fn a_step_waits_for_inputs_that_come_one_by_one() {
    let registry = Embedded::start();
    let host = registry.host();
    put(&host, "b", "2\n");
    let folder = tempfile::tempdir().unwrap();
    let running = step(&host, "600", &["a:1", "b:1", "c:1"], folder.path()).start();
    running.wait_for_error("orascache: waiting up to 10m for a:1 and c:1\n");
    put(&host, "c", "3\n");
    running.wait_for_error("orascache: still waiting for a:1\n");
    assert_eq!(paths(folder.path()), [""; 0]);
    put(&host, "a", "1\n");
    let outcome = running.wait();
    assert_printed(&outcome, "1\n2\n3\n");
    let said: Vec<&str> = outcome.stderr.lines().filter(|line| line.contains("waiting")).collect();
    assert_eq!(said.len(), 2, "only what is new is said: {said:?}");
    assert!(outcome.stderr.contains("all inputs are there after "), "{}", outcome.stderr);
}

#[test]
fn a_step_that_finds_its_inputs_does_not_wait() {
    let registry = Embedded::start();
    put(&registry.host(), "a", "1\n");
    let folder = tempfile::tempdir().unwrap();
    let outcome = step(&registry.host(), "600", &["a:1"], folder.path()).run();
    assert_printed(&outcome, "1\n");
    assert!(!outcome.stderr.contains("waiting"), "{}", outcome.stderr);
}

#[test]
fn a_range_is_waited_for_until_its_last_artifact_is_there() {
    let registry = Embedded::start();
    let host = registry.host();
    let put = |number: u32| {
        put_artifact(&host, "p", &format!("{number:02}"), &[Layer::file(&format!("{number:02}"), "x")]);
    };
    (0..50).filter(|number| *number != 7).for_each(put);
    let folder = tempfile::tempdir().unwrap();
    let running = step(&host, "600", &["p:{00..49}"], folder.path()).start();
    running.wait_for_error("waiting up to 10m for p:07\n");
    put(7);
    assert_printed(&running.wait(), &"x".repeat(50));
}

#[test]
fn inputs_that_never_come_end_with_98_and_their_names() {
    let registry = Embedded::start();
    let host = registry.host();
    put(&host, "b", "2\n");
    let folder = tempfile::tempdir().unwrap();
    let outcome = step(&host, "1", &["a:1", "b:1", "c:{1..3}"], folder.path()).run();
    let sentence = format!("waited 1s for a:1, c:1, c:2 and c:3, in vain: not in the registry http://{host}");
    assert_failed(&outcome, 98, &[&sentence]);
    assert_eq!(paths(folder.path()), [""; 0]);
    let gone = format!("a@sha256:{}", "0".repeat(64));
    let outcome = step(&host, "1", &[&gone], folder.path()).run();
    assert_failed(&outcome, 98, &[&gone, "in vain"]);
}

#[test]
fn a_signal_ends_the_wait_at_once() {
    let registry = Embedded::start();
    for (signal, code) in [(Signal::TERM, 143), (Signal::INT, 130)] {
        let folder = tempfile::tempdir().unwrap();
        let running = step(&registry.host(), "600000", &["a:1"], folder.path()).start();
        running.wait_for_error("waiting up to");
        running.signal(signal);
        assert_failed(&running.wait(), code, &["came before the command was started"]);
        assert_eq!(paths(folder.path()), [""; 0]);
    }
}

#[test]
fn a_registry_that_is_away_does_not_have_the_input_yet() {
    let Some(mut registry) = DockerRegistry::start() else { return };
    registry.kill();
    let folder = tempfile::tempdir().unwrap();
    let running = step(&registry.host(), "600", &["a:1"], folder.path()).start();
    running.wait_for_error("waiting up to 10m for a:1: http://");
    running.wait_for_error("cannot be reached");
    registry.restart();
    running.wait_for_error("still waiting for a:1\n");
    put(&registry.host(), "a", "1\n");
    assert_printed(&running.wait(), "1\n");
    registry.kill();
    let outcome = step(&registry.host(), "1", &["a:1"], folder.path()).run();
    assert_failed(&outcome, 98, &["waited 1s for a:1, in vain: ", "cannot be reached"]);
}

#[test]
fn refused_access_ends_the_wait_at_once() {
    for status in [401, 403] {
        let registry = Embedded::refusing(status);
        let folder = tempfile::tempdir().unwrap();
        let outcome = step(&registry.host(), "600000", &["a:1"], folder.path()).run();
        let part = format!("the registry refuses access ({status}");
        assert_failed(&outcome, 98, &["cannot pull a:1 from http://", &part]);
    }
}

/// A registry that answers the first requests with 429 and this header, and later ones with 404.
/// It keeps the times of the requests.
fn overloaded(first: usize, after: &'static str) -> (Embedded, Arc<Mutex<Vec<Instant>>>) {
    let times: Arc<Mutex<Vec<Instant>>> = Arc::default();
    let seen = Arc::clone(&times);
    let router = Router::new().fallback(move || {
        let mut seen = seen.lock().unwrap();
        seen.push(Instant::now());
        let is_overloaded = seen.len() <= first;
        async move {
            if is_overloaded {
                (StatusCode::TOO_MANY_REQUESTS, [("retry-after", after)]).into_response()
            } else {
                StatusCode::NOT_FOUND.into_response()
            }
        }
    });
    (Embedded::serving(router), times)
}

#[test]
fn an_overloaded_registry_says_when_it_is_asked_again() {
    let (registry, times) = overloaded(1, "2");
    let folder = tempfile::tempdir().unwrap();
    let running = step(&registry.host(), "600", &["a:{1..20}"], folder.path()).start();
    running.wait_for_error("still waiting for");
    running.signal(Signal::TERM);
    running.wait();
    let times = times.lock().unwrap();
    // Requests that were under way with the first one have been sent already.
    let later = times.iter().filter(|time| time.duration_since(times[0]) >= Duration::from_secs(2)).count();
    assert!(times.len() - later <= 4, "{} requests were sent before 2 s", times.len() - later);
    assert!(later > 0);
}

#[test]
fn a_registry_that_wants_no_more_requests_within_the_time_ends_the_wait() {
    let (registry, times) = overloaded(usize::MAX, "3600");
    let folder = tempfile::tempdir().unwrap();
    let outcome = step(&registry.host(), "600", &["a:1"], folder.path()).run();
    assert_failed(&outcome, 98, &["waited 10m for a:1, in vain", "429", "it wants no request for 3600 s"]);
    assert_eq!(times.lock().unwrap().len(), 1);
}

#[test]
fn what_was_found_is_pulled_although_its_tag_has_moved() {
    let registry = Embedded::start();
    let host = registry.host();
    put(&host, "a", "first\n");
    let digest = tagged(&host, "a", "1").unwrap();
    let folder = tempfile::tempdir().unwrap();
    let running = step(&host, "600", &["a:1", "b:1"], folder.path())
        .flag("--output=out:1")
        .flag("--output-path=a")
        .start();
    running.wait_for_error("waiting up to 10m for b:1\n");
    put(&host, "a", "second\n");
    put(&host, "b", "2\n");
    assert_printed(&running.wait(), "first\n2\n");
    let inputs = manifest(&host, "out", "1");
    let inputs = inputs["annotations"]["cache.converged-computing.github.io/inputs"].as_str().unwrap();
    assert!(inputs.contains(&format!("\"a:1@{digest}\"")), "{inputs}");
}

#[test]
fn an_input_that_was_deleted_again_is_waited_for_again() {
    let Some(registry) = DockerRegistry::start() else { return };
    let host = registry.host();
    put(&host, "a", "first\n");
    let digest = tagged(&host, "a", "1").unwrap();
    let folder = tempfile::tempdir().unwrap();
    let running = step(&host, "600", &["a:1", "b:1"], folder.path()).start();
    running.wait_for_error("waiting up to 10m for b:1\n");
    let deleted = ask(&host, "DELETE", &format!("/v2/a/manifests/{digest}"), &[], b"");
    assert_eq!(deleted.status, 202, "{}", deleted.text());
    put(&host, "b", "2\n");
    running.wait_for_error("still waiting for a:1\n");
    put(&host, "a", "second\n");
    assert_printed(&running.wait(), "second\n2\n");
}

#[test]
fn what_is_left_of_the_time_replaces_the_flag() {
    let registry = Embedded::start();
    let host = registry.host();
    let folder = tempfile::tempdir().unwrap();
    let remaining =
        |flag, left| step(&host, flag, &["a:1"], folder.path()).env("ORASCACHE_INPUT_WAIT_REMAINING", left);
    let outcome = remaining("600000", "0").run();
    assert_failed(&outcome, 98, &["cannot pull a:1", "it is not in the registry"]);
    let outcome = remaining("600000", "1").run();
    assert_failed(&outcome, 98, &["waited 1s for a:1"]);
    assert_failed(&remaining("1", "").run(), 98, &["waited 1s for a:1"]);
    assert_failed(&remaining("1", "soon").run(), 97, &["ORASCACHE_INPUT_WAIT_REMAINING is \"soon\""]);
    put(&host, "a", "1\n");
    let outcome = Agent::step(&host, ["env"])
        .directory(folder.path())
        .flag("--input=a:1")
        .env("ORASCACHE_INPUT_WAIT_REMAINING", "7")
        .run();
    assert_eq!(outcome.code, Some(0), "{}", outcome.stderr);
    assert!(!outcome.stdout().contains("ORASCACHE_INPUT_WAIT_REMAINING"), "the command does not get it");
}

#[test]
fn a_pull_by_hand_can_wait() {
    let registry = Embedded::start();
    let host = registry.host();
    let folder = tempfile::tempdir().unwrap();
    let pull = |wait: &str| {
        Agent::new(["pull", &format!("{host}/a:1"), &format!("--wait={wait}")]).directory(folder.path())
    };
    let outcome = pull("1s").run();
    assert_eq!(outcome.code, Some(1));
    assert!(outcome.stderr.contains("waited 1s for a:1, in vain"), "{}", outcome.stderr);
    for wrong in ["30", "soon", "8d"] {
        assert_eq!(pull(wrong).run().code, Some(2), "{wrong}");
    }
    let running = pull("10m").start();
    running.wait_for_error("waiting up to 10m for a:1\n");
    put(&host, "a", "1\n");
    let outcome = running.wait();
    assert_eq!(outcome.code, Some(0), "{}", outcome.stderr);
    assert_eq!(fs::read_to_string(folder.path().join("a")).unwrap(), "1\n");
}
