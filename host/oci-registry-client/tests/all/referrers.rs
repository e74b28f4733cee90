//! Manifests that refer to another one, at an embedded, a real and simulated registries.

use std::time::Duration;

use axum::Router;
use axum::extract::Request;
use axum::http::{StatusCode, header};
use axum::response::IntoResponse;
use oci_registry_client::{
    ArtifactReference, Client, Credentials, Digest, EMPTY_CONFIG, EncodedManifest, Endpoint, Error, Manifest,
    TransferPolicy, media_type,
};
use test_registries::{DockerRegistry, Embedded};

const TYPE: &str = "application/vnd.test+json";

fn client(host: &str) -> Client {
    let endpoint = Endpoint::parse(&format!("http://{host}")).unwrap();
    Client::new(endpoint, Credentials::default(), TransferPolicy::patient(Duration::from_secs(10)))
}

/// Pushes a manifest, and one that refers to it. Returns the digests of both.
async fn push_two(client: &Client) -> (Digest, Digest) {
    client.push_bytes("a", EMPTY_CONFIG, media_type::EMPTY).await.unwrap();
    let layer = client.push_bytes("a", b"x", "text/plain").await.unwrap();
    let subject = Manifest::of_layers(media_type::UNKNOWN_ARTIFACT, vec![layer.clone()], Default::default());
    let subject = EncodedManifest::of(&subject).unwrap();
    client.put_manifest("a", &subject).await.unwrap();
    let annotations = [("note".to_owned(), "text".to_owned())].into();
    let mut referrer = Manifest::of_layers(TYPE, vec![layer], annotations);
    referrer.subject = Some(subject.descriptor());
    let referrer = EncodedManifest::of(&referrer).unwrap();
    client.put_manifest("a", &referrer).await.unwrap();
    (subject.digest().clone(), referrer.digest().clone())
}

#[tokio::test]
async fn manifests_that_refer_to_another_one_are_listed_with_their_annotations() {
    let registry = Embedded::start();
    let client = client(&registry.host());
    let (subject, referrer) = push_two(&client).await;
    let found = client.referrers("a", &subject, Some(TYPE)).await.unwrap().unwrap();
    let [only] = found.as_slice() else { panic!("{found:?}") };
    assert_eq!((&only.digest, only.artifact_type.as_str()), (&referrer, TYPE));
    assert_eq!(only.annotations.get("note").map(String::as_str), Some("text"));
    assert_eq!(client.referrers("a", &subject, Some("another/type")).await.unwrap(), Some(Vec::new()));
    assert_eq!(client.referrers("a", &referrer, Some(TYPE)).await.unwrap(), Some(Vec::new()));
    // The subject comes back with the manifest that names it.
    let at = ArtifactReference::parse(&format!("a@{referrer}")).unwrap();
    let fetched = client.manifest(&at).await.unwrap().manifest;
    assert_eq!(fetched.subject.unwrap().digest, subject.to_string());
}

#[tokio::test]
async fn distribution_2_8_knows_no_referrers() {
    let Some(registry) = DockerRegistry::start() else { return };
    let client = client(&registry.host());
    let (subject, _) = push_two(&client).await;
    assert_eq!(client.referrers("a", &subject, Some(TYPE)).await.unwrap(), None);
}

#[tokio::test]
async fn answers_that_are_no_list_mean_that_the_registry_knows_no_referrers() {
    let (html, index) = ("text/html", media_type::INDEX);
    for (status, content_type, body) in [
        (StatusCode::NOT_FOUND, html, "<html>"),
        (StatusCode::METHOD_NOT_ALLOWED, html, ""),
        (StatusCode::BAD_REQUEST, html, ""),
        (StatusCode::OK, html, "<html>"),
        (StatusCode::OK, html, r#"{"manifests":[]}"#),
        (StatusCode::OK, index, "{}"),
    ] {
        let answer = move || async move { (status, [(header::CONTENT_TYPE, content_type)], body) };
        let registry = Embedded::serving(Router::new().fallback(answer));
        let found = client(&registry.host()).referrers("a", &Digest::of(b"a"), Some(TYPE)).await.unwrap();
        assert_eq!(found, None, "{status} {content_type} {body}");
    }
    let refusing = Embedded::refusing(403);
    let error = client(&refusing.host()).referrers("a", &Digest::of(b"a"), Some(TYPE)).await.unwrap_err();
    assert!(matches!(error, Error::Denied { .. }), "{error}");
}

/// A registry whose list has a page for each number, with two referrers each, of which the filter
/// would take one. The pages never end.
fn paged() -> Embedded {
    Embedded::serving(Router::new().fallback(|request: Request| async move {
        let query = request.uri().query().unwrap_or_default().to_owned();
        let number: usize = query.rsplit_once("p=").map_or(0, |(_, number)| number.parse().unwrap());
        let digest = |text: String| Digest::of(text.as_bytes());
        let body = format!(
            r#"{{"manifests":[{{"digest":"{}","artifactType":"{TYPE}","annotations":null}},{{"digest":"{}"}},{{"digest":"md5:1","artifactType":"{TYPE}"}}]}}"#,
            digest(number.to_string()),
            digest(format!("other {number}")),
        );
        let link = format!("<{}?p={}>; rel=\"next\"", request.uri().path(), number + 1);
        let headers = [(header::CONTENT_TYPE, media_type::INDEX.to_owned()), (header::LINK, link)];
        (headers, body).into_response()
    }))
}

#[tokio::test]
async fn pages_of_a_list_are_followed_and_the_filter_is_applied_here_too() {
    let registry = paged();
    let found =
        client(&registry.host()).referrers("a", &Digest::of(b"a"), Some(TYPE)).await.unwrap().unwrap();
    let wanted: Vec<Digest> = (0..20).map(|number| Digest::of(number.to_string().as_bytes())).collect();
    assert_eq!(found.into_iter().map(|referrer| referrer.digest).collect::<Vec<_>>(), wanted);
}

#[tokio::test]
async fn security_a_page_of_another_host_is_not_asked_for() {
    let other = paged();
    let link = format!("<http://{}/v2/a/referrers/x?p=1>; rel=\"next\"", other.host());
    let body = format!(r#"{{"manifests":[{{"digest":"{}","artifactType":"{TYPE}"}}]}}"#, Digest::of(b"b"));
    let registry = Embedded::serving(Router::new().fallback(move || {
        let headers = [(header::CONTENT_TYPE, media_type::INDEX.to_owned()), (header::LINK, link.clone())];
        let body = body.clone();
        async move { (headers, body) }
    }));
    let found =
        client(&registry.host()).referrers("a", &Digest::of(b"a"), Some(TYPE)).await.unwrap().unwrap();
    assert_eq!(found.len(), 1, "{found:?}");
}
