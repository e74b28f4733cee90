//! Configurations as Docker, podman and people write them.

use std::path::{Path, PathBuf};

use super::*;

const NO_HELPER: fn(&str, &str) -> Result<Option<Secret>, String> = |_, _| panic!("no helper is configured");

fn ann() -> Option<Secret> {
    Some(Secret::Password("ann".to_owned(), "secret".to_owned()))
}

fn config(text: &str) -> DockerConfig {
    parse(text.as_bytes(), Path::new("config.json")).unwrap()
}

fn found(text: &str) -> Result<Option<Secret>, String> {
    find(&config(text), "r.example.org:5000", "flow/words", NO_HELPER)
}

#[test]
fn entries_are_read_in_all_their_forms() {
    // The base64 of ann:secret, as `printf ann:secret | base64` prints it.
    for entry in [
        r#"{"auth":"YW5uOnNlY3JldA=="}"#,
        r#"{"auth":"YW5uOnNlY3JldA==\n"}"#,
        r#"{"auth":"YW5uOnNl\r\nY3JldA=="}"#,
        r#"{"auth":"","identitytoken":"","username":"ann","password":"secret"}"#,
        r#"{"auth":null,"username":"ann","password":"secret\n"}"#,
        r#"{"auth":"YW5uOnNlY3JldA==","identitytoken":""}"#,
    ] {
        assert_eq!(found(&format!(r#"{{"auths":{{"r.example.org:5000":{entry}}}}}"#)), Ok(ann()), "{entry}");
    }
    let identity = r#"{"auths":{"r.example.org:5000":{"auth":"YW5uOg==","identitytoken":"t"}}}"#;
    assert_eq!(found(identity), Ok(Some(Secret::Identity("t".to_owned()))));
}

#[test]
fn keys_may_have_a_scheme_and_a_part_of_the_repository() {
    for key in [
        "https://r.example.org:5000",
        "http://r.example.org:5000/",
        "https://r.example.org:5000/v1/",
        "r.example.org:5000/v2/",
        "r.example.org:5000/flow",
        "r.example.org:5000/flow/words",
    ] {
        let text = format!(r#"{{"auths":{{"{key}":{{"auth":"YW5uOnNlY3JldA=="}}}}}}"#);
        assert_eq!(found(&text), Ok(ann()), "{key}");
    }
    for key in ["r.example.org", "r.example.org:5000/other", "r.example.org:5000/flo", "x.r.example.org:5000"]
    {
        let text = format!(r#"{{"auths":{{"{key}":{{"auth":"YW5uOnNlY3JldA=="}}}}}}"#);
        assert_eq!(found(&text), Ok(None), "{key}");
    }
    let both = r#"{"auths":{"r.example.org:5000":{"auth":"eDp5"},"r.example.org:5000/flow":{"auth":"YW5uOnNlY3JldA=="}}}"#;
    assert_eq!(found(both), Ok(ann()), "the more specific key counts");
}

#[test]
fn docker_hub_has_several_names() {
    for key in ["https://index.docker.io/v1/", "docker.io", "index.docker.io", "registry-1.docker.io"] {
        let text = format!(r#"{{"auths":{{"{key}":{{"auth":"YW5uOnNlY3JldA=="}}}}}}"#);
        assert_eq!(find(&config(&text), DOCKER_HUB, "library/x", NO_HELPER), Ok(ann()), "{key}");
    }
    let store = config(r#"{"credsStore":"fake"}"#);
    let asked = |_: &str, server: &str| {
        assert_eq!(server, DOCKER_HUB_KEY);
        Ok(ann())
    };
    assert_eq!(find(&store, DOCKER_HUB, "library/x", asked), Ok(ann()));
}

#[test]
fn missing_parts_mean_anonymous_access() {
    for text in [
        "{}",
        r#"{"auths":null,"credsStore":null,"credHelpers":null}"#,
        r#"{"auths":{"r.example.org:5000":null}}"#,
        r#"{"auths":{"r.example.org:5000":{}}}"#,
        r#"{"auths":{"r.example.org:5000":{"auth":""}},"credsStore":""}"#,
    ] {
        assert_eq!(found(text), Ok(None), "{text}");
    }
}

#[test]
fn unusable_entries_are_errors_without_secrets() {
    for entry in [r#"{"auth":"hunter2!"}"#, r#"{"auth":"aHVudGVyMg=="}"#, r#"{"password":"hunter2"}"#] {
        let text = format!(r#"{{"auths":{{"r.example.org:5000":{entry}}}}}"#);
        let sentence = found(&text).unwrap_err();
        assert!(sentence.contains("log in again") && !sentence.contains("hunter2"), "{sentence}");
    }
    let damaged = r#"{"auths":{"r":{"auth":"hunter2"}},}"#;
    let sentence = parse(damaged.as_bytes(), Path::new("/x/config.json")).err().unwrap();
    assert!(sentence.contains("/x/config.json is damaged at line 1, column"), "{sentence}");
    assert!(!sentence.contains("hunter2"), "{sentence}");
}

#[test]
fn a_helper_that_has_none_leaves_it_to_the_file() {
    let text = r#"{"auths":{"r.example.org:5000":{"auth":"YW5uOnNlY3JldA=="}},"credsStore":"keychain","credHelpers":{"r.example.org:5000":"own"}}"#;
    let asked = |helper: &str, server: &str| {
        assert_eq!((helper, server), ("own", "r.example.org:5000"));
        Ok(None)
    };
    assert_eq!(find(&config(text), "r.example.org:5000", "a", asked), Ok(ann()));
    let failing = |helper: &str, _: &str| {
        assert_eq!(helper, "keychain");
        Err("it fails".to_owned())
    };
    assert_eq!(find(&config(text), "other.example.org", "a", failing), Err("it fails".to_owned()));
}

#[test]
fn a_helper_that_is_not_installed_has_no_credentials() {
    assert_eq!(ask_helper("orascache-no-such-helper", "r", "r"), Ok(None));
}

#[test]
fn the_configuration_is_where_the_environment_says() {
    let both = |name: &str| Some(PathBuf::from(if name == "HOME" { "/home/ann" } else { "/etc/docker" }));
    assert_eq!(path(both), Some(PathBuf::from("/etc/docker/config.json")));
    let home = |name: &str| Some(PathBuf::from(if name == "HOME" { "/home/ann" } else { "" }));
    assert_eq!(path(home), Some(PathBuf::from("/home/ann/.docker/config.json")));
    assert_eq!(path(|_| None), None);
}
