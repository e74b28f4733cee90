//! `orascache lineage`.

use super::{err, out, run};
use oci_registry_client::{
    ArtifactReference, Client, Credentials, EMPTY_CONFIG, Endpoint, Manifest, TransferPolicy, media_type,
};
use serde_json::Value;
use std::collections::BTreeMap;
use test_registries::Embedded;

/// Pushes an artifact that was made of others. Returns how a manifest names it.
async fn push(client: &Client, name: &str, inputs: &[String]) -> String {
    let reference: ArtifactReference = name.parse().expect("a reference");
    client.push_bytes(&reference.repository, EMPTY_CONFIG, media_type::EMPTY).await.expect("pushed");
    let inputs = serde_json::to_string(inputs).expect("JSON");
    let annotations = BTreeMap::from([("cache.converged-computing.github.io/inputs".to_owned(), inputs)]);
    let manifest = Manifest::of_layers(media_type::UNKNOWN_ARTIFACT, Vec::new(), annotations);
    let digest = client.push_manifest(&reference, &manifest).await.expect("pushed");
    reference.pinned(digest.as_str())
}

/// A registry with a count of words.
fn registry() -> Embedded {
    let registry = Embedded::start();
    let endpoint = Endpoint::parse(&format!("http://{}", registry.host())).expect("an address");
    let client = Client::new(endpoint, Credentials::default(), TransferPolicy::default());
    tokio::runtime::Runtime::new().expect("a runtime").block_on(async {
        let words = push(&client, "flow/words:run-1", &[]).await;
        push(&client, "flow/count:run-1", &[words]).await;
    });
    registry
}

#[test]
fn the_lineage_of_an_artifact_is_printed_in_each_format() {
    let registry = registry();
    let count = format!("{}/flow/count:run-1", registry.host());
    let printed = |format: &str| {
        let output = run(&["lineage", &count, "-o", format], "");
        assert!(output.status.success(), "{}", err(&output));
        out(&output)
    };
    let tree = printed("text");
    assert_eq!(tree, out(&run(&["lineage", &count], "")));
    assert!(tree.starts_with("flow/count:run-1  sha256:"), "{tree}");
    assert!(tree.contains("\n└─ flow/words:run-1  sha256:"), "{tree}");
    let document: Value = serde_json::from_str(&printed("json")).expect("JSON");
    assert_eq!(document["artifacts"][1]["names"][0], "flow/words:run-1");
    assert_eq!((&document["complete"], &document["registry"]), (&true.into(), &registry.host().into()));
    assert!(printed("dot").contains("n1 -> n0;"));
    assert!(printed("svg").starts_with("<svg "));
}

#[test]
fn inputs_beyond_the_depth_are_named() {
    let registry = registry();
    let output = run(&["lineage", &format!("{}/flow/count:run-1", registry.host()), "--depth", "0"], "");
    assert!(out(&output).contains("└─ flow/words:run-1") && out(&output).contains("not followed"));
    assert_eq!(output.status.code(), Some(0));
}

#[test]
fn artifacts_that_are_not_there_and_references_that_are_none_are_told_apart() {
    let registry = Embedded::start();
    let missing = format!("{}/flow/count:run-1", registry.host());
    let output = run(&["lineage", &missing], "");
    assert_eq!(output.status.code(), Some(1));
    let said = err(&output);
    assert!(said.contains(&format!("the lineage of {missing} cannot be read")), "{said}");
    assert!(said.contains("flow/count:run-1 is not in the registry"), "{said}");
    let output = run(&["lineage", "flow/count:run-1"], "");
    assert_eq!(output.status.code(), Some(2));
    assert!(err(&output).contains("does not begin with the host of a registry"), "{}", err(&output));
}
