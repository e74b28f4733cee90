//! Components to and from a registry.

use std::collections::BTreeMap;
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use component_registry::{Description, Error, PublicKey, Trust, pull, push};
use oci_registry_client::{
    Client, Credentials, Descriptor, Digest, Endpoint, Manifest, Policy, Reference, media_type,
};
use ring::rand::SystemRandom;
use ring::signature::{ECDSA_P256_SHA256_ASN1_SIGNING, EcdsaKeyPair, KeyPair};
use test_registries::{DockerRegistry, Embedded};

const COMPONENT: &[u8] = b"\0asm\x0d\0\x01\0 not looked at here";

fn client(host: &str) -> Client {
    let endpoint = Endpoint::parse(&format!("http://{host}")).unwrap();
    let policy = Policy { patience: Duration::from_secs(10), ..Policy::default() };
    Client::new(endpoint, Credentials::default(), policy)
}

fn reference(text: &str) -> Reference {
    Reference::parse(text).unwrap()
}

fn pinned(digest: &Digest) -> Reference {
    reference(&format!("lab/module@{digest}"))
}

async fn send(client: &Client, bytes: &[u8], media_type: &str) -> Descriptor {
    client.push_bytes("lab/module", bytes, media_type).await.unwrap()
}

/// Signs as `cosign sign --key` does.
async fn sign(client: &Client, tagged: &Digest, said: &Digest, key: &EcdsaKeyPair) {
    let payload =
        format!(r#"{{"critical":{{"image":{{"docker-manifest-digest":"{said}"}}}},"optional":null}}"#);
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

        // What other tools see (CNCF TAG Runtime, Wasm OCI Artifact).
        let manifest = client.manifest(&pinned(&digest)).await.unwrap().manifest;
        assert_eq!(manifest.config.media_type, "application/vnd.wasm.config.v0+json");
        assert_eq!(manifest.layers[0].media_type, "application/wasm");

        let error =
            pull(&client, &reference("lab/module:1"), &Trust::default()).await.unwrap_err().to_string();
        assert!(error.contains(&format!("write {host}/lab/module@{digest}")), "{error}");
        let trust = Trust { allow_unpinned: true, key: None };
        assert_eq!(pull(&client, &reference("lab/module:1"), &trust).await.unwrap().digest, digest);
    }
}

#[tokio::test]
async fn signatures_are_asked_for() {
    let registry = Embedded::start();
    let client = client(&registry.host());
    let digest = push(&client, &reference("lab/module:1"), COMPONENT, &Description::default()).await.unwrap();
    let ((pair, public), (stranger, _)) = (key(), key());
    let trust = Trust { allow_unpinned: false, key: Some(public) };
    let refusal = async || match pull(&client, &pinned(&digest), &trust).await {
        Err(error @ Error::Unsigned(..)) => error.to_string(),
        other => panic!("{other:?}"),
    };
    assert!(refusal().await.contains(".sig beside it"));
    sign(&client, &digest, &digest, &stranger).await;
    assert!(refusal().await.contains("none of the 1 signatures"));
    // A good signature of something else, put beside this.
    sign(&client, &digest, &Digest::of(b"other"), &pair).await;
    assert!(refusal().await.contains("none of the 1 signatures"));
    sign(&client, &digest, &digest, &pair).await;
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
