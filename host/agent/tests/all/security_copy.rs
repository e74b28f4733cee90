//! Security of `copy`: credentials of one registry never go to the other one.

use crate::support::copies::{copied, copy, copying, raw, tags};
use crate::support::http::{Layer, put_artifact};
use crate::support::proxy::HTPASSWD;
use crate::support::prunes::prune;
use axum::http::{StatusCode, header};
use axum::response::IntoResponse;
use std::path::Path;
use std::sync::{Arc, Mutex};
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
    secret_of(folder, name, "ann", password)
}

fn secret_of(folder: &Path, name: &str, user: &str, password: &str) -> String {
    let directory = folder.join(name);
    std::fs::create_dir_all(&directory).unwrap();
    for (file, value) in [("ORAS_USER", user), ("ORAS_PULL_PASS", password), ("ORAS_PUSH_PASS", password)] {
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

/// A registry with TLS whose only user is this one. Every password is "secret".
struct Private {
    registry: DockerRegistry,
    account: String,
    authority: String,
}

fn private(folder: &Path, user: &str) -> Option<Private> {
    let registry = DockerRegistry::with_tls_and_password(&HTPASSWD.replacen("ann", user, 1))?;
    let account = secret_of(folder, user, user, "secret");
    let authority = registry.certificate().display().to_string();
    Some(Private { registry, account, authority })
}

#[test]
fn each_side_has_its_own_account_and_its_own_authority() {
    let folder = tempfile::tempdir().unwrap();
    let Some(ours) = private(folder.path(), "ann") else { return };
    let Some(theirs) = private(folder.path(), "bob") else { return };
    let (start, end) = (Embedded::start(), Embedded::start());
    put_artifact(&start.host(), "a", "1", &[Layer::file("a", "one")]);
    let (here, there) =
        (format!("https://{}/a", ours.registry.host()), format!("https://{}/a", theirs.registry.host()));
    let from = |side: &Private| {
        [format!("--source-credentials={}", side.account), format!("--source-ca-file={}", side.authority)]
    };
    let to = |side: &Private| {
        [
            format!("--destination-credentials={}", side.account),
            format!("--destination-ca-file={}", side.authority),
        ]
    };
    fn words<'w>(flags: &'w [[String; 2]], pair: [&'w str; 2]) -> Vec<&'w str> {
        flags.iter().flatten().map(String::as_str).chain(["--all-tags"]).chain(pair).collect()
    }
    copied(&words(&[to(&ours)], [&format!("{}/a", start.host()), &here]));
    let flags = [from(&ours), to(&theirs)];
    assert!(copied(&words(&flags, [&here, &there])).starts_with("copied 1 artifact"));
    copied(&words(&[from(&theirs)], [&there, &format!("{}/a", end.host())]));
    assert_eq!(raw(&end.host(), "a", "1"), raw(&start.host(), "a", "1"));

    // Neither the authority nor the account of one side counts for the other one.
    let [[our_account, our_authority], [their_account, their_authority]] = &flags;
    let both = |account: &str, authority: &str| {
        copy(&[our_account, our_authority, account, authority, "--all-tags", &here, &there])
    };
    for (account, authority, why) in [
        (their_account.as_str(), "--parallel=2", "certificate"),
        (their_account, &format!("--destination-ca-file={}", ours.authority), "certificate"),
        ("--parallel=2", their_authority, "it wants credentials, and none were given"),
        (&format!("--destination-credentials={}", ours.account), their_authority, "refuses access"),
    ] {
        let outcome = both(account, authority);
        assert_eq!(outcome.code, Some(1), "{}", outcome.stderr);
        assert!(outcome.stderr.contains(why), "{why}: {}", outcome.stderr);
    }
}

#[test]
fn retention_works_on_a_registry_with_tls_and_accounts() {
    let folder = tempfile::tempdir().unwrap();
    let Some(ours) = private(folder.path(), "ann") else { return };
    let start = Embedded::start();
    ["1", "2", "3"]
        .into_iter()
        .for_each(|tag| put_artifact(&start.host(), "a", tag, &[Layer::file("a", tag)]));
    let url = format!("https://{}", ours.registry.host());
    copied(&[
        &format!("--destination-credentials={}", ours.account),
        &format!("--destination-ca-file={}", ours.authority),
        "--all-tags",
        &format!("{}/a", start.host()),
        &format!("{url}/a"),
    ]);
    let (account, authority) =
        (format!("--credentials={}", ours.account), format!("--ca-file={}", ours.authority));
    let keep = ["--keep-tags=1", "--min-age=0"];
    let outcome = prune(&[&keep[..], &[&account, &authority, &url]].concat());
    assert_eq!(outcome.stdout(), "deleted 2 tags and 2 manifests, 1 tags are left\n", "{}", outcome.stderr);
    let outcome = prune(&[&keep[..], &[&authority, &url]].concat());
    assert!(outcome.stderr.contains("it wants credentials, and none were given"), "{}", outcome.stderr);
    let outcome = prune(&[&keep[..], &[&account, &url]].concat());
    assert!(outcome.stderr.contains("certificate"), "{}", outcome.stderr);
}
