//! Registries that speak TLS, and registries that do not although TLS is expected.

use crate::support;
use crate::support::tree::{content, paths, tree, write};
use crate::support::{Agent, assert_failed, eventually};
use rustix::process::Signal;
use std::path::Path;
use test_registries::{DockerRegistry, Embedded};

/// Variable with a file of further authorities (openssl(1ssl), SSL_CERT_FILE).
const TRUSTED: &str = "SSL_CERT_FILE";

fn step(url: &str, script: &str, directory: &Path) -> Agent {
    Agent::step(url, ["sh", "-c", script]).directory(directory)
}

#[test]
fn a_trusted_certificate_is_accepted() {
    let Some(registry) = DockerRegistry::with_tls() else { return };
    let url = format!("https://{}", registry.host());
    let (from, into) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    write(&from.path().join("out/data"), content(3 << 20, 1), 0o640);
    let pushed = step(&url, "true", from.path())
        .env(TRUSTED, registry.certificate())
        .flag("--output=a:1")
        .flag("--output-path=out")
        .run();
    assert_eq!(pushed.code, Some(0), "{}", pushed.stderr);
    let pulled =
        step(&url, "true", into.path()).env(TRUSTED, registry.certificate()).flag("--input=a:1").run();
    assert_eq!(pulled.code, Some(0), "{}", pulled.stderr);
    assert_eq!(tree(into.path()), tree(from.path()));
    // Without a scheme, a registry on this machine would be spoken to without TLS.
    let by_hand = tempfile::tempdir().unwrap();
    let pulled = Agent::new(["pull", &format!("{url}/a:1")])
        .directory(by_hand.path())
        .env(TRUSTED, registry.certificate())
        .run();
    assert_eq!(pulled.code, Some(0), "{}", pulled.stderr);
    assert_eq!(tree(by_hand.path()), tree(from.path()));
}

#[test]
fn an_untrusted_certificate_ends_a_transfer_at_once() {
    let Some(registry) = DockerRegistry::with_tls() else { return };
    let url = format!("https://{}", registry.host());
    let folder = tempfile::tempdir().unwrap();
    // The patience is longer than the limit of the test.
    let pulled = step(&url, "touch out", folder.path())
        .env_remove(TRUSTED)
        .flag("--input=a:1")
        .flag("--patience=1000")
        .run();
    assert_failed(&pulled, 98, &["cannot pull a:1", &url, "certificate"]);
    assert_eq!(paths(folder.path()), [""; 0]);
    let pushed = step(&url, "touch out", folder.path())
        .env_remove(TRUSTED)
        .flag("--output=a:1")
        .flag("--output-path=out")
        .flag("--patience=1000")
        .run();
    assert_failed(&pushed, 99, &["cannot push a:1", &url, "certificate"]);
}

#[test]
fn a_wrong_scheme_ends_a_transfer_at_once() {
    let plain = Embedded::start();
    let Some(encrypted) = DockerRegistry::with_tls() else { return };
    for url in [format!("https://{}", plain.host()), format!("http://{}", encrypted.host())] {
        let folder = tempfile::tempdir().unwrap();
        let outcome =
            step(&url, "touch out", folder.path()).flag("--input=a:1").flag("--patience=1000").run();
        assert_failed(&outcome, 98, &["cannot pull a:1", &url]);
        assert_eq!(paths(folder.path()), [""; 0]);
    }
}

#[test]
fn the_proxy_speaks_tls_for_its_step() {
    let Some(registry) = DockerRegistry::with_tls() else { return };
    let url = format!("https://{}", registry.host());
    let folder = tempfile::tempdir().unwrap();
    let socket = folder.path().join("socket");
    let proxy =
        Agent::new(["proxy", &format!("--registry={url}"), &format!("--socket={}", socket.display())])
            .flag("--pull=a:1")
            .flag("--push=a:1")
            .env(TRUSTED, registry.certificate())
            .start();
    eventually("the socket", || socket.exists());
    let (from, into) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    write(&from.path().join("out/data"), content(3 << 20, 1), 0o640);
    let through = format!("--proxy={}", socket.display());
    let pushed = step(&url, "true", from.path())
        .env_remove(TRUSTED)
        .flag(&through)
        .flag("--output=a:1")
        .flag("--output-path=out")
        .run();
    assert_eq!(pushed.code, Some(0), "{}", pushed.stderr);
    let pulled = step(&url, "true", into.path()).env_remove(TRUSTED).flag(&through).flag("--input=a:1").run();
    assert_eq!(pulled.code, Some(0), "{}", pulled.stderr);
    assert_eq!(tree(into.path()), tree(from.path()));
    proxy.signal(Signal::TERM);
    assert_eq!(proxy.wait().code, Some(0));
}

#[test]
fn a_private_authority_is_named_by_a_flag_or_a_variable() {
    let Some(registry) = DockerRegistry::with_tls() else { return };
    let url = format!("https://{}", registry.host());
    let pem = std::fs::read_to_string(registry.certificate()).unwrap();
    let file = registry.certificate().display().to_string();
    let folder = tempfile::tempdir().unwrap();
    write(&folder.path().join("out"), "x", 0o640);
    let push = || {
        let agent = step(&url, "! env | grep ORASCACHE_CA", folder.path()).env_remove(TRUSTED);
        agent.flag("--output=a:1").flag("--output-path=out")
    };
    for agent in [
        push().flag(format!("--ca-file={file}")),
        push().env("ORASCACHE_CA_FILE", &file),
        push().env("ORASCACHE_CA_PEM", &pem),
    ] {
        let pushed = agent.run();
        assert_eq!(pushed.code, Some(0), "{}", pushed.stderr);
    }
}

#[test]
fn the_reason_of_a_failure_in_the_proxy_reaches_the_step() {
    let Some(registry) = DockerRegistry::with_tls() else { return };
    let url = format!("https://{}", registry.host());
    let folder = tempfile::tempdir().unwrap();
    let socket = folder.path().join("socket");
    write(&folder.path().join("out"), "x", 0o640);
    let proxy =
        Agent::new(["proxy", &format!("--registry={url}"), &format!("--socket={}", socket.display())])
            .flag("--pull=a:1")
            .flag("--push=a:1")
            .env_remove(TRUSTED)
            .start();
    eventually("the socket", || socket.exists());
    let through = format!("--proxy={}", socket.display());
    let pushed =
        step(&url, "true", folder.path()).flag(&through).flag("--output=a:1").flag("--output-path=out").run();
    assert_failed(&pushed, 99, &["cannot push a:1", "certificate"]);
    let pulled = step(&url, "true", folder.path()).flag(&through).flag("--input=a:1").run();
    assert_failed(&pulled, 98, &["cannot pull a:1", "certificate"]);
    // A HEAD request has no body.
    let answer = support::http::ask_socket(&socket, "HEAD", "/v2/a/manifests/1");
    assert!(answer.header("orascache-reason").unwrap().contains("certificate"));
    drop(proxy);
}
