//! Components are pushed to a registry and pulled from it.

use std::collections::BTreeMap;
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use component_registry::{Description, Error, PublicKey, Trust, pull, push};
use oci_registry_client::{
    ArtifactReference, Client, Credentials, Descriptor, Digest, Endpoint, Manifest, TransferPolicy,
    media_type,
};
use ring::rand::SystemRandom;
use ring::signature::{ECDSA_P256_SHA256_ASN1_SIGNING, EcdsaKeyPair, KeyPair};
use test_registries::{DockerRegistry, Embedded};

const COMPONENT: &[u8] = b"\0asm\x0d\0\x01\0 not looked at here";

fn client(host: &str) -> Client {
    let endpoint = Endpoint::parse(&format!("http://{host}")).unwrap();
    let policy = TransferPolicy { patience: Duration::from_secs(10), ..TransferPolicy::default() };
    Client::new(endpoint, Credentials::default(), policy)
}

fn reference(text: &str) -> ArtifactReference {
    ArtifactReference::parse(text).unwrap()
}

fn pinned(digest: &Digest) -> ArtifactReference {
    reference(&format!("lab/module@{digest}"))
}

async fn send(client: &Client, bytes: &[u8], media_type: &str) -> Descriptor {
    client.push_bytes("lab/module", bytes, media_type).await.unwrap()
}

/// The name that the tests' component is pulled by.
fn name(client: &Client) -> String {
    format!("{}/lab/module", client.endpoint().host())
}

/// Signs `said` under the name `signed_as`, as `cosign sign --key` does, and puts the signature
/// beside `tagged`.
async fn sign(client: &Client, tagged: &Digest, said: &Digest, signed_as: &str, key: &EcdsaKeyPair) {
    let payload = format!(
        r#"{{"critical":{{"identity":{{"docker-reference":"{signed_as}"}},"image":{{"docker-manifest-digest":"{said}"}},"type":"cosign container image signature"}},"optional":null}}"#
    );
    let signature = key.sign(&SystemRandom::new(), payload.as_bytes()).unwrap();
    let simple_signing = "application/vnd.dev.cosign.simplesigning.v1+json";
    let mut layer = send(client, payload.as_bytes(), simple_signing).await;
    layer.annotations.insert("dev.cosignproject.cosign/signature".to_owned(), STANDARD.encode(signature));
    send(client, b"{}", media_type::EMPTY).await;
    let manifest = Manifest::of_layers("x", vec![layer], BTreeMap::new());
    let tag = tagged.as_str().replace(':', "-");
    client.push_manifest(&reference(&format!("lab/module:{tag}.sig")), &manifest).await.unwrap();
}

fn key() -> (EcdsaKeyPair, PublicKey) {
    let random = SystemRandom::new();
    let document = EcdsaKeyPair::generate_pkcs8(&ECDSA_P256_SHA256_ASN1_SIGNING, &random).unwrap();
    let pair = EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_ASN1_SIGNING, document.as_ref(), &random).unwrap();
    // SubjectPublicKeyInfo of id-ecPublicKey on prime256v1 (RFC 5480), in front of the point.
    let mut info = STANDARD.decode("MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgA=").unwrap();
    info.extend_from_slice(pair.public_key().as_ref());
    let pem = format!("-----BEGIN PUBLIC KEY-----\n{}\n-----END PUBLIC KEY-----\n", STANDARD.encode(info));
    (pair, PublicKey::from_pem(pem.as_bytes()).unwrap())
}

#[tokio::test]
async fn components_are_pushed_and_pulled_by_digest() {
    let embedded = Embedded::start();
    let docker = DockerRegistry::start();
    for host in std::iter::once(embedded.host()).chain(docker.as_ref().map(DockerRegistry::host)) {
        let client = client(&host);
        let description = Description { exports: vec!["a:b/c@1.0.0".to_owned()], imports: Vec::new() };
        let digest = push(&client, &reference("lab/module:1"), COMPONENT, &description).await.unwrap();
        let again = push(&client, &reference("lab/module:2"), COMPONENT, &description).await.unwrap();
        assert_eq!(digest, again, "the same component has the same digest");
        let pulled = pull(&client, &pinned(&digest), &Trust::default()).await.unwrap();
        assert_eq!((pulled.component.as_slice(), &pulled.digest), (COMPONENT, &digest));

        // The layout that other tools read (CNCF TAG Runtime, Wasm OCI Artifact Layout).
        let manifest = client.manifest(&pinned(&digest)).await.unwrap().manifest;
        assert_eq!(manifest.config.unwrap().media_type, "application/vnd.wasm.config.v0+json");
        assert_eq!(manifest.layers[0].media_type, "application/wasm");

        let error =
            pull(&client, &reference("lab/module:1"), &Trust::default()).await.unwrap_err().to_string();
        assert!(error.contains(&format!("write {host}/lab/module@{digest}")), "{error}");
        let trust = Trust { allow_unpinned: true, ..Trust::default() };
        assert_eq!(pull(&client, &reference("lab/module:1"), &trust).await.unwrap().digest, digest);
    }
}

#[tokio::test]
async fn a_signature_by_the_key_is_required() {
    let registry = Embedded::start();
    let client = client(&registry.host());
    let digest = push(&client, &reference("lab/module:1"), COMPONENT, &Description::default()).await.unwrap();
    let ((pair, public), (stranger, _)) = (key(), key());
    let trust = Trust { key: Some(public), ..Trust::default() };
    let refusal = async || match pull(&client, &pinned(&digest), &trust).await {
        Err(error @ Error::Unsigned(..)) => error.to_string(),
        other => panic!("{other:?}"),
    };
    assert!(refusal().await.contains(".sig beside it"));
    let name = name(&client);
    sign(&client, &digest, &digest, &name, &stranger).await;
    assert!(refusal().await.contains("none of the 1 signatures"));
    // A valid signature of another digest, put beside this component.
    sign(&client, &digest, &Digest::of(b"other"), &name, &pair).await;
    assert!(refusal().await.contains("none of the 1 signatures"));
    sign(&client, &digest, &digest, &name, &pair).await;
    assert_eq!(pull(&client, &pinned(&digest), &trust).await.unwrap().component, COMPONENT);
}

#[tokio::test]
async fn other_artifacts_are_refused() {
    let registry = Embedded::start();
    let client = client(&registry.host());
    let layer = send(&client, b"text", "text/plain").await;
    send(&client, b"{}", media_type::EMPTY).await;
    let manifest = Manifest::of_layers("x", vec![layer], BTreeMap::new());
    let digest = client.push_manifest(&reference("lab/module:1"), &manifest).await.unwrap();
    let error = pull(&client, &pinned(&digest), &Trust::default()).await.unwrap_err();
    assert!(error.to_string().contains("is no component: its configuration is"), "{error}");
}

/// Security: a signature says which repository it is for. Otherwise the signature of one component
/// would be valid for any repository that the same signer, or somebody who can copy the signature,
/// writes to.
#[tokio::test]
async fn security_a_signature_for_another_repository_is_refused() {
    let registry = Embedded::start();
    let client = client(&registry.host());
    let digest = push(&client, &reference("lab/module:1"), COMPONENT, &Description::default()).await.unwrap();
    let (pair, public) = key();
    let trust = Trust { key: Some(public), ..Trust::default() };
    for other in ["registry.example.org/lab/module", "", "lab/module"] {
        sign(&client, &digest, &digest, other, &pair).await;
        let error = pull(&client, &pinned(&digest), &trust).await.unwrap_err();
        assert!(matches!(error, Error::Unsigned(..)), "{error}");
        assert!(error.to_string().contains(&format!("the signature is for \"{other}\"")), "{error}");
    }
    // A component that was copied together with its signature keeps the name of its origin.
    let origin = "registry.example.org/lab/module".to_owned();
    sign(&client, &digest, &digest, &origin, &pair).await;
    let copied = Trust { signed_as: Some(origin), ..trust };
    assert_eq!(pull(&client, &pinned(&digest), &copied).await.unwrap().component, COMPONENT);
}
