//! Provenance statements beside the outputs of steps.

use crate::support::http::{Layer, ask, manifest, put_artifact, tagged};
use crate::support::proxy::{AUTHORIZATION, Proxy, stop};
use crate::support::{Agent, Finished};
use serde_json::Value;
use std::fs;
use std::path::Path;
use test_registries::{DockerRegistry, Embedded, Event, Network, Reaction};

const IN_TOTO: &str = "application/vnd.in-toto+json";

/// A step that pulls `in:1` and pushes `out:1` and `log:1`.
fn step(host: &str, directory: &Path) -> Agent {
    Agent::step(host, ["sh", "-c", "cp in out; echo done > log"])
        .directory(directory)
        .flag("--input=in:1")
        .flag("--output=out:1,path=out")
        .flag("--output=log:1,path=log")
        .flag("--debug=true")
}

fn run(host: &str) -> Finished {
    let folder = tempfile::tempdir().unwrap();
    put_artifact(host, "in", "1", &[Layer::file("in", "one")]);
    let outcome = step(host, folder.path()).run();
    assert_eq!(outcome.code, Some(0), "{}", outcome.stderr);
    outcome
}

/// The manifests that refer to an artifact, as the registry lists them, each once.
fn referrers(host: &str, repository: &str, tag: &str) -> Vec<String> {
    let digest = tagged(host, repository, tag).unwrap();
    let answer = ask(host, "GET", &format!("/v2/{repository}/referrers/{digest}"), &[], b"");
    let list: Value = serde_json::from_slice(&answer.body).unwrap();
    let all = list["manifests"].as_array().unwrap().iter();
    let mut all: Vec<String> = all
        .inspect(|listed| assert_eq!(listed["artifactType"], IN_TOTO))
        .map(|listed| listed["digest"].as_str().unwrap().to_owned())
        .collect();
    all.dedup();
    all
}

/// The statement in a manifest.
fn statement(host: &str, repository: &str, digest: &str) -> Value {
    let manifest = manifest(host, repository, digest);
    let layers = manifest["layers"].as_array().unwrap();
    let [layer] = layers.as_slice() else { panic!("{manifest}") };
    assert_eq!(layer["mediaType"], IN_TOTO);
    let blob = layer["digest"].as_str().unwrap();
    serde_json::from_slice(&ask(host, "GET", &format!("/v2/{repository}/blobs/{blob}"), &[], b"").body)
        .unwrap()
}

fn digest_of(resource: &Value) -> String {
    format!("sha256:{}", resource["digest"]["sha256"].as_str().unwrap())
}

#[test]
fn the_image_is_in_manifest_and_statement_of_a_step_that_is_not_reused() {
    let (registry, folder) = (Embedded::start(), tempfile::tempdir().unwrap());
    let host = registry.host();
    put_artifact(&host, "in", "1", &[Layer::file("in", "one")]);
    let outcome = step(&host, folder.path()).flag("--reuse-image=busybox:1").run();
    assert_eq!(outcome.code, Some(0), "{}", outcome.stderr);
    let annotations = manifest(&host, "out", "1")["annotations"].clone();
    let of = |name: &str| annotations[format!("cache.converged-computing.github.io/{name}")].clone();
    assert_eq!((of("image"), of("key")), ("busybox:1".into(), Value::Null));
    let [digest] = &referrers(&host, "out", "1")[..] else { panic!("one statement") };
    let definition = &statement(&host, "out", digest)["predicate"]["buildDefinition"];
    assert_eq!(definition["externalParameters"]["image"], "busybox:1");
}

#[test]
fn each_output_has_a_statement_where_the_registry_knows_referrers() {
    let registry = Embedded::start();
    let host = registry.host();
    run(&host);
    for (repository, other) in [("out", "log"), ("log", "out")] {
        let found = referrers(&host, repository, "1");
        let [digest] = found.as_slice() else { panic!("{found:?}") };
        let statement = statement(&host, repository, digest);
        assert_eq!(statement["predicateType"], "https://slsa.dev/provenance/v1");
        assert_eq!(statement["subject"][0]["name"], format!("{repository}:1"));
        assert_eq!(Some(digest_of(&statement["subject"][0])), tagged(&host, repository, "1"));
        let definition = &statement["predicate"]["buildDefinition"];
        assert_eq!(digest_of(&definition["resolvedDependencies"][0]), tagged(&host, "in", "1").unwrap());
        let command =
            &manifest(&host, repository, "1")["annotations"]["cache.converged-computing.github.io/command"];
        assert!(command.is_string());
        assert_eq!(&definition["externalParameters"]["command"], command);
        let outputs = definition["externalParameters"]["outputs"].to_string();
        assert!(outputs.contains(&format!("\"{other}:1\"")), "{outputs}");
    }
}

#[test]
fn an_equal_step_leaves_no_further_statement() {
    let registry = Embedded::start();
    run(&registry.host());
    let first = referrers(&registry.host(), "out", "1");
    run(&registry.host());
    assert_eq!(referrers(&registry.host(), "out", "1"), first);
}

#[test]
fn a_step_may_leave_no_statement() {
    let registry = Embedded::start();
    let folder = tempfile::tempdir().unwrap();
    put_artifact(&registry.host(), "in", "1", &[Layer::file("in", "one")]);
    let outcome = step(&registry.host(), folder.path()).flag("--provenance=false").run();
    assert_eq!(outcome.code, Some(0), "{}", outcome.stderr);
    assert!(referrers(&registry.host(), "out", "1").is_empty());
}

#[test]
fn nothing_is_left_where_the_registry_does_not_know_referrers() {
    let Some(registry) = DockerRegistry::start() else { return };
    let outcome = run(&registry.host());
    assert!(outcome.stderr.contains("the registry knows no referrers"), "{}", outcome.stderr);
    assert!(!outcome.stderr.contains("warning"), "{}", outcome.stderr);
    let tags = ask(&registry.host(), "GET", "/v2/out/tags/list", &[], b"").text();
    assert!(tags.contains(r#""tags":["1"]"#), "{tags}");
    let revisions = registry.data().join("docker/registry/v2/repositories/out/_manifests/revisions/sha256");
    assert_eq!(fs::read_dir(revisions).unwrap().count(), 1);
}

#[test]
fn a_statement_that_cannot_be_left_is_a_warning() {
    let registry = Embedded::start();
    let network = Network::to(&registry.host());
    network.when(Event::Request("/referrers/".to_owned()), Reaction::Cut);
    let folder = tempfile::tempdir().unwrap();
    put_artifact(&registry.host(), "in", "1", &[Layer::file("in", "one")]);
    let outcome = step(&network.host(), folder.path()).flag("--patience=1").run();
    assert_eq!(outcome.code, Some(0), "{}", outcome.stderr);
    assert!(
        outcome.stderr.contains("warning: an output has no provenance statement beside it: out:1: "),
        "{}",
        outcome.stderr
    );
    assert!(tagged(&registry.host(), "out", "1").is_some() && tagged(&registry.host(), "log", "1").is_some());
}

#[test]
fn statements_pass_the_credential_proxy() {
    let registry = Embedded::guarded(AUTHORIZATION);
    let (host, proxy) = (registry.host(), Proxy::new());
    let running = proxy.start(&host, Some("secret"), Some("secret"));
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("out"), "one").unwrap();
    let outcome = proxy
        .step(&host, "true", folder.path())
        .flag("--output=out/words:1")
        .flag("--output-path=out")
        .flag("--debug=true")
        .run();
    assert_eq!(outcome.code, Some(0), "{}", outcome.stderr);
    let found = referrers(&host, "out/words", "1");
    let [digest] = found.as_slice() else { panic!("{found:?}: {}", outcome.stderr) };
    let statement = statement(&host, "out/words", digest);
    let uri = statement["subject"][0]["uri"].as_str().unwrap();
    assert!(uri.contains(&host.replace(':', "%3A")), "the registry, and not the proxy: {uri}");
    stop(running);
}
