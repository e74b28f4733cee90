//! `prune` while others write, in runs that end early, and before garbage collection.

use crate::support;
use crate::support::copies::{put_index, raw, tags};
use crate::support::http::{ask, put_manifest, tagged};
use crate::support::prunes::{DAY, ago, prune, pruned, pruning, put_of};
use axum::http::{Method, StatusCode};
use axum::response::IntoResponse;
use std::process::Command;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use test_registries::{DockerRegistry, Embedded, Event, Network, Reaction, registries};

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
    let each = if std::env::var_os("ORASCACHE_LARGE").is_some() { 500 } else { 50 };
    let host = registry.host();
    // Debian's registry reads all tags for each manifest that it deletes, so that many share one.
    for n in 0..MANIFESTS {
        put_of(&host, "a", &format!("first-{n}"), &ago(DAY * (300 - n)));
    }
    link_tags(&registry, each);
    assert_eq!(tags(&host, "a").len(), MANIFESTS as usize * each);
    let stop = Arc::new(AtomicBool::new(false));
    let mut base = support::http::manifest(&host, "a", "first-19");
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
    let words = ["--tags=first-*", "--tags=tag-*", "--max-age=290d12h", &host];
    let running = pruning(&words).limit(Duration::from_secs(900)).start();
    put_manifest(&host, "a", "first-9", &base);
    let outcome = running.wait();
    stop.store(true, Ordering::Relaxed);
    assert_eq!(outcome.code, Some(0), "{}", outcome.stderr);
    // From 300 to 291 days old: the first ten, with all their tags.
    let done = outcome.stdout();
    assert!(done.contains(" and 10 manifests") || done.contains(" and 9 manifests"), "{done}");
    let left = tags(&host, "a");
    let old = left.iter().filter(|tag| !tag.starts_with("new-") && tag.as_str() != "first-9").count();
    assert!(old == MANIFESTS as usize / 2 * each || old == MANIFESTS as usize / 2 * each + each - 1, "{old}");
    assert!(left.iter().any(|tag| tag == "first-9") && raw(&host, "a", "first-9").is_some());
    for writer in writers {
        let written = writer.join().unwrap();
        assert!(!written.is_empty());
        for (tag, digest) in written {
            assert!(digest.is_some() && tagged(&host, "a", &tag) == digest, "{tag} was lost");
        }
    }
}

/// Number of manifests with tags of one date each. There are few, since what Debian's registry does
/// for each deletion takes nearly all the time of this test.
const MANIFESTS: i64 = 20;

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
