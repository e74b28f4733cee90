//! Security: with a client CA, only clients with a certificate by that CA are served.

use crate::common::{Caller, PROTOCOLS, Protocol, Running, start_with, trusting_with, until};
use orascache_webhook::{ClientAuthority, ClientAuthorityFile, ServerOptions};
use rcgen::{BasicConstraints, CertificateParams, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair};
use rustls_pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer};
use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::time::Duration;

/// A CA that signs client certificates.
struct Authority {
    pem: String,
    issuer: Issuer<'static, KeyPair>,
}

fn authority() -> Authority {
    let key = KeyPair::generate().unwrap();
    let mut params = CertificateParams::new(Vec::new()).unwrap();
    params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
    let pem = params.self_signed(&key).unwrap().pem();
    Authority { pem, issuer: Issuer::new(params, key) }
}

type Identity = (Vec<CertificateDer<'static>>, PrivateKeyDer<'static>);

fn client_identity(authority: &Authority) -> Identity {
    let key = KeyPair::generate().unwrap();
    let mut params = CertificateParams::new(vec!["api-server".to_owned()]).unwrap();
    params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
    let certificate = params.signed_by(&key, &authority.issuer).unwrap().der().clone();
    (vec![certificate], PrivatePkcs8KeyDer::from(key.serialize_der()).into())
}

async fn start(authorities: &[&Authority]) -> Running {
    let pem: String = authorities.iter().map(|authority| authority.pem.as_str()).collect();
    let client_authority = Some(ClientAuthority::from_pem(pem.as_bytes()).unwrap());
    start_with(ServerOptions { client_authority, ..ServerOptions::default() }).await
}

fn caller(running: &Running, protocol: Protocol, identity: Option<Identity>) -> Caller {
    let config = trusting_with(std::slice::from_ref(&running.identity.der), identity);
    Caller::with_config(running.address(), protocol, config)
}

async fn is_answered(caller: &Caller) -> bool {
    caller.act("allow").await.is_ok_and(|answer| answer.status == 200)
}

/// Whether a client with this identity gets an answer.
async fn is_served(running: &Running, protocol: Protocol, identity: Option<Identity>) -> bool {
    is_answered(&caller(running, protocol, identity)).await
}

#[tokio::test]
async fn clients_without_a_certificate_by_the_client_ca_are_disconnected() {
    let (ours, others) = (authority(), authority());
    let running = start(&[&ours]).await;
    for protocol in PROTOCOLS {
        assert!(is_served(&running, protocol, Some(client_identity(&ours))).await, "{protocol:?}");
        assert!(!is_served(&running, protocol, None).await, "no certificate, {protocol:?}");
        let foreign = Some(client_identity(&others));
        assert!(!is_served(&running, protocol, foreign).await, "another CA, {protocol:?}");
    }
    let reviews =
        running.metric("controller_runtime_webhook_requests_total{webhook=\"/mutate\",code=\"200\"}");
    assert_eq!(reviews, 2, "no other request reached the reviewer");
}

#[tokio::test]
async fn a_client_ca_can_be_several_certificates() {
    let (old, new) = (authority(), authority());
    let running = start(&[&old, &new]).await;
    for authority in [&old, &new] {
        assert!(is_served(&running, Protocol::Http2, Some(client_identity(authority))).await);
    }
}

/// Replaces the content of a mounted Secret as the kubelet does: by the symbolic link above it.
fn mount(folder: &Path, version: &str, content: &str) {
    fs::create_dir(folder.join(version)).unwrap();
    fs::write(folder.join(version).join("ca.crt"), content).unwrap();
    symlink(version, folder.join("..data_tmp")).unwrap();
    fs::rename(folder.join("..data_tmp"), folder.join("..data")).unwrap();
}

#[tokio::test]
async fn a_replaced_client_ca_ends_open_connections_and_sessions_by_the_former_one() {
    let (old, new) = (authority(), authority());
    let folder = tempfile::tempdir().unwrap();
    mount(folder.path(), "..1", &old.pem);
    symlink("..data/ca.crt", folder.path().join("ca.crt")).unwrap();
    let file = ClientAuthorityFile::open(folder.path().join("ca.crt")).await.unwrap();
    let file = file.with_period(Duration::from_millis(5));
    let client_authority = Some(file.authority());
    let running = start_with(ServerOptions { client_authority, ..ServerOptions::default() }).await;
    let follower = file.follow();
    let open: Vec<Caller> =
        PROTOCOLS.map(|protocol| caller(&running, protocol, Some(client_identity(&old)))).into();
    for caller in &open {
        assert!(is_answered(caller).await);
    }
    assert!(!is_served(&running, Protocol::Http2, Some(client_identity(&new))).await);

    mount(folder.path(), "..2", &new.pem);
    until("the new client CA is in force", async || {
        is_served(&running, Protocol::Http2, Some(client_identity(&new))).await
    })
    .await;
    // These clients could go on with their connections, or resume their TLS sessions.
    for caller in &open {
        assert!(!is_answered(caller).await);
    }
    fs::remove_dir_all(folder.path().join("..2")).unwrap();
    assert!(is_served(&running, Protocol::Http1, Some(client_identity(&new))).await, "the last one stays");
    follower.shutdown().await;
}

#[tokio::test]
async fn a_request_that_runs_while_the_client_ca_is_replaced_is_answered() {
    let (old, new) = (authority(), authority());
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("ca.crt");
    fs::write(&path, &old.pem).unwrap();
    let file = ClientAuthorityFile::open(&path).await.unwrap().with_period(Duration::from_millis(5));
    let client_authority = Some(file.authority());
    let running = start_with(ServerOptions { client_authority, ..ServerOptions::default() }).await;
    let _follower = file.follow();
    let caller = caller(&running, Protocol::Http1, Some(client_identity(&old)));
    let request = tokio::spawn(async move { caller.act("wait").await.unwrap().status });
    until("the review runs", async || running.script.waiting.load(std::sync::atomic::Ordering::SeqCst) == 1)
        .await;
    fs::write(&path, &new.pem).unwrap();
    until("the new client CA is in force", async || {
        is_served(&running, Protocol::Http1, Some(client_identity(&new))).await
    })
    .await;
    running.script.turns.add_permits(1);
    assert_eq!(request.await.unwrap(), 200);
}

#[test]
fn an_unusable_client_ca_is_an_error() {
    for text in ["", "garbage", "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"] {
        let error = ClientAuthority::from_pem(text.as_bytes()).unwrap_err().to_string();
        assert!(error.starts_with("the CA cannot be read"), "{error}");
    }
    let authority = ClientAuthority::from_pem(authority().pem.as_bytes()).unwrap();
    assert_eq!(format!("{authority:?}"), "ClientAuthority { certificates: 1 }");
}
