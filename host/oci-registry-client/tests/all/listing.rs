//! Lists of tags and repositories, page by page, and deletion.

use axum::Router;
use axum::extract::RawQuery;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::{delete, get};
use oci_registry_client::{
    ArtifactReference, Client, Credentials, Deleted, Digest, Error, Manifest, TransferPolicy, media_type,
};
use std::time::Duration;
use test_registries::{DockerRegistry, Embedded};

fn client(host: &str) -> Client {
    let endpoint = format!("http://{host}").parse().unwrap();
    Client::new(endpoint, Credentials::default(), TransferPolicy::patient(Duration::from_secs(20)))
}

/// A list that continues under an address.
fn page(body: &'static str, next: &'static str) -> Response {
    let link = (!next.is_empty()).then(|| [(header::LINK, format!("<{next}>; rel=\"next\""))]);
    match link {
        Some(link) => (link, body).into_response(),
        None => body.into_response(),
    }
}

#[tokio::test]
async fn all_pages_are_read_and_names_are_sorted() {
    let pages = |RawQuery(query): RawQuery| async move {
        match query.as_deref() {
            Some("n=1000") => page(r#"{"name":"a","tags":["c","b"]}"#, "/v2/a/tags/list?last=b"),
            Some("last=b") => page(r#"{"name":"a","tags":["a","b"]}"#, "/v2/a/tags/list?last=a"),
            _ => page(r#"{"name":"a","tags":null}"#, ""),
        }
    };
    let registry = Embedded::serving(Router::new().route("/v2/a/tags/list", get(pages)));
    assert_eq!(client(&registry.host()).tags("a").await.unwrap(), ["a", "b", "c"]);
}

#[tokio::test]
async fn a_registry_that_repeats_itself_or_leads_elsewhere_comes_to_an_end() {
    for next in ["/v2/_catalog?n=1000", "http://elsewhere.invalid/v2/_catalog"] {
        let catalog = move || async move { page(r#"{"repositories":["a"]}"#, next) };
        let registry = Embedded::serving(Router::new().route("/v2/_catalog", get(catalog)));
        assert_eq!(client(&registry.host()).repositories().await.unwrap(), ["a"], "{next}");
    }
}

#[tokio::test]
async fn what_is_no_list_is_a_sentence() {
    let registry = Embedded::serving(Router::new().route("/v2/a/tags/list", get(|| async { "<html>" })));
    let error = client(&registry.host()).tags("a").await.unwrap_err().to_string();
    assert!(error.starts_with("the tags of a: it cannot be read"), "{error}");
    let error = client(&registry.host()).tags("b").await.unwrap_err();
    assert!(matches!(error, Error::NotFound { .. }), "{error}");
}

#[tokio::test]
async fn the_answers_to_a_deletion_are_told_apart() {
    for (status, wanted) in [(202, Deleted::Done), (404, Deleted::Missing), (405, Deleted::Unsupported)] {
        let answer = move || async move { StatusCode::from_u16(status).unwrap() };
        let registry = Embedded::serving(Router::new().route("/v2/a/manifests/{selector}", delete(answer)));
        let client = client(&registry.host());
        assert_eq!(client.delete_manifest("a", &Digest::of(b"a")).await.unwrap(), wanted);
        assert_eq!(client.delete_tag("a", "1").await.unwrap(), wanted);
    }
    let refusing = Embedded::refusing(403);
    let error = client(&refusing.host()).delete_tag("a", "1").await.unwrap_err();
    assert!(matches!(error, Error::Denied { .. }), "{error}");
}

#[tokio::test]
async fn a_deleted_manifest_takes_its_tags_along() {
    let mut hosts = Vec::new();
    let embedded = Embedded::start();
    hosts.push(embedded.host());
    let docker = DockerRegistry::start();
    hosts.extend(docker.as_ref().map(DockerRegistry::host));
    for host in hosts {
        let client = client(&host);
        client.push_bytes("a", oci_registry_client::EMPTY_CONFIG, media_type::EMPTY).await.unwrap();
        let manifest = |kind| Manifest::of_layers(kind, Vec::new(), Default::default());
        for (tag, kind) in [("1", "text/plain"), ("2", "text/plain"), ("3", "text/html")] {
            let reference: ArtifactReference = format!("a:{tag}").parse().unwrap();
            client.push_manifest(&reference, &manifest(kind)).await.unwrap();
        }
        assert_eq!(client.tags("a").await.unwrap(), ["1", "2", "3"]);
        assert_eq!(client.repositories().await.unwrap(), ["a"]);
        let first: ArtifactReference = "a:1".parse().unwrap();
        let digest = client.held_manifest(&first).await.unwrap().unwrap();
        assert_eq!(client.delete_manifest("a", &digest).await.unwrap(), Deleted::Done);
        assert_eq!(client.delete_manifest("a", &digest).await.unwrap(), Deleted::Missing);
        assert_eq!(client.held_manifest(&first).await.unwrap(), None);
        assert_eq!(client.tags("a").await.unwrap(), ["3"], "{host}");
    }
}
