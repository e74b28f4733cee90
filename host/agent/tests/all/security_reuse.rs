//! Security: outputs that were pushed for another step are not reused, keys tell no values, and a
//! step gets no further by its proxy than it needs to.

use crate::support::eventually;
use crate::support::http::{ask, ask_socket, manifest, put_manifest};
use crate::support::proxy::{Guarded, stop};
use crate::support::reuse::{KEY, Reusing, assert_ran, assert_reused};

#[test]
fn a_key_whose_manifest_disagrees_is_ignored_and_replaced() {
    let reusing = Reusing::new();
    let host = reusing.host();
    assert_ran(&reusing.run(reusing.step("1")));
    let key = reusing.keys().remove(0);
    let right = manifest(&host, "out", &key);
    for (annotations, part) in [
        (serde_json::json!({}), "names no key"),
        (serde_json::json!({KEY: "0".repeat(64)}), "was pushed for the key 0000"),
    ] {
        let mut poisoned = right.clone();
        poisoned["annotations"] = annotations;
        put_manifest(&host, "out", &key, &poisoned);
        let outcome = reusing.run(reusing.step("2"));
        assert_ran(&outcome);
        let warning = format!("warning: out:{key} is ignored, since its manifest {part}");
        assert!(outcome.stderr.contains(&warning), "{}", outcome.stderr);
        assert_reused(&reusing.run(reusing.step("3")));
    }
    // Another artifact that was pushed with a key of its own.
    assert_ran(&reusing.run(reusing.step("other").flag("--reuse-salt=x")));
    put_manifest(&host, "out", &key, &manifest(&host, "out", "other"));
    assert_ran(&reusing.run(reusing.step("2")));
}

#[test]
fn values_do_not_reach_the_registry() {
    let reusing = Reusing::new();
    let step = reusing
        .step("1")
        .flag("--reuse-variable=PASSWORD")
        .flag("--reuse-named-variable=TOKEN=secret/s/k")
        .flag("--reuse-salt=hunter3")
        .env("PASSWORD", "hunter2")
        .env("TOKEN", "hunter4");
    assert_ran(&reusing.run(step));
    let manifest = manifest(&reusing.host(), "out", "1");
    let digest = manifest["config"]["digest"].as_str().unwrap();
    let document = ask(&reusing.host(), "GET", &format!("/v2/out/blobs/{digest}"), &[], b"").text();
    assert!(document.contains("PASSWORD") && document.contains("secret/s/k"), "{document}");
    for text in [document, manifest.to_string()] {
        assert!(!text.contains("hunter"), "{text}");
    }
    // The key is the digest of the document.
    assert_eq!(format!("sha256:{}", manifest["annotations"][KEY].as_str().unwrap()), digest);
}

#[test]
fn only_tags_of_keys_in_the_repositories_of_outputs_pass_the_proxy() {
    let Some(guarded) = Guarded::start() else { return };
    let running = guarded.call().flag("--reuse=true").start();
    eventually("the socket", || guarded.proxy.socket().exists());
    let key = format!("key-{}", "0a".repeat(32));
    let status = |method, path: &str| {
        let path = format!("/v2/{}", path.replace("KEY", &key));
        ask_socket(&guarded.proxy.socket(), method, &path).status
    };
    assert_eq!(status("GET", "out/words/manifests/KEY"), 404, "the registry answers");
    for (method, path) in [
        ("GET", "in/words/manifests/KEY"),
        ("PUT", "in/words/manifests/KEY"),
        ("GET", "other/words/manifests/KEY"),
        ("DELETE", "out/words/manifests/KEY"),
        ("PUT", "out/words/manifests/key-1"),
        ("PUT", "out/words/manifests/KEY0"),
        ("GET", "out/words/tags/list"),
    ] {
        assert_eq!(status(method, path), 403, "{method} {path}");
    }
    stop(running);
}
