//! `prune`: retention by the API of a registry.

use crate::support;
use crate::support::copies::{descriptor, put_index, put_referrer, raw, tags};
use crate::support::http::{Layer, ask, put_artifact, put_manifest, tagged};
use crate::support::prunes::{DAY, ago, prune, pruned, put, put_of};
use axum::http::{Method, StatusCode};
use axum::response::IntoResponse;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use test_registries::{Embedded, registries};

#[test]
fn the_newest_tags_of_each_repository_are_kept() {
    for (host, _registry) in registries() {
        for n in 1..=12 {
            put(&host, "flow/words", &format!("run-{n}"));
        }
        put(&host, "flow/count", "run-1");
        put(&host, "other", "1");
        let line = pruned(&["--keep-tags=2", "--min-age=0", &format!("{host}/flow/*")]);
        assert_eq!(line, "deleted 10 tags and 10 manifests, 3 tags are left", "{host}");
        assert_eq!(tags(&host, "flow/words"), ["run-11", "run-12"]);
        assert_eq!((tags(&host, "flow/count").len(), tags(&host, "other").len()), (1, 1));
        let line = pruned(&["--keep-tags=1", "--min-age=0", &host]);
        assert_eq!(line, "deleted 1 tags and 1 manifests, 3 tags are left", "the record is no artifact");
    }
}

#[test]
fn what_was_just_seen_stays_until_it_is_older_than_the_minimum() {
    let registry = Embedded::start();
    let host = registry.host();
    ["1", "2", "3"].into_iter().for_each(|tag| put(&host, "a", tag));
    put_of(&host, "a", "old", &ago(2 * 60 * 60));
    let line = pruned(&["--keep-tags=1", &host]);
    assert_eq!(line, "deleted 1 tags and 1 manifests, 3 tags are left");
    assert_eq!(tags(&host, "a"), ["1", "2", "3"]);
}

#[test]
fn tags_age_from_when_they_were_made_or_first_seen() {
    for (host, _registry) in registries() {
        put_of(&host, "a", "old", &ago(40 * DAY));
        put_of(&host, "a", "young", &ago(20 * DAY));
        put(&host, "a", "unknown");
        let line = pruned(&["--max-age=30d", &host]);
        assert_eq!(line, "deleted 1 tags and 1 manifests, 2 tags are left", "{host}");
        // What comes later was not there then, whatever it says.
        put_of(&host, "a", "copied", &ago(40 * DAY));
        assert_eq!(pruned(&["--max-age=30d", &host]), "deleted 0 tags and 0 manifests, 3 tags are left");
        assert_eq!(tags(&host, "a"), ["copied", "unknown", "young"]);
    }
}

#[test]
fn a_dry_run_changes_nothing_and_names_what_would_go() {
    let registry = Embedded::start();
    let host = registry.host();
    ["1", "2"].into_iter().for_each(|tag| put(&host, "a", tag));
    let outcome = prune(&["--dry-run", "--keep-tags=1", "--min-age=0", &host]);
    assert_eq!(outcome.stdout(), "would delete 1 tags and 1 manifests, 1 tags are left\n");
    assert!(outcome.stderr.contains("would delete a :1 (sha256:"), "{}", outcome.stderr);
    assert_eq!(tags(&host, "a"), ["1", "2"]);
    assert_eq!(tags(&host, "orascache-retention"), [""; 0], "no record either");
}

#[test]
fn patterns_choose_the_tags_and_keys_age_with_them() {
    for (host, _registry) in registries() {
        let key = |n: u8| format!("key-{}", format!("{n:02x}").repeat(32));
        for n in 1..=3_u8 {
            put_of(&host, "a", &format!("run-{n}"), &ago(i64::from(10 - n) * DAY));
            let manifest = support::http::manifest(&host, "a", &format!("run-{n}"));
            put_manifest(&host, "a", &key(n), &manifest);
        }
        put_of(&host, "a", "release", &ago(100 * DAY));
        // The key of the second run stays, and with it the manifest.
        let line = pruned(&["--tags=run-*", "--keep-tags=1", "--max-age=8d12h", &host]);
        assert_eq!(line, "deleted 2 tags and 1 manifests, 5 tags are left", "{host}");
        assert_eq!(tags(&host, "a"), [&key(2), &key(3), "release", "run-2", "run-3"]);
    }
}

#[test]
fn a_manifest_that_a_kept_tag_or_index_names_stays() {
    for (host, _registry) in registries() {
        ["amd64", "arm64", "old"].into_iter().for_each(|tag| put_of(&host, "a", tag, &ago(9 * DAY)));
        put_index(&host, "a", "latest", &["amd64", "arm64"]);
        put_index(&host, "a", "older", &["amd64", "old"]);
        put(&host, "a", "now");
        // An index has no date here: it is as young as its first sight, and keeps what it names.
        let line = pruned(&["--max-age=5d", &host]);
        assert_eq!(
            line,
            "deleted 0 tags and 0 manifests, 6 tags are left, 3 of them only because others name the same manifests",
            "{host}"
        );
        let kept = descriptor(&host, "a", "amd64")["digest"].as_str().unwrap().to_owned();
        let latest = descriptor(&host, "a", "latest")["digest"].as_str().unwrap().to_owned();
        // Of one age, `older` comes last. It keeps the manifest of `old`, and so its tag.
        pruned(&["--tags=latest", "--tags=older", "--tags=old", "--keep-tags=1", "--min-age=0", &host]);
        assert_eq!(tags(&host, "a"), ["amd64", "arm64", "now", "old", "older"], "{host}");
        assert!(raw(&host, "a", &kept).is_some() && raw(&host, "a", &latest).is_none());
    }
}

#[test]
fn referrers_go_with_what_they_refer_to() {
    for (host, _registry) in registries() {
        put_of(&host, "a", "1", &ago(9 * DAY));
        put_of(&host, "a", "2", &ago(DAY));
        let notes = ["1", "2"].map(|tag| put_referrer(&host, "a", tag, &format!("note on {tag}")));
        for (tag, note) in ["1", "2"].iter().zip(&notes) {
            let subject = tagged(&host, "a", tag).unwrap();
            let answer = ask(&host, "GET", &format!("/v2/a/referrers/{subject}"), &[], b"");
            if answer.status != 200 {
                // The registry does not list them: a tag stands in.
                put_index(&host, "a", &subject.replace(':', "-"), &[note]);
            }
        }
        pruned(&["--keep-tags=1", "--min-age=0", &host]);
        assert!(raw(&host, "a", "1").is_none() && raw(&host, "a", "2").is_some(), "{host}");
        assert!(raw(&host, "a", &notes[0]).is_none() && raw(&host, "a", &notes[1]).is_some(), "{host}");
    }
}

#[test]
fn a_manifest_whose_tag_moved_goes_when_it_is_old() {
    for (host, _registry) in registries() {
        put(&host, "a", "latest");
        let first = tagged(&host, "a", "latest").unwrap();
        pruned(&["--max-age=30d", &host]);
        put_of(&host, "a", "latest", &ago(0));
        assert_eq!(pruned(&["--max-age=30d", &host]), "deleted 0 tags and 0 manifests, 1 tags are left");
        assert!(raw(&host, "a", &first).is_some(), "it has lost its tag just now: {host}");
        let line = pruned(&["--tags=run-*", "--keep-tags=5", "--min-age=0", &host]);
        assert_eq!(line, "deleted 0 tags and 0 manifests, 1 tags are left", "its tag was another one");
        let line = pruned(&["--keep-tags=5", "--min-age=0", &host]);
        assert_eq!(line, "deleted 0 tags and 1 manifests, 1 tags are left", "{host}");
        assert!(raw(&host, "a", &first).is_none() && raw(&host, "a", "latest").is_some(), "{host}");
    }
}

#[test]
fn the_termination_message_has_numbers_and_the_bytes_of_what_is_kept() {
    for (host, _registry) in registries() {
        // Two repositories share the configuration and a layer.
        for repository in ["a", "b"] {
            put_artifact(
                &host,
                repository,
                "kept",
                &[Layer::file("x", "shared"), Layer::file("y", repository)],
            );
        }
        put_of(&host, "a", "old", &ago(40 * DAY));
        put_index(&host, "a", "both", &["kept"]);
        let outcome = prune(&["--max-age=30d", &host]);
        let mut sizes = BTreeMap::new();
        for (repository, tag) in [("a", "kept"), ("b", "kept"), ("a", "both")] {
            let (_, bytes) = raw(&host, repository, tag).unwrap();
            let manifest: Value = serde_json::from_slice(&bytes).unwrap();
            sizes.insert(descriptor(&host, repository, tag)["digest"].to_string(), bytes.len() as u64);
            for blob in
                [&manifest["config"]].into_iter().chain(manifest["layers"].as_array().into_iter().flatten())
            {
                if !blob.is_null() {
                    sizes.insert(blob["digest"].to_string(), blob["size"].as_u64().unwrap());
                }
            }
        }
        assert_eq!(sizes.len(), 7, "three manifests, a configuration and three layers");
        let wanted = json!({
            "deletedTags": 1, "deletedManifests": 1, "keptTags": 3,
            "bytesReferenced": sizes.values().sum::<u64>(),
        });
        assert_eq!(outcome.said().1, Some(wanted), "{host}");
        let outcome = prune(&["--dry-run", "--max-age=30d", &host]);
        assert_eq!(outcome.said().1, None, "nothing was done");
    }
}

#[test]
fn wrong_arguments_are_sentences() {
    for (words, why) in [
        (&["localhost:1"][..], "nothing says what is kept"),
        (&["--keep-tags=0", "localhost:1"], "0 is not in 1.."),
        (&["--max-age=30", "localhost:1"], "must be an age"),
        (&["--keep-tags=1", "--unused-since=7d", "localhost:1"], "do not say by their API"),
        (&["--keep-tags=1", "--tags=a b", "localhost:1"], "must be a pattern of tags"),
        (&["--keep-tags=1", "localhost:1/a:1"], "without tag and digest"),
    ] {
        let outcome = prune(words);
        assert_eq!(outcome.code, Some(2), "{}", outcome.stderr);
        assert!(outcome.stderr.contains(why), "{why}: {}", outcome.stderr);
    }
}

#[test]
fn a_registry_that_does_not_delete_is_named() {
    let registry = Embedded::behind(|request| {
        let deletes = request.method() == Method::DELETE;
        deletes.then(|| StatusCode::METHOD_NOT_ALLOWED.into_response())
    });
    ["1", "2"].into_iter().for_each(|tag| put(&registry.host(), "a", tag));
    let outcome = prune(&["--keep-tags=1", "--min-age=0", &registry.host()]);
    assert_eq!(outcome.code, Some(1));
    assert!(outcome.stderr.contains("the registry does not delete: set spec.delete"), "{}", outcome.stderr);
    // Nobody knows what the repository refers to.
    assert_eq!(outcome.said().1, Some(json!({"deletedTags": 0, "deletedManifests": 0, "keptTags": 0})));
}
