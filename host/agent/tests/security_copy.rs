//! Security of `copy`: credentials of one registry never go to the other one.

mod support;

use axum::http::{StatusCode, header};
use axum::response::IntoResponse;
use std::path::Path;
use std::sync::{Arc, Mutex};
use support::copies::{copy, copying, tags};
use support::http::{Layer, put_artifact};
use support::proxy::HTPASSWD;
use test_registries::{DockerRegistry, Embedded};

/// A registry that wants a password and writes down what it gets.
fn curious() -> (Embedded, Arc<Mutex<Vec<String>>>) {
    let seen: Arc<Mutex<Vec<String>>> = Arc::default();
    let hook = {
        let seen = seen.clone();
        move |request: &axum::extract::Request| match request.headers().get(header::AUTHORIZATION) {
            Some(given) => {
                seen.lock().unwrap().push(given.to_str().unwrap().to_owned());
                None
            }
            None => {
                let challenge = [(header::WWW_AUTHENTICATE, "Basic realm=\"test\"")];
                Some((StatusCode::UNAUTHORIZED, challenge).into_response())
            }
        }
    };
    (Embedded::behind(hook), seen)
}

fn secret(folder: &Path, name: &str, password: &str) -> String {
    let directory = folder.join(name);
    std::fs::create_dir_all(&directory).unwrap();
    for (file, value) in [("ORAS_USER", "ann"), ("ORAS_PULL_PASS", password), ("ORAS_PUSH_PASS", password)] {
        std::fs::write(directory.join(file), value).unwrap();
    }
    directory.display().to_string()
}

#[test]
fn each_registry_gets_its_own_credentials() {
    let folder = tempfile::tempdir().unwrap();
    let from = Embedded::start();
    put_artifact(&from.host(), "a", "1", &[Layer::file("a", "one")]);
    let (to, seen) = curious();
    let (ours, theirs) = (secret(folder.path(), "ours", "secret"), secret(folder.path(), "theirs", "other"));
    let outcome = copy(&[
        &format!("--source-credentials={ours}"),
        &format!("--destination-credentials={theirs}"),
        &format!("{}/a:1", from.host()),
        &format!("{}/a", to.host()),
    ]);
    assert_eq!(outcome.code, Some(0), "{}", outcome.stderr);
    let seen = seen.lock().unwrap();
    // `printf ann:other | base64`
    assert!(!seen.is_empty() && seen.iter().all(|given| given == "Basic YW5uOm90aGVy"), "{seen:?}");
}

#[test]
fn variables_for_one_registry_go_to_none() {
    let from = Embedded::start();
    put_artifact(&from.host(), "a", "1", &[Layer::file("a", "one")]);
    let (to, seen) = curious();
    let outcome = copying(&[&format!("{}/a:1", from.host()), &format!("{}/a", to.host())])
        .env("ORAS_USER", "ann")
        .env("ORAS_PUSH_PASS", "secret")
        .env("ORAS_PULL_PASS", "secret")
        .run();
    assert_eq!(outcome.code, Some(1), "{}", outcome.stderr);
    assert!(outcome.stderr.contains("it wants credentials, and none were given"), "{}", outcome.stderr);
    assert_eq!(seen.lock().unwrap().len(), 0);
}

#[test]
fn a_registry_with_a_password_is_copied_from_and_to() {
    let Some(registry) = DockerRegistry::with_password(HTPASSWD) else { return };
    let folder = tempfile::tempdir().unwrap();
    let (from, back) = (Embedded::start(), Embedded::start());
    put_artifact(&from.host(), "a", "1", &[Layer::file("a", "one")]);
    let config = format!(r#"{{"auths":{{"{}":{{"username":"ann","password":"secret"}}}}}}"#, registry.host());
    std::fs::write(folder.path().join(".dockerconfigjson"), config).unwrap();
    let directory = folder.path().display();
    let (source, destination) = (format!("{}/a:1", from.host()), format!("{}/a", registry.host()));
    let outcome = copy(&[&format!("--destination-credentials={directory}"), &source, &destination]);
    assert_eq!(outcome.code, Some(0), "{}", outcome.stderr);
    let outcome = copy(&[
        &format!("--source-credentials={directory}"),
        "--all-tags",
        &registry.host(),
        &format!("{}/b", back.host()),
    ]);
    assert_eq!(outcome.code, Some(0), "{}", outcome.stderr);
    assert_eq!(tags(&back.host(), "b/a"), ["1"]);
    let wrong = secret(folder.path(), "wrong", "no");
    let outcome = copy(&[&format!("--destination-credentials={wrong}"), &source, &destination]);
    assert_eq!(outcome.code, Some(1), "{}", outcome.stderr);
    assert!(
        outcome.stderr.contains("refuses access") && !outcome.stderr.contains("ann:no"),
        "{}",
        outcome.stderr
    );
}
