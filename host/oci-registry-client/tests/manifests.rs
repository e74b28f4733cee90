//! Manifests that are looked for, images, and small blobs, at simulated registries.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::Router;
use axum::extract::Request;
use axum::http::{StatusCode, header};
use axum::response::IntoResponse;
use oci_registry_client::{
    ArtifactReference, Client, Credentials, Descriptor, Digest, Endpoint, Error, Manifest, TransferPolicy,
    media_type,
};
use test_registries::Embedded;

fn client(registry: &Embedded) -> Client {
    let endpoint = Endpoint::parse(&format!("http://{}", registry.host())).unwrap();
    Client::new(endpoint, Credentials::default(), TransferPolicy::patient(Duration::from_secs(10)))
}

fn reference() -> ArtifactReference {
    ArtifactReference::parse("flow/words:1").unwrap()
}

/// The manifest of an artifact without layers.
fn manifest() -> String {
    let manifest = Manifest::of_layers(media_type::UNKNOWN_ARTIFACT, Vec::new(), Default::default());
    serde_json::to_string(&manifest).unwrap()
}

/// Method and path; status, headers and body of the answer.
type Answer<'a> = (&'a str, &'a str, StatusCode, &'a [(&'a str, &'a str)], &'a str);

/// A registry with one answer to each method and path. Also returns the requests that it gets.
fn answering(answers: &[Answer<'_>]) -> (Embedded, Arc<Mutex<Vec<String>>>) {
    type Owned = (String, StatusCode, Vec<(String, String)>, String);
    let owned = |(name, value): &(&str, &str)| ((*name).to_owned(), (*value).to_owned());
    let answers: Vec<Owned> = answers
        .iter()
        .map(|(method, path, status, headers, body)| {
            (format!("{method} {path}"), *status, headers.iter().map(owned).collect(), (*body).to_owned())
        })
        .collect();
    let asked: Arc<Mutex<Vec<String>>> = Arc::default();
    let seen = Arc::clone(&asked);
    let router = Router::new().fallback(move |request: Request| {
        let line = format!("{} {}", request.method(), request.uri().path());
        seen.lock().unwrap().push(line.clone());
        let found = answers.iter().find(|(wanted, ..)| *wanted == line).cloned();
        async move {
            let Some((_, status, headers, body)) = found else {
                return StatusCode::NOT_FOUND.into_response();
            };
            let mut response = (status, body).into_response();
            for (name, value) in headers {
                let name: header::HeaderName = name.parse().unwrap();
                response.headers_mut().insert(name, value.parse().unwrap());
            }
            response
        }
    });
    (Embedded::serving(router), asked)
}

#[tokio::test]
async fn the_digest_of_a_manifest_is_found_by_its_head_and_otherwise_by_its_content() {
    const PATH: &str = "/v2/flow/words/manifests/1";
    let named = Digest::of(b"named by the registry").to_string();
    let digests = [("docker-content-digest", named.as_str())];
    let wrong = [("docker-content-digest", "md5:1")];
    let (ok, refused) = (StatusCode::OK, StatusCode::METHOD_NOT_ALLOWED);
    let manifest = manifest();
    let computed = Digest::of(manifest.as_bytes()).to_string();
    for (head, headers, wanted, requests) in [
        (ok, &digests[..], &named, 1),
        (ok, &[], &computed, 2),
        (ok, &wrong, &computed, 2),
        (refused, &[], &computed, 2),
    ] {
        let answers = [("HEAD", PATH, head, headers, ""), ("GET", PATH, ok, &[], manifest.as_str())];
        let (registry, asked) = answering(&answers);
        let found = client(&registry).find_manifest(&reference()).await.unwrap();
        assert_eq!((found.as_str(), asked.lock().unwrap().len()), (wanted.as_str(), requests));
    }
}

#[tokio::test]
async fn a_manifest_that_is_not_there_is_told_apart_from_a_registry_that_is_not() {
    let find = async |status: StatusCode, headers: &[(&str, &str)]| {
        let answers = [("HEAD", "/v2/flow/words/manifests/1", status, headers, "")];
        let (registry, asked) = answering(&answers);
        let error = client(&registry).find_manifest(&reference()).await.unwrap_err();
        assert_eq!(asked.lock().unwrap().len(), 1, "nothing is repeated");
        error
    };
    assert!(matches!(find(StatusCode::NOT_FOUND, &[]).await, Error::NotFound { .. }));
    assert!(matches!(find(StatusCode::FORBIDDEN, &[]).await, Error::Denied { .. }));
    let busy = find(StatusCode::TOO_MANY_REQUESTS, &[("retry-after", "7")]).await;
    assert!(busy.is_transient());
    assert_eq!(busy.retry_after(), Some(Duration::from_secs(7)));
    let dates = [("date", "Sun, 06 Nov 1994 08:49:37 GMT"), ("retry-after", "Sun, 06 Nov 1994 08:50:37 GMT")];
    let busy = find(StatusCode::SERVICE_UNAVAILABLE, &dates).await;
    assert_eq!(busy.retry_after(), Some(Duration::from_secs(60)));
}

#[tokio::test]
async fn the_configuration_of_an_image_is_that_of_the_platform() {
    let artifact_manifest = manifest();
    let config = r#"{"config":{"Entrypoint":["/bin/tool","--x"],"Cmd":null}}"#;
    let config_digest = Digest::of(config.as_bytes()).to_string();
    let manifest = serde_json::json!({"schemaVersion": 2, "config": {
        "mediaType": "application/vnd.oci.image.config.v1+json", "digest": config_digest, "size": config.len(),
    }});
    let manifest = manifest.to_string();
    let digest = Digest::of(manifest.as_bytes()).to_string();
    let other = Digest::of(b"other").to_string();
    let list = serde_json::json!({"manifests": [
        {"digest": other, "platform": {"os": "linux", "architecture": "s390x"}},
        {"digest": digest, "platform": {"os": "linux", "architecture": "arm64", "variant": "v8"}},
    ]});
    let list = list.to_string();
    let manifests = format!("/v2/flow/words/manifests/{digest}");
    let blobs = format!("/v2/flow/words/blobs/{config_digest}");
    let ok = StatusCode::OK;
    let answers = [
        ("GET", "/v2/flow/words/manifests/1", ok, &[][..], list.as_str()),
        ("GET", manifests.as_str(), ok, &[], manifest.as_str()),
        ("GET", blobs.as_str(), ok, &[], config),
        ("GET", "/v2/flow/words/manifests/artifact", ok, &[], artifact_manifest.as_str()),
    ];
    let (registry, _) = answering(&answers);
    let client = client(&registry);
    let image = client.image_config(&reference(), &"linux/arm64".parse().unwrap()).await.unwrap();
    assert_eq!((image.digest.to_string(), image.command), (digest, Vec::<String>::new()));
    assert_eq!(image.entrypoint, ["/bin/tool", "--x"]);
    let missing = client.image_config(&reference(), &"linux/amd64".parse().unwrap()).await.unwrap_err();
    assert!(missing.to_string().contains("it is not for linux/amd64, but for linux/s390x"), "{missing}");
    let artifact = ArtifactReference::parse("flow/words:artifact").unwrap();
    let error = client.image_config(&artifact, &"linux/amd64".parse().unwrap()).await.unwrap_err();
    assert!(error.to_string().contains("it is an artifact and no image"), "{error}");
}

#[tokio::test]
async fn a_small_blob_is_read_into_memory_and_checked() {
    let content = "hello";
    let digest = Digest::of(content.as_bytes()).to_string();
    let path = format!("/v2/flow/words/blobs/{digest}");
    let descriptor = Descriptor { digest, size: content.len() as u64, ..Descriptor::default() };
    for (body, limit, wanted) in
        [(content, 5, None), (content, 4, Some("at most 4 are read")), ("hallo", 5, Some("is damaged"))]
    {
        let (registry, _) = answering(&[("GET", &path, StatusCode::OK, &[], body)]);
        let client = client(&registry);
        let read = client.read_blob("flow/words", &descriptor, limit).await;
        match wanted {
            None => assert_eq!(read.unwrap(), content.as_bytes()),
            Some(why) => assert!(read.unwrap_err().to_string().contains(why)),
        }
    }
}
