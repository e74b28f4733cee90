//! Steps that use the credential proxy, and the requests that it allows.

use crate::support::http::{ask, ask_socket, tagged};
use crate::support::proxy::{
    AUTHORIZATION, Guarded, HTPASSWD, MANIFEST, Proxy, assert_silent, put_words, stop,
};
use crate::support::tree::{paths, tree, write};
use crate::support::{Agent, assert_failed, eventually};
use test_registries::{DockerRegistry, Embedded};

#[test]
fn a_step_pulls_and_pushes_with_credentials_that_it_never_sees() {
    let Some(guarded) = Guarded::start() else { return };
    let running = guarded.serve();
    let folder = tempfile::tempdir().unwrap();
    let script = "cat /proc/$PPID/environ /proc/$PPID/cmdline /proc/$$/environ | tr '\\0' '\\n'; echo more >> words/text";
    let outcome = guarded.step(script, folder.path(), "words").run();
    assert_eq!(outcome.code, Some(0), "{}", outcome.stderr);
    assert!(outcome.stdout().contains("PATH="));
    assert_silent(&outcome);
    assert!(!outcome.stdout().contains("ORAS_"));
    stop(running);
    // The result is checked without the proxy.
    assert!(guarded.has("out/words", "1"));
    let anonymous = [("Accept", MANIFEST)];
    assert_eq!(ask(&guarded.host(), "GET", "/v2/out/words/manifests/1", &anonymous, b"").status, 401);
    write(&guarded.words.path().join("words/text"), "hello\nmore\n", 0o644);
    assert_eq!(tree(guarded.pull_output().path()), tree(guarded.words.path()));
}

#[test]
fn several_inputs_and_outputs_pass_and_nothing_else() {
    let Some(guarded) = Guarded::start() else { return };
    let password = [("ORAS_USER", "ann"), ("ORAS_PULL_PASS", "secret"), ("ORAS_PUSH_PASS", "secret")];
    for part in ["08", "09", "10", "11"] {
        let name = format!("{}/in/parts:p-{part}", guarded.host());
        let push = Agent::new(["push", &name, "words/text"]).directory(guarded.words.path());
        let outcome = password.iter().fold(push, |push, (name, value)| push.env(name, value)).run();
        assert_eq!(outcome.code, Some(0), "{}", outcome.stderr);
    }
    let call =
        guarded.call().flag("--pull=in/parts:p-{08..10}").flag("--push=out/log:1").flag("--push=out/log:2");
    let running = call.start();
    eventually("the socket", || guarded.proxy.socket().exists());
    let folder = tempfile::tempdir().unwrap();
    let outcome = guarded
        .step("cat parts/p-*/words/text | tee log", folder.path(), "words")
        .flag("--input=in/parts:p-{08..10},path=parts/{tag}")
        .flag("--output=out/log:1,path=log")
        .flag("--output=out/log:2,path=parts")
        .run();
    assert_eq!(
        (outcome.code, outcome.stdout().as_str()),
        (Some(0), "hello\nhello\nhello\n"),
        "{}",
        outcome.stderr
    );
    assert!(guarded.has("out/words", "1") && guarded.has("out/log", "1") && guarded.has("out/log", "2"));
    for undeclared in ["--input=in/parts:p-11", "--input=in/parts:p-{10..11}"] {
        let outcome = guarded.step("true", folder.path(), "words").flag(undeclared).run();
        assert_failed(&outcome, 98, &["cannot pull in/parts:p-11", "403"]);
    }
    let outcome = guarded.step("true", folder.path(), "words").flag("--output=out/log:3,path=log").run();
    assert_failed(&outcome, 99, &["cannot push out/log:3", "403"]);
    stop(running);
}

#[test]
fn undeclared_requests_are_refused() {
    let Some(guarded) = Guarded::start() else { return };
    let (proxy, network) = (&guarded.proxy, &guarded.network);
    let running = guarded.serve();
    let digest = format!("sha256:{}", "0".repeat(64));
    for (method, path) in [
        ("GET", "/v2/_catalog"),
        ("GET", "/v2/in/words/tags/list"),
        ("GET", "/v2/other/words/manifests/1"),
        ("GET", "/v2/in/words/manifests/2"),
        ("GET", "/v2/in/words/../../other/words/manifests/1"),
        ("GET", "/v2/in/words/referrers/DIGEST"),
        ("PUT", "/v2/in/words/manifests/1"),
        ("POST", "/v2/in/words/blobs/uploads/"),
        ("PUT", "/v2/out/words/manifests/latest"),
        ("DELETE", "/v2/in/words/manifests/1"),
        ("DELETE", "/v2/out/words/manifests/1"),
        ("DELETE", "/v2/out/words/manifests/DIGEST"),
        ("DELETE", "/v2/out/words/blobs/DIGEST"),
        ("PATCH", "/v2/other/words/blobs/uploads/1"),
        ("GET", "/metrics"),
        ("GET", "/"),
    ] {
        let answer = ask_socket(&proxy.socket(), method, &path.replace("DIGEST", &digest));
        assert_eq!(answer.status, 403, "{method} {path}: {}", answer.text());
        let body: serde_json::Value = serde_json::from_slice(&answer.body).unwrap();
        assert_eq!(body["errors"][0]["code"], "DENIED", "{method} {path}");
        assert!(body["errors"][0]["message"].as_str().is_some_and(|said| said.len() > 20), "{body}");
    }
    // None of these requests was sent to the registry.
    assert_eq!(network.sent(), 0);
    let answer = ask_socket(&proxy.socket(), "GET", "/v2/in/words/manifests/1");
    assert_eq!(answer.status, 200, "{}", answer.text());
    assert_eq!(answer.header("content-type"), Some(MANIFEST));
    let blob = format!("/v2/out/words/blobs/{digest}");
    assert_eq!(ask_socket(&proxy.socket(), "HEAD", &blob).status, 404);
    // The proxy gives uploads names of its own.
    let begun = ask_socket(&proxy.socket(), "POST", "/v2/out/words/blobs/uploads/");
    let location = begun.header("location").unwrap();
    assert!(begun.status == 202 && location.starts_with("/v2/out/words/blobs/uploads/"), "{location}");
    assert!(
        !location.contains("_state") && !begun.headers.iter().any(|(name, _)| name == "www-authenticate")
    );
    let unknown = ask_socket(&proxy.socket(), "PATCH", "/v2/out/words/blobs/uploads/99");
    assert_eq!(unknown.status, 404);
    stop(running);
}

#[test]
fn a_step_with_an_undeclared_artifact_fails() {
    let Some(guarded) = Guarded::start() else { return };
    let running = guarded.serve();
    let folder = tempfile::tempdir().unwrap();
    let step = |script| guarded.proxy.step(&guarded.host(), script, folder.path());
    let outcome = step("touch started").flag("--input=other:1").run();
    assert_failed(&outcome, 98, &["cannot pull other:1", "403"]);
    assert_eq!(paths(folder.path()), [""; 0]);
    let outcome = step("touch out").flag("--output=out/words:other").flag("--output-path=out").run();
    assert_failed(&outcome, 99, &["cannot push out/words:other", "403"]);
    stop(running);
}

#[test]
fn wrong_passwords_are_reported_and_not_shown() {
    let Some(registry) = DockerRegistry::with_password(HTPASSWD) else { return };
    let host = registry.host();
    put_words(&host);
    for (pull, push) in [(Some("hunter2"), Some("hunter2")), (None, None)] {
        let proxy = Proxy::new();
        let running = proxy.start(&host, pull, push);
        let folder = tempfile::tempdir().unwrap();
        let outcome = proxy.step(&host, "touch started", folder.path()).flag("--input=in/words:1").run();
        assert_failed(&outcome, 98, &["cannot pull in/words:1", "refuses access", "ORAS_PULL_PASS"]);
        assert_silent(&outcome);
        assert_eq!(paths(folder.path()), [""; 0]);
        let outcome = proxy
            .step(&host, "touch out", folder.path())
            .flag("--output=out/words:1")
            .flag("--output-path=out")
            .run();
        assert_failed(&outcome, 99, &["cannot push out/words:1", "refuses access", "ORAS_PUSH_PASS"]);
        assert_silent(&outcome);
        stop(running);
    }
}

#[test]
fn inputs_are_pulled_anonymously_without_a_password_for_reading() {
    let registry = Embedded::guarded(AUTHORIZATION);
    let host = registry.host();
    put_words(&host);
    let proxy = Proxy::new();
    let running = proxy.start(&host, None, Some("secret"));
    let folder = tempfile::tempdir().unwrap();
    let outcome = proxy
        .step(&host, "cat words/text", folder.path())
        .flag("--input=in/words:1")
        .flag("--output=out/words:1")
        .flag("--output-path=words")
        .run();
    assert_eq!((outcome.code, outcome.stdout().as_str()), (Some(0), "hello\n"), "{}", outcome.stderr);
    stop(running);
    assert!(tagged(&host, "out/words", "1").is_some());
}
