//! Security: with a client CA, only clients with a certificate by that CA are served.

mod common;

use common::{PROTOCOLS, Protocol, Running, start_with, trusting_with};
use orascache_webhook::{ClientAuthority, ServerOptions};
use rcgen::{BasicConstraints, CertificateParams, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair};
use rustls_pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer};

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

/// Whether a client with this identity gets an answer.
async fn is_served(running: &Running, protocol: Protocol, identity: Option<Identity>) -> bool {
    let config = trusting_with(std::slice::from_ref(&running.identity.der), identity);
    let caller = common::Caller::with_config(running.address(), protocol, config);
    caller.act("allow").await.is_ok_and(|answer| answer.status == 200)
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

#[test]
fn an_unusable_client_ca_is_an_error() {
    for text in ["", "garbage", "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"] {
        let error = ClientAuthority::from_pem(text.as_bytes()).unwrap_err().to_string();
        assert!(error.starts_with("the certificate cannot be read"), "{error}");
    }
    let authority = ClientAuthority::from_pem(authority().pem.as_bytes()).unwrap();
    assert_eq!(format!("{authority:?}"), "ClientAuthority { certificates: 1 }");
}
