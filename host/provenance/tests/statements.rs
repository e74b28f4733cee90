//! Statements as they are written, and as they come to registries.

use std::time::Duration;

use oci_registry_client::{
    ArtifactReference, Client, Credentials, Digest, EMPTY_CONFIG, EncodedManifest, Endpoint, Manifest,
    TransferPolicy, media_type,
};
use orascache_provenance::{PushedStatement, Statement, StepRecord, StepRun, attestations, push, statement};
use serde_json::Value;
use test_registries::{DockerRegistry, Embedded};

fn client(host: &str) -> Client {
    let endpoint = Endpoint::parse(&format!("http://{host}")).unwrap();
    Client::new(endpoint, Credentials::default(), TransferPolicy::patient(Duration::from_secs(10)))
}

fn reference(text: &str) -> ArtifactReference {
    text.parse().unwrap()
}

fn record() -> StepRecord {
    StepRecord {
        image: Some("busybox:1.37".to_owned()),
        command: Some(Digest::of(b"wc -l").to_string()),
        key: Some("0a".repeat(32)),
        pod: Some("lab/count".to_owned()),
        created: Some("2026-11-29T20:00:00Z".to_owned()),
        inputs: vec![reference("flow/words:run-1").pinned(Digest::of(b"words").as_str())],
        problem: None,
    }
}

fn of(manifest: &Digest) -> Statement {
    let output = reference("flow/count:run-1");
    let outputs = [output.clone(), reference("flow/log:run-1")];
    let run = StepRun { registry: "orascache-0.orascache.lab.svc:5000", outputs: &outputs, agent: "0.1.0" };
    statement(&output, manifest, &record(), &run)
}

#[test]
fn a_statement_names_outputs_inputs_image_command_and_pod() {
    let statement = of(&Digest::of(b"manifest"));
    insta::assert_snapshot!(serde_json::to_string_pretty(&statement).unwrap());
}

/// Pushes an artifact, and returns its manifest.
async fn artifact(client: &Client) -> EncodedManifest {
    client.push_bytes("flow/count", EMPTY_CONFIG, media_type::EMPTY).await.unwrap();
    let layer = client.push_bytes("flow/count", b"7", "text/plain").await.unwrap();
    let manifest = Manifest::of_layers(media_type::UNKNOWN_ARTIFACT, vec![layer], Default::default());
    client.push_manifest(&reference("flow/count:run-1"), &manifest).await.unwrap();
    EncodedManifest::of(&manifest).unwrap()
}

#[tokio::test]
async fn a_statement_is_found_beside_its_artifact() {
    let registry = Embedded::start();
    let client = client(&registry.host());
    let manifest = artifact(&client).await;
    let statement = of(manifest.digest());
    let pushed = push(&client, "flow/count", &manifest, &statement).await.unwrap();
    let again = push(&client, "flow/count", &manifest, &statement).await.unwrap();
    assert_eq!(pushed, again, "the same statement is the same manifest");
    let found = attestations(&client, "flow/count", manifest.digest()).await.unwrap().unwrap();
    let [only] = found.as_slice() else { panic!("{found:?}") };
    assert_eq!(only.predicate_type.as_deref(), Some("https://slsa.dev/provenance/v1"));
    assert_eq!(PushedStatement::Pushed(only.digest.clone()), pushed);

    // Any client finds it there, in the form that in-toto's tools read.
    let at = reference(&format!("flow/count@{}", only.digest));
    let fetched = client.manifest(&at).await.unwrap().manifest;
    assert_eq!(fetched.artifact_type.as_deref(), Some("application/vnd.in-toto+json"));
    assert_eq!(fetched.subject.unwrap().digest, manifest.digest().to_string());
    let [layer] = fetched.layers.as_slice() else { panic!() };
    assert_eq!(layer.media_type, "application/vnd.in-toto+json");
    let bytes = client.read_blob("flow/count", layer, 1 << 20).await.unwrap();
    let read: Value = serde_json::from_slice(&bytes).unwrap();
    assert_eq!(read, serde_json::to_value(&statement).unwrap());
    let digest = read["subject"][0]["digest"]["sha256"].as_str().unwrap();
    assert_eq!(format!("sha256:{digest}"), manifest.digest().as_str());
}

#[tokio::test]
async fn nothing_is_left_in_a_registry_that_does_not_know_referrers() {
    let Some(registry) = DockerRegistry::start() else { return };
    let client = client(&registry.host());
    let manifest = artifact(&client).await;
    let before = files(&registry.data());
    let pushed = push(&client, "flow/count", &manifest, &of(manifest.digest())).await.unwrap();
    assert_eq!(pushed, PushedStatement::NoReferrers);
    assert_eq!(files(&registry.data()), before);
    assert_eq!(attestations(&client, "flow/count", manifest.digest()).await.unwrap(), None);
}

/// All files below a folder.
fn files(folder: &std::path::Path) -> Vec<std::path::PathBuf> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(files(&path));
        } else {
            found.push(path);
        }
    }
    found.sort();
    found
}
