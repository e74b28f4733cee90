//! What is rendered for a cache makes a real distribution registry do what the spec says.
//!
//! Each test starts Debian's `docker-registry` with the variables and files of the rendered pod. It
//! skips where that, `oras` or `openssl` is not installed.

mod client;
mod pod;
mod s3;
mod upstream;

use client::{Certificates, Oras, has_files, request};
use pod::{Pod, Secrets};
use s3::S3;
use serde_json::{Value, json};
use tempfile::TempDir;
use upstream::Upstream;

/// Password "secret" of user "ann".
const HTPASSWD: &str = include_str!("../../../../../host/oci-registry-client/tests/htpasswd");
/// SHA-256 of "hello".
const HELLO: &str = "sha256:2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824";

/// Runs a registry whose data is gone with the test. `None` where tools are missing.
fn run(spec: Value, secrets: &Secrets) -> Option<(Pod, TempDir)> {
    let data = tempfile::tempdir().expect("a folder");
    if !test_registries::installed("oras") {
        return None;
    }
    Some((Pod::run(spec, secrets, data.path())?, data))
}

fn accounts() -> Secrets {
    [("accounts", [("htpasswd", HTPASSWD.to_owned())].into())].into()
}

fn plain() -> Oras {
    Oras::new(["--plain-http"])
}

fn refused(result: Result<(), String>, why: &str) {
    let message = result.expect_err("a refusal");
    assert!(message.to_lowercase().contains(why), "{message}");
}

#[test]
fn a_read_only_registry_gives_what_it_has_and_takes_nothing() {
    let Some((pod, data)) = run(json!({}), &Secrets::new()) else { return };
    let artifact = format!("{}/flow/words:1", pod.registry.host());
    plain().push(&artifact).expect("a push");
    drop(pod);
    let spec = json!({"readOnly": true, "delete": true});
    let pod = Pod::run(spec, &Secrets::new(), data.path()).expect("a registry");
    let artifact = format!("{}/flow/words:1", pod.registry.host());
    plain().pull(&artifact).expect("a pull");
    refused(plain().push(&format!("{}/flow/words:2", pod.registry.host())), "405");
    refused(plain().delete(&artifact), "405");
    assert_eq!(request(&pod.registry.host(), "GET", "/", "").status, 200);
}

#[test]
fn artifacts_are_deleted_only_where_the_spec_says_so() {
    for (delete, expected) in [(false, Err("unsupported")), (true, Ok(()))] {
        let Some((pod, _data)) = run(json!({"delete": delete}), &Secrets::new()) else { return };
        let artifact = format!("{}/flow/words:1", pod.registry.host());
        plain().push(&artifact).expect("a push");
        match expected {
            Ok(()) => plain().delete(&artifact).expect("a deletion"),
            Err(why) => refused(plain().delete(&artifact), why),
        }
        assert_eq!(plain().pull(&artifact).is_ok(), !delete);
    }
}

#[test]
fn a_pull_through_cache_keeps_what_it_fetched_and_takes_nothing() {
    let Some((upstream, upstream_data)) = run(json!({}), &Secrets::new()) else { return };
    let there = upstream.registry.host();
    plain().push(&format!("{there}/flow/words:1")).expect("a push");
    let spec = json!({"proxy": {"remoteURL": format!("http://{there}"), "ttl": "1h"}});
    let Some((pod, data)) = run(spec, &Secrets::new()) else { return };
    let artifact = format!("{}/flow/words:1", pod.registry.host());
    plain().pull(&artifact).expect("a pull");
    assert!(has_files(data.path()), "nothing was kept");
    // The other registry has to answer, and need not have the artifact any more.
    std::fs::remove_dir_all(upstream_data.path().join("docker")).expect("the artifacts");
    plain().pull(&format!("{there}/flow/words:1")).expect_err("the artifact is gone there");
    plain().pull(&artifact).expect("a pull of what is kept");
    let push = request(&pod.registry.host(), "POST", "/v2/flow/words/blobs/uploads/", "");
    assert_eq!(push.status, 405);
}

#[test]
fn a_pull_through_cache_shows_its_account_to_the_token_service() {
    let upstream = Upstream::start();
    let account = [("username", "ann".to_owned()), ("password", "secret".to_owned())].into();
    let spec = json!({"proxy": {"remoteURL": upstream.url(), "credentialsSecret": "upstream"}});
    let Some((pod, _data)) = run(spec, &[("upstream", account)].into()) else { return };
    let path = "/v2/flow/words/manifests/1";
    assert_eq!(request(&pod.registry.host(), "GET", path, "").status, 404);
    // "ann:secret" in RFC 7617.
    assert_eq!(upstream.authorization(), "Basic YW5uOnNlY3JldA==");
}

#[test]
fn a_registry_with_tls_is_trusted_by_its_authority_alone() {
    if !test_registries::installed("openssl") {
        return;
    }
    let (certificates, others) = (Certificates::make(), Certificates::make());
    let files = ["tls.crt", "tls.key"].map(|file| (file, certificates.read(file)));
    let secrets: Secrets = [("demo-tls", files.into())].into();
    let Some((pod, _data)) = run(json!({"tls": {}}), &secrets) else { return };
    let artifact = format!("{}/flow/words:1", pod.registry.host());
    let client = Oras::new(["--ca-file", &certificates.path("ca.crt")]);
    client.push(&artifact).expect("a push");
    client.pull(&artifact).expect("a pull");
    refused(Oras::new(["--ca-file", &others.path("ca.crt")]).pull(&artifact), "certificate");
    refused(plain().pull(&artifact), "http");
}

#[test]
fn a_registry_with_accounts_asks_for_one_but_in_probes() {
    let spec = json!({"auth": {"htpasswdSecret": "accounts"}});
    let Some((pod, _data)) = run(spec, &accounts()) else { return };
    let artifact = format!("{}/flow/words:1", pod.registry.host());
    refused(plain().push(&artifact), "credential");
    refused(Oras::new(["--plain-http", "-u", "ann", "-p", "wrong"]).push(&artifact), "401");
    let ann = Oras::new(["--plain-http", "-u", "ann", "-p", "secret"]);
    ann.push(&artifact).expect("a push");
    ann.pull(&artifact).expect("a pull");
    refused(plain().pull(&artifact), "credential");
    assert_eq!(request(&pod.registry.host(), "GET", "/v2/", "").status, 401);
    assert_eq!(request(&pod.registry.host(), "GET", "/", "").status, 200);
}

#[test]
fn accounts_that_are_added_count_without_a_restart() {
    let spec = json!({"auth": {"htpasswdSecret": "accounts"}});
    let Some((pod, _data)) = run(spec, &accounts()) else { return };
    let artifact = format!("{}/flow/words:1", pod.registry.host());
    let bob = Oras::new(["--plain-http", "-u", "bob", "-p", "secret"]);
    refused(bob.push(&artifact), "401");
    pod.replace("accounts", "htpasswd", &format!("{HTPASSWD}{}", HTPASSWD.replacen("ann", "bob", 1)));
    bob.push(&artifact).expect("a push");
    Oras::new(["--plain-http", "-u", "ann", "-p", "secret"]).pull(&artifact).expect("a pull");
}

/// Begins an upload at one registry pod and ends it at another one.
fn upload_over_two(first: &str, second: &str) -> u16 {
    let begun = request(first, "POST", "/v2/flow/words/blobs/uploads/", "");
    assert_eq!(begun.status, 202);
    let location = begun.location.expect("an address");
    let path = location.replace(&format!("http://{first}"), "");
    let separator = if path.contains('?') { '&' } else { '?' };
    request(second, "PUT", &format!("{path}{separator}digest={HELLO}"), "hello").status
}

#[test]
fn an_upload_goes_on_at_another_replica_with_the_same_http_secret() {
    let storage = json!({"size": "1Gi", "accessModes": ["ReadWriteMany"]});
    let spec = json!({"replicas": 2, "storage": storage});
    let value = |value: &str| [("http-secret", value.to_owned())].into();
    let secrets: Secrets = [("demo-http-secret", value("one"))].into();
    let Some((first, data)) = run(spec.clone(), &secrets) else { return };
    let second = Pod::run(spec.clone(), &secrets, data.path()).expect("a registry");
    assert_eq!(upload_over_two(&first.registry.host(), &second.registry.host()), 201);
    // The test would fail without a shared secret.
    let other =
        Pod::run(spec, &[("demo-http-secret", value("two"))].into(), data.path()).expect("a registry");
    assert_eq!(upload_over_two(&first.registry.host(), &other.registry.host()), 404);
}

#[test]
fn registries_with_one_bucket_serve_the_same_artifacts() {
    let Some(s3) = S3::start() else { return };
    let bucket = json!({
        "bucket": "artifacts", "region": "us-east-1", "endpoint": s3.url(), "credentialsSecret": "keys",
    });
    let spec = json!({"replicas": 2, "storage": {"s3": bucket}});
    let secrets: Secrets = [
        ("demo-http-secret", [("http-secret", "one".to_owned())].into()),
        ("keys", [("access-key", "a".to_owned()), ("secret-key", "b".to_owned())].into()),
    ]
    .into();
    let Some((first, data)) = run(spec.clone(), &secrets) else { return };
    let Some((second, _)) = run(spec, &secrets) else { return };
    plain().push(&format!("{}/flow/words:1", first.registry.host())).expect("a push");
    plain().pull(&format!("{}/flow/words:1", second.registry.host())).expect("a pull");
    assert_eq!(upload_over_two(&first.registry.host(), &second.registry.host()), 201);
    let hex = HELLO.trim_start_matches("sha256:");
    let key = format!("lab/demo/docker/registry/v2/blobs/sha256/2c/{hex}/data");
    assert!(s3.has(&key), "the blob is not in the directory of the cache");
    assert!(!has_files(data.path()), "nothing is kept in the pod");
}
