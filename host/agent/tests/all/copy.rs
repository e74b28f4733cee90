//! `copy`: artifacts between registries.

use crate::support::copies::{
    INDEX, MANIFEST, copied, copy, copying, descriptor, put_index, put_referrer, raw, tags,
};
use crate::support::http::{Layer, ask, put_artifact, tagged};
use crate::support::tree::content;
use crate::support::{assert_failed, pull};
use axum::http::header;
use axum::response::IntoResponse;
use serde_json::{Value, json};
use test_registries::{DockerRegistry, Embedded, Network, registries};

fn put(host: &str, repository: &str, tag: &str) {
    put_artifact(host, repository, tag, &[Layer::file("a", format!("{repository}:{tag}"))]);
}

#[test]
fn an_artifact_is_the_same_in_the_other_registry() {
    for (from, _source) in registries() {
        for (to, _destination) in registries() {
            let layers = [Layer::file("a", "one"), Layer::file("b", content(3 << 20, 7))];
            put_artifact(&from, "flow/words", "1", &layers);
            let line = copied(&[&format!("{from}/flow/words:1"), &format!("{to}/lab/words")]);
            assert_eq!(line, "copied 1 artifact (3.00 MiB sent), 0 there already");
            assert_eq!(raw(&from, "flow/words", "1"), raw(&to, "lab/words", "1"));
            let into = tempfile::tempdir().unwrap();
            pull(&to, "lab/words:1", into.path());
            assert_eq!(std::fs::read(into.path().join("b")).unwrap(), content(3 << 20, 7));
        }
    }
}

#[test]
fn a_digest_is_copied_without_a_tag() {
    let (from, to) = (Embedded::start(), Embedded::start());
    put(&from.host(), "a", "1");
    let digest = tagged(&from.host(), "a", "1").unwrap();
    let source = format!("{}/a@{digest}", from.host());
    let destination = format!("{}/b", to.host());
    assert!(copied(&[&source, &destination]).starts_with("copied 1 artifact"));
    assert_eq!(raw(&to.host(), "b", &digest), raw(&from.host(), "a", &digest));
    assert_eq!(tags(&to.host(), "b"), [""; 0]);
    assert_eq!(copied(&[&source, &destination]), "copied 0 artifacts (0 B sent), 1 there already");
}

#[test]
fn an_index_comes_with_all_that_it_names() {
    for (to, _destination) in registries() {
        let from = Embedded::start();
        let host = from.host();
        put(&host, "a", "amd64");
        put(&host, "a", "arm64");
        put_index(&host, "a", "both", &["amd64", "arm64"]);
        put_index(&host, "a", "nested", &["both", "amd64"]);
        copied(&[&format!("{host}/a:nested"), &format!("{to}/a:1")]);
        assert_eq!(raw(&to, "a", "1"), raw(&host, "a", "nested"));
        for tag in ["both", "amd64", "arm64"] {
            let digest = descriptor(&host, "a", tag)["digest"].as_str().unwrap().to_owned();
            assert_eq!(raw(&to, "a", &digest), raw(&host, "a", tag), "{tag}");
        }
        assert_eq!(tags(&to, "a"), ["1"], "what an index names has no tags");
    }
}

#[test]
fn tags_are_chosen_by_patterns_or_all() {
    for (from, _source) in registries() {
        let to = Embedded::start();
        for tag in ["run-1", "run-2", "rerun-1", "latest"] {
            put(&from, "flow/words", tag);
        }
        put(&from, "flow/count", "run-7");
        put(&from, "other", "run-8");
        let (source, destination) = (format!("{from}/flow/words"), format!("{}/a", to.host()));
        copied(&["--tags=run-*", "--tags=late??", &source, &destination]);
        assert_eq!(tags(&to.host(), "a"), ["latest", "run-1", "run-2"]);
        let line = copied(&["--all-tags", &source, &destination]);
        assert!(line.starts_with("copied 1 artifact") && line.ends_with(", 3 there already"), "{line}");
        assert_eq!(tags(&to.host(), "a").len(), 4);
        // Repositories of a pattern keep their names.
        let destination = format!("{}/mirror", to.host());
        copied(&["--tags=run-*", &format!("{from}/flow/*"), &destination]);
        assert_eq!(tags(&to.host(), "mirror/flow/words"), ["run-1", "run-2"]);
        assert_eq!(tags(&to.host(), "mirror/flow/count"), ["run-7"]);
        assert_eq!(tags(&to.host(), "mirror/other"), [""; 0]);
        copied(&["--all-tags", &from, &destination]);
        assert_eq!(tags(&to.host(), "mirror/other"), ["run-8"]);
    }
}

#[test]
fn blobs_are_mounted_within_a_registry() {
    let Some(registry) = DockerRegistry::start() else { return };
    let host = registry.host();
    put_artifact(&host, "a", "1", &[Layer::file("a", content(4 << 20, 1))]);
    let network = Network::to(&host);
    let (from, to) = (format!("{}/a:1", network.host()), format!("{}/b:1", network.host()));
    let line = copied(&[&from, &to]);
    assert_eq!(line, "copied 1 artifact (0 B sent, 2 blobs mounted), 0 there already");
    assert!(network.sent() + network.received() < 1 << 20);
    assert_eq!(raw(&host, "b", "1"), raw(&host, "a", "1"));
    // Another tag of the same repository.
    let line = copied(&[&from, &format!("{}/a:2", network.host())]);
    assert_eq!(line, "copied 1 artifact (0 B sent), 0 there already");
    assert_eq!(tagged(&host, "a", "2"), tagged(&host, "a", "1"));
}

#[test]
fn what_is_there_is_neither_read_nor_sent_again() {
    let (from, to) = (Embedded::start(), Embedded::start());
    put_artifact(&from.host(), "a", "1", &[Layer::file("a", content(4 << 20, 1))]);
    let (source, destination) = (Network::to(&from.host()), Network::to(&to.host()));
    let pair = [format!("{}/a", source.host()), format!("{}/a", destination.host())];
    let again = || copied(&["--all-tags", &pair[0], &pair[1]]);
    assert!(again().starts_with("copied 1 artifact (4.00 MiB sent)"));
    let (read, sent) = (source.received(), destination.sent());
    assert_eq!(again(), "copied 0 artifacts (0 B sent), 1 there already");
    assert!(source.received() - read < 1 << 20 && destination.sent() - sent < 1 << 20);
}

#[test]
fn equal_blobs_of_many_artifacts_are_sent_once() {
    let (from, to) = (Embedded::start(), Embedded::start());
    for n in 0..12 {
        let layers = [Layer::file("a", content(1 << 20, 1)), Layer::file("b", format!("{n}"))];
        put_artifact(&from.host(), "a", &format!("{n}"), &layers);
    }
    let line =
        copied(&["--all-tags", "--parallel=8", &format!("{}/a", from.host()), &format!("{}/a", to.host())]);
    assert!(line.starts_with("copied 12 artifacts (1.00 MiB sent)"), "{line}");
}

#[test]
fn referrers_come_along_where_they_are_asked_for() {
    let list = |host: &str, repository: &str, subject: &str| -> Vec<String> {
        let answer = ask(host, "GET", &format!("/v2/{repository}/referrers/{subject}"), &[], b"");
        let by_tag = || raw(host, repository, &subject.replace(':', "-")).map(|(_, bytes)| bytes);
        let Some(list) = (if answer.status == 200 { Some(answer.body) } else { by_tag() }) else {
            return Vec::new();
        };
        let list: Value = serde_json::from_slice(&list).unwrap();
        let all = list["manifests"].as_array().unwrap().iter();
        all.map(|one| one["digest"].as_str().unwrap().to_owned()).collect()
    };
    let from = Embedded::start();
    put(&from.host(), "a", "1");
    let subject = tagged(&from.host(), "a", "1").unwrap();
    let note = put_referrer(&from.host(), "a", "1", "signed");
    let second = put_referrer(&from.host(), "a", &note, "counter-signed");
    let mut sources = vec![from.host()];
    for (to, _destination) in registries() {
        copied(&[&format!("{}/a:1", from.host()), &format!("{to}/plain")]);
        assert_eq!(list(&to, "plain", &subject), [""; 0], "nobody asked for them");
        copied(&["--referrers", &format!("{}/a:1", from.host()), &format!("{to}/a")]);
        assert_eq!(
            (list(&to, "a", &subject), list(&to, "a", &note)),
            (vec![note.clone()], vec![second.clone()])
        );
        // They are copied also where the artifact was there before.
        copied(&["--referrers", &format!("{}/a:1", from.host()), &format!("{to}/plain")]);
        assert_eq!(list(&to, "plain", &subject), [note.as_str()]);
        sources.push(to.clone());
        // And on from there, whichever way that registry lists them.
        let third = Embedded::start();
        copied(&["--referrers", &format!("{to}/a:1"), &format!("{}/b", third.host())]);
        assert_eq!(list(&third.host(), "b", &subject), [note.as_str()]);
        assert_eq!(list(&third.host(), "b", &note), [second.as_str()]);
    }
}

#[test]
fn the_pod_of_an_indexed_job_copies_its_own_pair() {
    let (from, to) = (Embedded::start(), Embedded::start());
    ["1", "2"].into_iter().for_each(|tag| put(&from.host(), "a", tag));
    let words: Vec<String> = ["1", "2"]
        .iter()
        .flat_map(|tag| [format!("{}/a:{tag}", from.host()), format!("{}/b:{tag}", to.host())])
        .collect();
    let words: Vec<&str> = ["--by-index"].into_iter().chain(words.iter().map(String::as_str)).collect();
    let outcome = copying(&words).env("JOB_COMPLETION_INDEX", "1").run();
    assert_eq!(outcome.code, Some(0), "{}", outcome.stderr);
    assert_eq!(tags(&to.host(), "b"), ["2"]);
    assert_eq!(copying(&words).env("JOB_COMPLETION_INDEX", "2").run().code, Some(2));
}

#[test]
fn one_failure_does_not_stop_the_others_and_is_the_exit_code() {
    let (from, to) = (Embedded::start(), Embedded::start());
    put(&from.host(), "a", "1");
    let outcome = copy(&[
        &format!("{}/a:missing", from.host()),
        &format!("{}/a:missing", to.host()),
        &format!("{}/a:1", from.host()),
        &format!("{}/a:1", to.host()),
    ]);
    let parts = ["cannot copy a:missing from http://", "is not in the registry", "1 failed", "run it again"];
    assert_failed(&outcome, 1, &parts);
    assert_eq!(outcome.said().1, Some(json!({"copied": 1, "skipped": 0, "failed": 1})));
    assert_eq!(tags(&to.host(), "a"), ["1"]);
}

#[test]
fn the_termination_message_has_the_numbers_of_artifacts() {
    let (from, to) = (Embedded::start(), Embedded::start());
    ["1", "2", "3"].into_iter().for_each(|tag| put(&from.host(), "a", tag));
    let (source, destination) = (format!("{}/a", from.host()), format!("{}/a", to.host()));
    let numbers = |words: &[&str]| copy(&[words, &[&source, &destination]].concat()).said().1.unwrap();
    assert_eq!(numbers(&["--tags=1"]), json!({"copied": 1, "skipped": 0, "failed": 0}));
    assert_eq!(numbers(&["--all-tags"]), json!({"copied": 2, "skipped": 1, "failed": 0}));
}

#[test]
fn wrong_arguments_are_told_before_anything_is_sent() {
    for (words, why) in [
        (&["localhost:1/a:1"][..], "2 values required"),
        (&["localhost:1/a:1", "localhost:1/A"], "lower case"),
        (&["--all-tags", "localhost:1/a:1", "localhost:1/b"], "without tag and digest"),
        (&["--source-credentials=/no/such", "localhost:1/a", "localhost:1/b"], "cannot be read"),
        (&["--destination-ca-file=/no/such", "localhost:1/a", "localhost:1/b"], "--destination-ca-file is"),
    ] {
        let outcome = copy(words);
        assert_eq!(outcome.code, Some(2), "{}", outcome.stderr);
        assert!(outcome.stderr.contains(why), "{}", outcome.stderr);
        assert!(outcome.message.is_none_or(|message| !message.contains('{')), "nothing was begun");
    }
}

#[test]
fn a_manifest_that_the_source_does_not_have_is_named() {
    let missing = format!("sha256:{}", "0".repeat(64));
    let index = format!(
        r#"{{"schemaVersion":2,"mediaType":"{INDEX}","manifests":[{{"mediaType":"{MANIFEST}","digest":"{missing}","size":2}}]}}"#
    );
    let from = Embedded::behind(move |request| {
        let is_index = request.uri().path() == "/v2/a/manifests/broken";
        is_index.then(|| ([(header::CONTENT_TYPE, INDEX)], index.clone()).into_response())
    });
    let to = Embedded::start();
    let outcome = copy(&[&format!("{}/a:broken", from.host()), &format!("{}/a", to.host())]);
    assert_failed(&outcome, 1, &["cannot copy a:broken", &missing, "is not in the registry"]);
    assert_eq!(tags(&to.host(), "a"), [""; 0]);
}
