//! Registries that are reached through a forward proxy.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::Duration;

use axum::Router;
use axum::extract::Request;
use axum::http::header;
use oci_registry_client::{ArtifactReference, Client, Credentials, Endpoint, Error, Network, TransferPolicy};
use rustls::pki_types::PrivateKeyDer;
use test_registries::Embedded;

const MANIFEST: &str = r#"{"schemaVersion":2,"layers":[]}"#;
/// A host that only the proxy knows.
const REGISTRY: &str = "registry.invalid.example";
/// The base64 of ann:hunter2 (RFC 7617).
const AUTHORIZATION: &str = "Basic YW5uOmh1bnRlcjI=";

/// A network with one proxy, which wants a password.
fn network(proxy: &str) -> Network {
    Network::from_variables(|name| {
        matches!(name, "HTTP_PROXY" | "https_proxy").then(|| format!("http://ann:hunter2@{proxy}"))
    })
}

fn client(scheme: &str, network: Network) -> Client {
    let endpoint = Endpoint::parse(&format!("{scheme}://{REGISTRY}")).unwrap();
    let policy = TransferPolicy {
        patience: Duration::from_secs(1),
        stall: Duration::from_secs(20),
        ..TransferPolicy::default()
    };
    Client::with_network(endpoint, Credentials::default(), policy, network)
}

fn reference() -> ArtifactReference {
    ArtifactReference::parse("a:1").unwrap()
}

#[tokio::test]
async fn plain_requests_name_the_whole_address() {
    let seen = Arc::new(Mutex::new(Vec::new()));
    let kept = Arc::clone(&seen);
    let proxy = Embedded::serving(Router::new().fallback(move |request: Request| {
        let authorization = request.headers().get(header::PROXY_AUTHORIZATION).cloned();
        kept.lock().unwrap().push((request.uri().to_string(), authorization));
        async { MANIFEST }
    }));
    client("http", network(&proxy.host())).manifest(&reference()).await.unwrap();
    let seen = seen.lock().unwrap();
    assert_eq!(seen[0].0, format!("http://{REGISTRY}/v2/a/manifests/1"));
    assert_eq!(seen[0].1.as_ref().unwrap(), AUTHORIZATION);
}

/// Reads a request without a body, to the end of its headers.
fn head(stream: &mut impl Read) -> String {
    let mut reader = BufReader::with_capacity(1, stream);
    let mut text = String::new();
    while !text.ends_with("\r\n\r\n") {
        assert!(reader.read_line(&mut text).unwrap() > 0, "{text}");
    }
    text
}

/// A proxy for one connection. Returns its address, and what it returns.
fn proxy<T: Send + 'static>(serve: impl FnOnce(TcpStream) -> T + Send + 'static) -> (String, JoinHandle<T>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap().to_string();
    (address, std::thread::spawn(move || serve(listener.accept().unwrap().0)))
}

#[tokio::test]
async fn encrypted_requests_go_through_a_tunnel() {
    let made = rcgen::generate_simple_self_signed(vec![REGISTRY.to_owned()]).unwrap();
    let key = PrivateKeyDer::try_from(made.signing_key.serialize_der()).unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = rustls::ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![made.cert.der().clone()], key)
        .unwrap();
    let (address, served) = proxy(move |mut stream| {
        let connect = head(&mut stream);
        stream.write_all(b"HTTP/1.1 200 Connection established\r\n\r\n").unwrap();
        let connection = rustls::ServerConnection::new(Arc::new(config)).unwrap();
        let mut inside = rustls::StreamOwned::new(connection, stream);
        let request = head(&mut inside);
        let length = MANIFEST.len();
        write!(inside, "HTTP/1.1 200 OK\r\nContent-Length: {length}\r\n\r\n{MANIFEST}").unwrap();
        inside.flush().unwrap();
        (connect, request)
    });
    let network = network(&address).trusting(made.cert.pem().as_bytes()).unwrap();
    client("https", network).manifest(&reference()).await.unwrap();
    let (connect, request) = served.join().unwrap();
    assert!(connect.starts_with(&format!("CONNECT {REGISTRY}:443 HTTP/1.1\r\n")), "{connect}");
    assert!(connect.contains(AUTHORIZATION), "{connect}");
    assert!(request.starts_with("GET /v2/a/manifests/1 HTTP/1.1\r\n"), "{request}");
    assert!(!request.to_ascii_lowercase().contains("proxy-authorization"), "{request}");
}

#[tokio::test]
async fn security_errors_name_the_proxy_without_its_credentials() {
    let (address, served) = proxy(|mut stream| {
        head(&mut stream);
        stream.write_all(b"HTTP/1.1 407 Proxy Authentication Required\r\n\r\n").unwrap();
    });
    let error = client("https", network(&address)).manifest(&reference()).await.unwrap_err();
    served.join().unwrap();
    assert!(matches!(error, Error::Untrusted { .. }), "waiting does not help: {error}");
    let expected = format!("https://{REGISTRY} (through the proxy http://{address}) cannot be spoken to");
    assert!(error.to_string().starts_with(&expected), "{error}");
    for text in [error.to_string(), format!("{error:?}"), format!("{:?}", network(&address))] {
        assert!(!text.contains("hunter2") && !text.contains("YW5u"), "{text}");
    }
}

#[tokio::test]
async fn a_variable_that_names_no_proxy_is_an_error_at_once() {
    let network = Network::from_variables(|name| (name == "HTTPS_PROXY").then(|| "socks5://x:1".to_owned()));
    let error = client("https", network).manifest(&reference()).await.unwrap_err();
    assert!(matches!(error, Error::Untrusted { .. }), "{error}");
    assert!(error.to_string().contains("HTTPS_PROXY names no proxy: write it like http://"), "{error}");
}

#[test]
fn text_that_is_no_certificate_of_an_authority_is_refused() {
    let damaged = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";
    for (pem, why) in [("", "holds no certificate"), ("x", "holds no certificate"), (damaged, "no authority")]
    {
        let sentence = Network::direct().trusting(pem.as_bytes()).unwrap_err();
        assert!(sentence.contains(why), "{sentence}");
    }
}
