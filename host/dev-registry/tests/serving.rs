//! Registries with TLS and accounts, as their pods are configured.

mod support;

use k8s_openapi::api::core::v1::{Pod, Secret};
use kube::Api;
use kube::api::{Patch, PatchParams, PostParams};
use kube::runtime::wait::await_condition;
use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair};
use rustls_pki_types::ServerName;
use serde_json::{Value, json};
use std::sync::Arc;
use support::{PATIENCE, address, cluster};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::{ClientConfig, RootCertStore};

/// Password "secret" of user "ann".
const HTPASSWD: &str = include_str!("../../oci-registry-client/tests/htpasswd");
/// "ann:secret" and "bob:secret" in RFC 7617.
const ANN: &str = "Basic YW5uOnNlY3JldA==";
const BOB: &str = "Basic Ym9iOnNlY3JldA==";

async fn create_secret(secrets: &Api<Secret>, name: &str, data: Value) {
    let secret = json!({"metadata": {"name": name}, "stringData": data});
    let secret = serde_json::from_value(secret).expect("a Secret");
    secrets.create(&PostParams::default(), &secret).await.expect("created");
}

/// Creates a registry pod with these variables, which mounts two Secrets.
async fn create(pods: &Api<Pod>, variables: Value) {
    let pod = serde_json::from_value(json!({
        "metadata": {"name": "demo-0", "labels": {"app.kubernetes.io/component": "registry"}},
        "spec": {
            "containers": [{
                "name": "registry", "image": "registry:2", "ports": [{"containerPort": 5000}], "env": variables,
                "volumeMounts": [{"name": "tls", "mountPath": "/tls"}, {"name": "accounts", "mountPath": "/accounts"}],
            }],
            "volumes": [
                {"name": "tls", "secret": {"secretName": "demo-tls", "optional": true}},
                {"name": "accounts", "secret": {"secretName": "demo-account", "optional": true}},
            ],
        },
    }));
    pods.create(&PostParams::default(), &pod.expect("a pod")).await.expect("created");
}

/// Sends a request, and returns the first line of the answer.
async fn request<S: AsyncRead + AsyncWrite + Unpin>(
    mut stream: S,
    method: &str,
    authorization: &str,
) -> String {
    let request = format!(
        "{method} /v2/ HTTP/1.1\r\nHost: demo\r\nAuthorization: {authorization}\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
    );
    stream.write_all(request.as_bytes()).await.expect("sent");
    let mut answer = Vec::new();
    // A connection with TLS may end without the end of TLS.
    let _ = stream.read_to_end(&mut answer).await;
    String::from_utf8_lossy(&answer).lines().next().unwrap_or_default().to_owned()
}

async fn plain(address: &str, method: &str, authorization: &str) -> String {
    let stream = TcpStream::connect(address).await.expect("a connection");
    request(stream, method, authorization).await
}

#[tokio::test]
async fn a_registry_asks_for_an_account_of_the_file_as_it_is_now() {
    let folder = tempfile::tempdir().expect("a folder");
    let (cluster, pods, _heard) = cluster(&folder).await;
    let secrets: Api<Secret> = Api::default_namespaced(cluster.client());
    create_secret(&secrets, "demo-account", json!({"htpasswd": HTPASSWD})).await;
    create(&pods, json!([{"name": "REGISTRY_AUTH_HTPASSWD_PATH", "value": "/accounts/htpasswd"}])).await;
    let address = address(&pods, "demo-0").await;
    assert_eq!(plain(&address, "GET", "").await, "HTTP/1.1 401 Unauthorized");
    assert_eq!(plain(&address, "GET", BOB).await, "HTTP/1.1 401 Unauthorized");
    for _ in 0..2 {
        assert_eq!(plain(&address, "GET", ANN).await, "HTTP/1.1 200 OK");
    }
    let of_bob = json!({"stringData": {"htpasswd": HTPASSWD.replacen("ann", "bob", 1)}});
    let patched = secrets.patch("demo-account", &PatchParams::default(), &Patch::Merge(of_bob)).await;
    patched.expect("patched");
    assert_eq!(plain(&address, "GET", BOB).await, "HTTP/1.1 200 OK");
    assert_eq!(plain(&address, "GET", ANN).await, "HTTP/1.1 401 Unauthorized");
}

#[tokio::test]
async fn a_registry_that_is_read_only_takes_nothing() {
    let folder = tempfile::tempdir().expect("a folder");
    let (_cluster, pods, _heard) = cluster(&folder).await;
    let read_only = json!([{"name": "REGISTRY_STORAGE_MAINTENANCE_READONLY", "value": "{\"enabled\":true}"}]);
    create(&pods, read_only).await;
    let address = address(&pods, "demo-0").await;
    assert_eq!(plain(&address, "GET", "").await, "HTTP/1.1 200 OK");
    for method in ["POST", "PUT", "PATCH", "DELETE"] {
        assert_eq!(plain(&address, method, "").await, "HTTP/1.1 405 Method Not Allowed", "{method}");
    }
}

#[tokio::test]
async fn a_registry_speaks_tls_with_the_certificate_of_its_secret() {
    let folder = tempfile::tempdir().expect("a folder");
    let (cluster, pods, _heard) = cluster(&folder).await;
    let secrets: Api<Secret> = Api::default_namespaced(cluster.client());
    let authority_key = KeyPair::generate().expect("a key");
    let mut authority = CertificateParams::new(Vec::new()).expect("parameters");
    authority.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let root = authority.self_signed(&authority_key).expect("an authority");
    let issuer = Issuer::new(authority, authority_key);
    let key = KeyPair::generate().expect("a key");
    let leaf = CertificateParams::new(vec!["*.demo.default.svc".to_owned()]).expect("parameters");
    let leaf = leaf.signed_by(&key, &issuer).expect("a certificate");
    let data = json!({"tls.crt": leaf.pem(), "tls.key": key.serialize_pem()});
    create_secret(&secrets, "demo-tls", data).await;
    create(
        &pods,
        json!([
            {"name": "REGISTRY_HTTP_TLS_CERTIFICATE", "value": "/tls/tls.crt"},
            {"name": "REGISTRY_HTTP_TLS_KEY", "value": "/tls/tls.key"},
        ]),
    )
    .await;
    let address = address(&pods, "demo-0").await;
    // A client that says nothing keeps nobody waiting.
    let _silent = TcpStream::connect(&address).await.expect("a connection");
    let mut roots = RootCertStore::empty();
    roots.add(root.der().clone()).expect("a root");
    let config = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .expect("versions")
        .with_root_certificates(roots)
        .with_no_client_auth();
    let connector = TlsConnector::from(Arc::new(config));
    let name = ServerName::try_from("demo-0.demo.default.svc").expect("a name");
    let stream = TcpStream::connect(&address).await.expect("a connection");
    let stream = connector.connect(name, stream).await.expect("TLS");
    assert_eq!(request(stream, "GET", "").await, "HTTP/1.1 200 OK");
    assert!(!plain(&address, "GET", "").await.starts_with("HTTP/1.1 200"));
}

#[tokio::test]
async fn the_pod_of_a_pull_through_cache_waits_and_says_why() {
    let folder = tempfile::tempdir().expect("a folder");
    let (_cluster, pods, _heard) = cluster(&folder).await;
    create(&pods, json!([{"name": "REGISTRY_PROXY_REMOTEURL", "value": "https://ghcr.io"}])).await;
    let message = |pod: Option<&Pod>| {
        let statuses = pod?.status.as_ref()?.container_statuses.as_ref()?;
        statuses.first()?.state.as_ref()?.waiting.as_ref()?.message.clone()
    };
    let waits = await_condition(pods.clone(), "demo-0", |pod: Option<&Pod>| {
        message(pod).is_some_and(|message| message.contains("fetches from another registry"))
    });
    tokio::time::timeout(PATIENCE, waits).await.expect("in time").expect("a watch");
}
