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

/// A manifest or a configuration, with the path at which it is read by its digest.
struct Stored {
    digest: String,
    path: String,
    body: String,
}

impl Stored {
    fn manifest(body: &serde_json::Value) -> Self {
        let body = body.to_string();
        let digest = Digest::of(body.as_bytes()).to_string();
        Stored { path: format!("/v2/flow/words/manifests/{digest}"), digest, body }
    }

    fn config(body: &serde_json::Value) -> Self {
        let stored = Stored::manifest(body);
        Stored { path: stored.path.replace("manifests", "blobs"), ..stored }
    }

    fn answer(&self) -> Answer<'_> {
        ("GET", &self.path, StatusCode::OK, &[], &self.body)
    }
}

/// The manifest and the configuration of an image that starts this.
fn image(process: &serde_json::Value) -> [Stored; 2] {
    let config = Stored::config(&serde_json::json!({"config": process}));
    let manifest = serde_json::json!({"schemaVersion": 2, "config": {
        "mediaType": "application/vnd.oci.image.config.v1+json",
        "digest": config.digest, "size": config.body.len(),
    }});
    [Stored::manifest(&manifest), config]
}

/// A list of manifests, each with its platform.
fn list(manifests: &[(&str, &str)]) -> Stored {
    let manifests: Vec<_> = manifests
        .iter()
        .map(|(platform, digest)| match platform.split_once('/') {
            Some((os, architecture)) => serde_json::json!({
                "digest": digest, "platform": {"os": os, "architecture": architecture},
            }),
            None => serde_json::json!({"digest": digest}),
        })
        .collect();
    Stored::manifest(&serde_json::json!({"manifests": manifests}))
}

/// What the client says of an image that a registry has, with the number of requests.
async fn program_of(index: &Stored, stored: &[&Stored]) -> (Result<Vec<Vec<String>>, String>, usize) {
    let answers: Vec<Answer<'_>> = stored.iter().chain([&index]).map(|stored| stored.answer()).collect();
    let (registry, asked) = answering(&answers);
    let reference = ArtifactReference::parse(&format!("flow/words@{}", index.digest)).unwrap();
    let found = client(&registry).image_program(&reference).await;
    let requests = asked.lock().unwrap().len();
    (found.map(|found| vec![found.entrypoint, found.command]).map_err(|error| error.to_string()), requests)
}

#[tokio::test]
async fn the_program_of_an_image_is_that_of_all_its_processors() {
    let [one, config] = image(&serde_json::json!({"Entrypoint": ["/tool"], "Cmd": ["-h"]}));
    let [same, same_config] =
        image(&serde_json::json!({"Cmd": ["-h"], "Entrypoint": ["/tool"], "User": "x"}));
    let [other, other_config] = image(&serde_json::json!({"Entrypoint": ["/tool-arm"], "Cmd": ["-h"]}));
    let all = [&one, &config, &same, &same_config, &other, &other_config];
    let wanted = vec![vec!["/tool".to_owned()], vec!["-h".to_owned()]];

    assert_eq!(program_of(&one, &all).await, (Ok(wanted.clone()), 2), "an image for one processor");
    let two = [
        ("unknown/unknown", "x"),
        ("linux/amd64", one.digest.as_str()),
        ("windows/amd64", &other.digest),
        ("linux/arm64", &same.digest),
    ];
    assert_eq!(program_of(&list(&two), &all).await, (Ok(wanted), 5));

    let different = [("linux/amd64", one.digest.as_str()), ("linux/arm64", &other.digest)];
    let without = [("linux/amd64", one.digest.as_str()), ("", &same.digest)];
    let windows = [("windows/amd64", one.digest.as_str())];
    let many = [("linux/amd64", one.digest.as_str()); 33];
    let missing = Digest::of(b"missing").to_string();
    let missing = [("linux/amd64", missing.as_str())];
    for (platforms, why) in [
        (&different[..], "it starts another program on linux/arm64 than on linux/amd64"),
        (&without, "has one without a platform"),
        (&windows, "it is not for Linux"),
        (&many, "it is for 33 processors, and at most 32 are read"),
        (&missing, "is not in the registry"),
        (&[("linux/amd64", "sha256:no")], "is no digest"),
    ] {
        let (found, _) = program_of(&list(platforms), &all).await;
        let said = found.expect_err(why);
        assert!(said.contains(why), "{said}");
    }
}

#[tokio::test]
async fn content_that_is_not_what_its_digest_says_is_refused() {
    let [one, config] = image(&serde_json::json!({"Entrypoint": ["/tool"]}));
    let index = list(&[("linux/amd64", &one.digest)]);
    let swapped = |stored: &Stored, body: &str| Stored {
        digest: stored.digest.clone(),
        path: stored.path.clone(),
        body: body.to_owned(),
    };
    let evil_config = swapped(&config, r#"{"config":{"Entrypoint":["/evil"]}}"#);
    let evil_manifest = swapped(&one, &one.body.replace("schemaVersion\":2", "schemaVersion\":3"));
    let evil_index = swapped(&index, &index.body.replace("amd64", "amd65"));
    for (index, stored, why) in [
        (&index, [&one, &evil_config], "its content is damaged: it has another digest"),
        (&index, [&evil_manifest, &config], "answered with another manifest than this"),
        (&evil_index, [&one, &config], "answered with another manifest than this"),
    ] {
        let (found, _) = program_of(index, &stored).await;
        let said = found.expect_err(why);
        assert!(said.contains(why), "{said}");
    }
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
