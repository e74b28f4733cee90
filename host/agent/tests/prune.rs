//! `prune`: retention by the API of a registry.

mod support;

use axum::http::{Method, StatusCode};
use axum::response::IntoResponse;
use serde_json::json;
use std::process::Command;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use support::copies::{MANIFEST, descriptor, put_index, put_referrer, raw, registries, tags};
use support::http::{Layer, ask, put_artifact, put_blob, put_manifest, tagged};
use support::{Agent, Finished};
use test_registries::{DockerRegistry, Embedded, Event, Network, Reaction};

/// Calls `prune`, with a folder for its termination message. Nobody has logged in.
fn prune(arguments: &[&str]) -> Finished {
    pruning(arguments).run()
}

fn pruning(arguments: &[&str]) -> Agent {
    let agent = Agent::new([&["prune", "--patience=20"], arguments].concat());
    let message = format!("--termination-message={}", agent.message().display());
    let home = agent.folder().to_owned();
    agent.flag(message).env("HOME", &home).env_remove("DOCKER_CONFIG")
}

/// Prunes, and returns the line that says what was done.
fn pruned(arguments: &[&str]) -> String {
    let outcome = prune(arguments);
    assert_eq!(outcome.code, Some(0), "{}", outcome.stderr);
    let line = outcome.stdout().trim_end().to_owned();
    assert_eq!(outcome.message, Some(format!("orascache: {line}")));
    line
}

fn put(host: &str, repository: &str, tag: &str) {
    put_artifact(host, repository, tag, &[Layer::file("a", format!("{repository}:{tag}"))]);
}

/// Puts an artifact that says when it was made.
fn put_of(host: &str, repository: &str, tag: &str, created: &str) {
    let content = format!("{repository}:{tag}");
    let (config, layer) = (put_blob(host, repository, b"{}"), put_blob(host, repository, content.as_bytes()));
    let manifest = json!({
        "schemaVersion": 2,
        "mediaType": MANIFEST,
        "config": {"mediaType": "application/vnd.oci.empty.v1+json", "digest": config, "size": 2},
        "layers": [{"mediaType": "text/plain", "digest": layer, "size": content.len()}],
        "annotations": {"org.opencontainers.image.created": created},
    });
    put_manifest(host, repository, tag, &manifest);
}

fn ago(seconds: i64) -> String {
    jiff::Timestamp::from_second(jiff::Timestamp::now().as_second() - seconds).unwrap().to_string()
}

const DAY: i64 = 24 * 60 * 60;

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
}

#[test]
fn a_tag_that_moves_away_at_the_last_moment_stays_with_its_old_manifest() {
    let seen = Arc::new(Mutex::new((0, Vec::new())));
    let hook = {
        let seen = seen.clone();
        move |request: &axum::extract::Request| {
            let mut seen = seen.lock().unwrap();
            if request.method() == Method::DELETE {
                seen.1.push(request.uri().path().to_owned());
            }
            if request.method() != Method::HEAD || request.uri().path() != "/v2/a/manifests/1" {
                return None;
            }
            // The first question is that of a look at all tags, the second that before the deletion.
            seen.0 += 1;
            let moved = format!("sha256:{}", "0".repeat(64));
            (seen.0 == 2).then(|| [("docker-content-digest", moved)].into_response())
        }
    };
    let registry = Embedded::behind(hook);
    let host = registry.host();
    put_of(&host, "a", "1", &ago(9 * DAY));
    put_of(&host, "a", "2", &ago(8 * DAY));
    assert!(pruned(&["--max-age=5d", "--parallel=1", &host]).starts_with("deleted 1 tags and 1 manifests"));
    assert_eq!(tags(&host, "a"), ["1"]);
    let seen = seen.lock().unwrap();
    let of_a = seen.1.iter().filter(|path| path.starts_with("/v2/a/"));
    assert_eq!((seen.0 >= 2, of_a.count()), (true, 1), "{:?}", seen.1);
}

#[test]
fn a_tag_that_comes_to_an_old_manifest_meanwhile_keeps_it() {
    for (host, _registry) in registries() {
        for n in 1..=150 {
            put_of(&host, "a", &format!("run-{n}"), &ago(DAY * (200 - n)));
        }
        let network = Network::to(&host);
        // The first batch ends with run-100. The second look follows.
        network.when(Event::Request("DELETE /v2/a/manifests/".to_owned()), Reaction::Hold);
        let running = pruning(&["--keep-tags=1", "--min-age=0", "--parallel=1", &network.host()]).start();
        network.wait_until_held(1);
        for (n, tag) in [(120, "again"), (121, "run-150")] {
            let manifest = support::http::manifest(&host, "a", &format!("run-{n}"));
            put_manifest(&host, "a", tag, &manifest);
        }
        network.clear();
        let outcome = running.wait();
        assert_eq!(outcome.code, Some(0), "{}", outcome.stderr);
        let left = tags(&host, "a");
        for tag in ["again", "run-120", "run-121", "run-150"] {
            assert!(left.iter().any(|one| one == tag) && raw(&host, "a", tag).is_some(), "{tag}: {left:?}");
        }
    }
}

#[test]
fn a_run_that_was_refused_in_the_middle_is_finished_by_the_next_one() {
    let left = Arc::new(AtomicUsize::new(5));
    let hook = {
        let left = left.clone();
        move |request: &axum::extract::Request| {
            let is_refused = request.method() == Method::DELETE
                && left
                    .fetch_update(Ordering::Relaxed, Ordering::Relaxed, |left| left.checked_sub(1))
                    .is_err();
            is_refused.then(|| StatusCode::FORBIDDEN.into_response())
        }
    };
    let registry = Embedded::behind(hook);
    let host = registry.host();
    for n in 1..=20 {
        put_of(&host, "a", &format!("run-{n}"), &ago(DAY * (200 - n)));
    }
    let words = ["--keep-tags=3", "--min-age=0", "--parallel=1", &host];
    let outcome = prune(&words);
    assert_eq!(outcome.code, Some(1));
    assert!(outcome.stderr.contains("cannot prune a in http://"), "{}", outcome.stderr);
    assert!(outcome.stderr.contains("refuses access") && outcome.stderr.contains("run it again"));
    assert_eq!(tags(&host, "a").len(), 15, "the oldest went first");
    left.store(100, Ordering::Relaxed);
    pruned(&words);
    assert_eq!(tags(&host, "a"), ["run-18", "run-19", "run-20"]);
}

/// The garbage collection of Debian's registry frees what was pruned, and nothing else.
#[test]
fn garbage_collection_frees_what_was_pruned_and_keeps_the_rest() {
    let Some(mut registry) = DockerRegistry::start() else { return };
    let host = registry.host();
    for (tag, days) in [("old", 9), ("new", 1), ("amd64", 9)] {
        put_of(&host, "a", tag, &ago(days * DAY));
    }
    put_index(&host, "a", "both", &["amd64", "new"]);
    let layer = |tag: &str| support::http::manifest(&host, "a", tag)["layers"][0]["digest"].clone();
    let blobs = ["old", "new", "amd64"].map(|tag| layer(tag).as_str().unwrap().to_owned());
    pruned(&["--max-age=5d", &host]);
    assert_eq!(tags(&host, "a"), ["amd64", "both", "new"], "an index keeps what it names");
    registry.kill();
    let config = registry.data().parent().unwrap().join("config.yml");
    let collected = Command::new("docker-registry").arg("garbage-collect").arg(config).output().unwrap();
    assert!(collected.status.success(), "{}", String::from_utf8_lossy(&collected.stderr));
    registry.restart();
    let has = |blob: &str| ask(&host, "GET", &format!("/v2/a/blobs/{blob}"), &[], b"").status == 200;
    assert_eq!(blobs.each_ref().map(|blob| has(blob)), [false, true, true]);
    assert!(raw(&host, "a", "both").is_some() && raw(&host, "a", "amd64").is_some());
    // The record is kept: tags do not begin to age anew.
    assert_eq!(
        pruned(&["--max-age=5d", &host]),
        "deleted 0 tags and 0 manifests, 3 tags are left, 1 of them only because others name the same manifests"
    );
}

/// Writers push new tags meanwhile, and point old tags to other manifests. With `ORASCACHE_LARGE=1`
/// there are ten thousand tags, else a tenth of that.
#[test]
fn thousands_of_tags_are_pruned_while_others_write() {
    let Some(registry) = DockerRegistry::start() else { return };
    let each = if std::env::var_os("ORASCACHE_LARGE").is_some() { 100 } else { 10 };
    let host = registry.host();
    // Debian's registry reads all tags for each manifest that it deletes, so that many share one.
    for n in 0..MANIFESTS {
        put_of(&host, "a", &format!("first-{n}"), &ago(DAY * (300 - n)));
    }
    link_tags(&registry, each);
    assert_eq!(tags(&host, "a").len(), MANIFESTS as usize * each);
    let stop = Arc::new(AtomicBool::new(false));
    let mut base = support::http::manifest(&host, "a", "first-99");
    let writers: Vec<_> = (0..3)
        .map(|writer| {
            let (host, stop, mut base) = (host.clone(), stop.clone(), base.clone());
            std::thread::spawn(move || {
                let mut written = Vec::new();
                while !stop.load(Ordering::Relaxed) {
                    let tag = format!("new-{writer}-{}", written.len());
                    base["annotations"]["tag"] = tag.clone().into();
                    put_manifest(&host, "a", &tag, &base);
                    written.push((tag.clone(), tagged(&host, "a", &tag)));
                    // The writers shall not keep the registry from its work.
                    std::thread::sleep(Duration::from_millis(10));
                }
                written
            })
        })
        .collect();
    // A tag that would go is given to a new manifest.
    base["annotations"]["tag"] = "moved".into();
    let words = ["--tags=first-*", "--tags=tag-*", "--max-age=250d12h", &host];
    let running = pruning(&words).limit(Duration::from_secs(900)).start();
    put_manifest(&host, "a", "first-49", &base);
    let outcome = running.wait();
    stop.store(true, Ordering::Relaxed);
    assert_eq!(outcome.code, Some(0), "{}", outcome.stderr);
    // From 300 to 251 days old: the first fifty, with all their tags.
    let done = outcome.stdout();
    assert!(done.contains(" and 50 manifests") || done.contains(" and 49 manifests"), "{done}");
    let left = tags(&host, "a");
    let old = left.iter().filter(|tag| !tag.starts_with("new-") && tag.as_str() != "first-49").count();
    assert!(old == MANIFESTS as usize / 2 * each || old == MANIFESTS as usize / 2 * each + each - 1, "{old}");
    assert!(left.iter().any(|tag| tag == "first-49") && raw(&host, "a", "first-49").is_some());
    for writer in writers {
        let written = writer.join().unwrap();
        assert!(!written.is_empty());
        for (tag, digest) in written {
            assert!(digest.is_some() && tagged(&host, "a", &tag) == digest, "{tag} was lost");
        }
    }
}

/// Number of manifests with tags of one date each.
const MANIFESTS: i64 = 100;

/// Gives each manifest this number of tags, as the registry itself would write them.
fn link_tags(registry: &DockerRegistry, each: usize) {
    let folder = registry.data().join("docker/registry/v2/repositories/a/_manifests/tags");
    for n in 0..MANIFESTS {
        let link = std::fs::read(folder.join(format!("first-{n}/current/link"))).unwrap();
        let digest = String::from_utf8(link.clone()).unwrap();
        let hex = digest.trim().strip_prefix("sha256:").unwrap();
        for copy in 1..each {
            let tag = folder.join(format!("tag-{n}-{copy}"));
            for inner in ["current".to_owned(), format!("index/sha256/{hex}")] {
                std::fs::create_dir_all(tag.join(&inner)).unwrap();
                std::fs::write(tag.join(&inner).join("link"), &link).unwrap();
            }
        }
    }
}
