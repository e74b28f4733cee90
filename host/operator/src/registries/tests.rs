use super::OciRegistries;
use axum::http::StatusCode;
use fake_kube::FakeKube;
use k8s_openapi::api::core::v1::Secret;
use kube::Api;
use kube::api::PostParams;
use oci_registry_client::{
    ArtifactReference, Client, Credentials, EMPTY_CONFIG, Endpoint, Manifest, TransferPolicy, media_type,
};
use orascache_contract::{ArtifactAspect, ArtifactFinding, ArtifactQuestion, Kind, ObjectRef};
use orascache_controller::{Look, Registries};
use serde_json::json;
use test_registries::Embedded;

/// `ann:hunter2`
const AUTHORIZATION: &str = "Basic YW5uOmh1bnRlcjI=";

async fn push(registry: &Embedded) {
    let endpoint: Endpoint = format!("http://{}", registry.host()).parse().expect("an endpoint");
    let client = Client::new(endpoint, Credentials::default(), TransferPolicy::default());
    let reference: ArtifactReference = "flow/words:1".parse().expect("a reference");
    let layer = client.push_bytes(&reference.repository, b"hello", "text/plain").await.expect("a layer");
    client.push_bytes(&reference.repository, EMPTY_CONFIG, media_type::EMPTY).await.expect("a config");
    let manifest = Manifest::of_layers(media_type::UNKNOWN_ARTIFACT, vec![layer], Default::default());
    client.push_manifest(&reference, &manifest).await.expect("a manifest");
}

fn question(registry: &str, reference: &str) -> ArtifactQuestion {
    ArtifactQuestion {
        registry: registry.to_owned(),
        plain_http: true,
        repository: "flow/words".to_owned(),
        reference: reference.to_owned(),
        credentials: None,
        aspect: ArtifactAspect::Digest,
    }
}

fn with_secret(question: &ArtifactQuestion, name: &str) -> ArtifactQuestion {
    let secret = ObjectRef {
        kind: Kind::namespaced("v1", "Secret", "secrets"),
        namespace: Some("default".to_owned()),
        name: name.to_owned(),
        uid: None,
    };
    ArtifactQuestion { credentials: Some(secret), ..question.clone() }
}

/// A registry that has nothing, and says so only to those who prove who they are.
fn guarded() -> Embedded {
    Embedded::serving(axum::Router::new().fallback(|headers: axum::http::HeaderMap| async move {
        if headers.get("authorization").is_some_and(|given| given == AUTHORIZATION) {
            return (StatusCode::NOT_FOUND, [("www-authenticate", "")]);
        }
        (StatusCode::UNAUTHORIZED, [("www-authenticate", "Basic realm=\"test\"")])
    }))
}

async fn registries() -> (FakeKube, OciRegistries) {
    let cluster = FakeKube::start().await.expect("a server");
    let registries = OciRegistries::new(cluster.client());
    (cluster, registries)
}

fn why(look: Look) -> String {
    match look {
        Look::Answer(ArtifactFinding::Unknown(why)) => why,
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn artifacts_are_found_by_tag_and_digest_and_missed_where_they_are_not() {
    let (_cluster, registries) = registries().await;
    let registry = Embedded::start();
    let missing = Look::Answer(ArtifactFinding::Missing);
    assert_eq!(registries.look(&question(&registry.host(), "1")).await, missing);
    push(&registry).await;
    let Look::Answer(ArtifactFinding::Digest(digest)) =
        registries.look(&question(&registry.host(), "1")).await
    else {
        panic!("it is there")
    };
    let by_digest = registries.look(&question(&registry.host(), &digest)).await;
    assert_eq!(by_digest, Look::Answer(ArtifactFinding::Digest(digest)));
    assert_eq!(registries.look(&question(&registry.host(), "2")).await, missing);
}

#[tokio::test]
async fn credentials_come_from_the_secret_and_where_there_are_none_the_answer_says_so() {
    let (cluster, registries) = registries().await;
    let secrets: Api<Secret> = Api::namespaced(cluster.client(), "default");
    let registry = guarded();
    let plain = question(&registry.host(), "1");
    assert!(why(registries.look(&plain).await).contains("refuses access"));
    let missing = why(registries.look(&with_secret(&plain, "mine")).await);
    assert!(missing.contains("there is no Secret mine"), "{missing}");
    for (name, password) in [("mine", "hunter2"), ("wrong", "hunter3")] {
        let data = json!({"ORAS_USER": "ann", "ORAS_PULL_PASS": password, "ORAS_PUSH_PASS": "unused"});
        let secret = json!({"metadata": {"name": name}, "stringData": data});
        let secret = serde_json::from_value(secret).expect("a Secret");
        secrets.create(&PostParams::default(), &secret).await.expect("a Secret");
    }
    let found = registries.look(&with_secret(&plain, "mine")).await;
    assert_eq!(found, Look::Answer(ArtifactFinding::Missing), "the registry lets it in");
    let wrong = why(registries.look(&with_secret(&plain, "wrong")).await);
    assert!(wrong.contains("refuses access") && !wrong.contains("hunter"), "{wrong}");
}

#[tokio::test]
async fn faults_that_may_pass_are_no_answer() {
    let (_cluster, registries) = registries().await;
    for status in [429, 503] {
        let registry = Embedded::refusing(status);
        let look = registries.look(&question(&registry.host(), "1")).await;
        assert!(matches!(look, Look::NotNow { .. }), "{status}: {look:?}");
    }
    let away = Embedded::start();
    let host = away.host();
    drop(away);
    let look = registries.look(&question(&host, "1")).await;
    assert!(matches!(&look, Look::NotNow { why, .. } if why.contains("cannot be reached")), "{look:?}");
}

#[tokio::test]
async fn what_no_waiting_helps_against_is_unknown() {
    let (_cluster, registries) = registries().await;
    let registry = Embedded::start();
    let question = question(&registry.host(), "1");
    let encrypted = ArtifactQuestion { plain_http: false, ..question.clone() };
    let said = why(registries.look(&encrypted).await);
    assert!(said.contains("cannot be spoken to"), "{said}");
    let image = ArtifactQuestion { aspect: ArtifactAspect::ImageConfig, ..question.clone() };
    assert!(why(registries.look(&image).await).contains("manifests alone"));
    let wrong = ArtifactQuestion { repository: "../x".to_owned(), ..question };
    assert!(why(registries.look(&wrong).await).contains("cannot be asked for"));
}
