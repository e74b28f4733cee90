//! Lineages in registries.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::Router;
use axum::extract::Request;
use axum::http::StatusCode;
use axum::response::IntoResponse;
use oci_registry_client::{
    ArtifactReference, Client, Credentials, Digest, EMPTY_CONFIG, EncodedManifest, Endpoint, Error, Manifest,
    TransferPolicy, media_type,
};
use orascache_lineage::{Bounds, Graph, Reason, RegistrySource, State, json, text, trace};
use orascache_provenance::{StepRecord, StepRun, statement};
use test_registries::{DockerRegistry, Embedded};

const INPUTS: &str = "cache.converged-computing.github.io/inputs";

fn client(host: &str) -> Client {
    let endpoint = Endpoint::parse(&format!("http://{host}")).unwrap();
    Client::new(endpoint, Credentials::default(), TransferPolicy::patient(Duration::from_secs(2)))
}

fn reference(text: &str) -> ArtifactReference {
    text.parse().unwrap()
}

/// Pushes an artifact that was made of others, and returns how a manifest names it.
async fn push(client: &Client, name: &str, inputs: &[String]) -> (String, EncodedManifest) {
    let reference = reference(name);
    client.push_bytes(&reference.repository, EMPTY_CONFIG, media_type::EMPTY).await.unwrap();
    let layer = client.push_bytes(&reference.repository, name.as_bytes(), "text/plain").await.unwrap();
    let mut annotations = BTreeMap::new();
    if !inputs.is_empty() {
        annotations.insert(INPUTS.to_owned(), serde_json::to_string(inputs).unwrap());
    }
    let manifest = Manifest::of_layers(media_type::UNKNOWN_ARTIFACT, vec![layer], annotations);
    let digest = client.push_manifest(&reference, &manifest).await.unwrap();
    (reference.pinned(digest.as_str()), EncodedManifest::of(&manifest).unwrap())
}

async fn lineage(client: &Client, name: &str) -> Result<Graph, Error> {
    let source = RegistrySource::new(client.clone());
    trace(&source, &client.endpoint().host(), &reference(name), Bounds::default()).await
}

fn leaves(graph: &Graph) -> Vec<(&str, Reason)> {
    let leaf = |node: &'_ orascache_lineage::Node| match &node.state {
        State::Unknown(leaf) => Some(leaf.reason),
        State::Found(_) => None,
    };
    graph.nodes.iter().filter_map(|node| Some((node.name(), leaf(node)?))).collect()
}

/// A diamond: a report of two artifacts that were made of the same words.
async fn diamond(client: &Client) -> EncodedManifest {
    let (words, _) = push(client, "flow/words:run-1", &[]).await;
    let (count, _) = push(client, "flow/count:run-1", std::slice::from_ref(&words)).await;
    let (sort, _) = push(client, "flow/sort:run-1", std::slice::from_ref(&words)).await;
    push(client, "flow/report:run-1", &[count, sort, words]).await.1
}

#[tokio::test]
async fn the_lineage_is_read_from_any_registry() {
    let embedded = Embedded::start();
    let docker = DockerRegistry::start();
    for host in [Some(embedded.host()), docker.as_ref().map(DockerRegistry::host)].into_iter().flatten() {
        let client = client(&host);
        diamond(&client).await;
        let graph = lineage(&client, "flow/report:run-1").await.unwrap();
        let names: Vec<&str> = graph.nodes.iter().map(orascache_lineage::Node::name).collect();
        assert_eq!(names, ["flow/report:run-1", "flow/count:run-1", "flow/sort:run-1", "flow/words:run-1"]);
        let edges: Vec<_> = graph.edges().collect();
        assert_eq!(edges, [(0, 1), (0, 2), (0, 3), (1, 3), (2, 3)]);
        assert!(graph.is_complete());
        let tree = text(&graph);
        assert!(tree.contains("4 artifacts, 1 without inputs\n"), "{tree}");
    }
}

#[tokio::test]
async fn statements_beside_artifacts_are_shown() {
    let registry = Embedded::start();
    let client = client(&registry.host());
    let manifest = diamond(&client).await;
    let output = reference("flow/report:run-1");
    let run = StepRun { registry: &registry.host(), outputs: &[], agent: "0.1.0" };
    let statement = statement(&output, manifest.digest(), &StepRecord::default(), &run);
    orascache_provenance::push(&client, "flow/report", &manifest, &statement).await.unwrap();
    let graph = lineage(&client, "flow/report:run-1").await.unwrap();
    let read: serde_json::Value = serde_json::from_str(&json(&graph)).unwrap();
    let artifacts = read["artifacts"].as_array().unwrap();
    assert_eq!(artifacts[0]["provenance"][0]["predicateType"], "https://slsa.dev/provenance/v1");
    assert_eq!(artifacts[1]["provenance"], serde_json::json!([]));
    let digest = artifacts[0]["provenance"][0]["digest"].as_str().unwrap();
    assert!(text(&graph).contains(&format!("provenance {}", &digest[..19])), "{}", text(&graph));
}

#[tokio::test]
async fn inputs_that_cannot_be_read_are_leaves() {
    let registry = Embedded::start();
    let client = client(&registry.host());
    let digest = Digest::of(b"gone");
    let (here, _) = push(&client, "flow/words:run-1", &[]).await;
    let inputs = [
        format!("{}/{here}", registry.host()),
        format!("flow/gone:1@{digest}"),
        format!("v1.0/gone@{}", Digest::of(b"another")),
        format!("other.example.org:5000/a@{digest}"),
        "flow/words:run-1".to_owned(),
        "no reference".to_owned(),
    ];
    push(&client, "flow/count:run-1", &inputs).await;
    let graph = lineage(&client, "flow/count:run-1").await.unwrap();
    assert_eq!(
        leaves(&graph),
        [
            ("flow/gone:1", Reason::Missing),
            ("v1.0/gone", Reason::Elsewhere),
            (inputs[3].as_str(), Reason::Elsewhere),
            ("flow/words:run-1", Reason::Unpinned),
            ("no reference", Reason::Invalid),
        ]
    );
    assert_eq!(graph.nodes[1].names, ["flow/words:run-1"], "the registry's own host may stand in front");
    assert!(matches!(graph.nodes[1].state, State::Found(_)));
}

/// A registry with one artifact, made of one input, at which it answers in another way. Also returns
/// the paths that it is asked for.
fn odd(status: StatusCode, body: &'static str) -> (Embedded, Arc<Mutex<Vec<String>>>) {
    let asked: Arc<Mutex<Vec<String>>> = Arc::default();
    let seen = Arc::clone(&asked);
    let router = Router::new().fallback(move |request: Request| {
        seen.lock().unwrap().push(request.uri().path().to_owned());
        let inputs = format!(r#"[\"a@{}\"]"#, Digest::of(b"input"));
        let manifest = format!(r#"{{"layers":[],"annotations":{{"{INPUTS}":"{inputs}"}}}}"#);
        let path = request.uri().path().to_owned();
        async move {
            if path.contains("/referrers/") {
                StatusCode::NOT_FOUND.into_response()
            } else if path.ends_with("/manifests/1") {
                manifest.into_response()
            } else {
                (status, body).into_response()
            }
        }
    });
    (Embedded::serving(router), asked)
}

#[tokio::test]
async fn what_a_registry_refuses_is_a_leaf_and_silence_is_an_error() {
    for (status, body) in
        [(StatusCode::FORBIDDEN, ""), (StatusCode::OK, "another manifest"), (StatusCode::BAD_REQUEST, "")]
    {
        let (registry, asked) = odd(status, body);
        let graph = lineage(&client(&registry.host()), "a:1").await.unwrap();
        assert_eq!(leaves(&graph), [("a", Reason::Unreadable)], "{status}");
        let asked = asked.lock().unwrap().clone();
        let about_referrers = asked.iter().filter(|path| path.contains("/referrers/")).count();
        assert_eq!(about_referrers, 1, "a registry without referrers is asked once: {asked:?}");
    }
    let (registry, _) = odd(StatusCode::SERVICE_UNAVAILABLE, "");
    let error = lineage(&client(&registry.host()), "a:1").await.unwrap_err();
    assert!(error.is_transient(), "{error}");
    let error = lineage(&client(&Embedded::start().host()), "a:1").await.unwrap_err();
    assert_eq!(error.to_string(), "a:1 is not in the registry");
}
