//! Security: a registry that is somebody else's leads the client into no private network, neither by
//! redirects nor by the name of its token service.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use axum::Router;
use axum::http::{StatusCode, header};
use axum::response::IntoResponse;
use oci_registry_client::{ArtifactReference, Client, Credentials, Endpoint, Error, Network, TransferPolicy};
use test_registries::Embedded;

fn endpoint(host: &str) -> Endpoint {
    Endpoint::parse(&format!("http://{host}")).unwrap()
}

/// A client of a registry whose network is private, as those of tests are. Further hosts may be too.
fn client(registry: &Embedded, others: &[&str]) -> Client {
    let own = endpoint(&registry.host());
    let trusted: Vec<Endpoint> = others.iter().map(|host| endpoint(host)).chain([own.clone()]).collect();
    let network = Network::direct().public_beside(&trusted);
    let policy = TransferPolicy {
        patience: Duration::ZERO,
        stall: Duration::from_secs(10),
        ..TransferPolicy::default()
    };
    Client::with_network(own, Credentials::default(), policy, network)
}

/// A server in the private network that counts its requests.
fn private() -> (Embedded, Arc<AtomicUsize>) {
    let asked = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&asked);
    let server = Embedded::serving(Router::new().fallback(move || {
        counted.fetch_add(1, Ordering::Relaxed);
        async { StatusCode::OK }
    }));
    (server, asked)
}

async fn pull(client: &Client) -> Error {
    client.manifest(&ArtifactReference::parse("flow/words:1").unwrap()).await.unwrap_err()
}

#[tokio::test]
async fn redirects_and_token_services_lead_to_public_addresses_alone() {
    let (server, asked) = private();
    let port = server.host().rsplit_once(':').map(|(_, port)| port.to_owned()).unwrap();
    // As an address, as a name that the resolver knows, and as another spelling of the address.
    for host in ["127.0.0.1", "localhost", "2130706433", "[::ffff:127.0.0.1]"] {
        let to = format!("http://{host}:{port}/latest/meta-data");
        let challenge = format!("Bearer realm=\"{to}\"");
        for (status, name, value) in [
            (StatusCode::TEMPORARY_REDIRECT, header::LOCATION, to),
            (StatusCode::UNAUTHORIZED, header::WWW_AUTHENTICATE, challenge),
        ] {
            let registry = Embedded::serving(Router::new().fallback(move || {
                let answer = (status, [(name.clone(), value.clone())]).into_response();
                async move { answer }
            }));
            let error = pull(&client(&registry, &[])).await;
            assert!(error.to_string().contains("it has no public address"), "{host} {status}: {error}");
            assert!(!error.is_transient(), "waiting does not help");
        }
    }
    assert_eq!(asked.load(Ordering::Relaxed), 0, "nothing was sent");
}

#[tokio::test]
async fn hosts_that_are_named_may_have_private_addresses() {
    let (server, asked) = private();
    let to = format!("http://{}/manifest", server.host());
    let registry = Embedded::serving(Router::new().fallback(move || {
        let answer = (StatusCode::TEMPORARY_REDIRECT, [(header::LOCATION, to.clone())]).into_response();
        async move { answer }
    }));
    let error = pull(&client(&registry, &[&server.host()])).await;
    assert!(matches!(error, Error::Protocol { .. }), "an empty body is no manifest: {error}");
    assert_eq!(asked.load(Ordering::Relaxed), 1);
}
