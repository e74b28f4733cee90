//! The whole operator beside calls that never end: health answers, the Lease is renewed, and good
//! reviews are answered. Counters and answers decide; timeouts only end a test that hangs.
//! `host/runtime` tests the same for calls alone.

use deploy_manifests::names;
use k8s_openapi::api::coordination::v1::Lease;
use kube::Api;
use kube::api::{DynamicObject, PostParams};
use orascache_runtime::{CallKind, CallLimits, Engine, Guest, Limits};
use orascache_tests::GREETER;
use orascache_tests::cluster::{Cluster, PATIENCE, compiled, install_crd};
use orascache_tests::fixtures::{greeting, greeting_crd};
use orascache_tests::webhooks;
use serde_json::{Value, json};
use std::future::Future;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

/// Workers of the controller, each of which gets an endless call. The runtime has two threads.
const WORKERS: u32 = 4;
/// Endless reviews.
const REVIEWS: u32 = 4;

/// A guest whose calls are not stopped during this test.
fn guest() -> Arc<Guest> {
    let calls = CallLimits { deadline: Duration::from_secs(3_600), running: 32, waiting: 32 };
    let engine = Engine::new(Limits { review: calls, reconcile: calls, ..Limits::default() });
    let guest = engine.expect("an engine").load(GREETER, &compiled());
    Arc::new(guest.expect("the component loads"))
}

async fn until<F: Future<Output = bool>>(what: &str, is_reached: impl Fn() -> F) {
    let reached = async {
        while !is_reached().await {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    tokio::time::timeout(PATIENCE, reached).await.unwrap_or_else(|_| panic!("{what} was not reached"));
}

async fn health(address: SocketAddr) -> String {
    let mut stream = tokio::net::TcpStream::connect(address).await.expect("a connection");
    let request = b"GET /healthz HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n";
    stream.write_all(request).await.expect("a request");
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.expect("an answer");
    answer
}

fn object(value: Value) -> DynamicObject {
    serde_json::from_value(value).expect("an object")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn health_lease_and_good_reviews_go_on_beside_endless_calls() {
    let cluster = Cluster::embedded().await;
    install_crd(&cluster.client(), &serde_json::from_value(greeting_crd()).expect("a CRD")).await;
    let guest = guest();
    let listen = test_registries::free_address();
    let operator = webhooks::operator_of(&cluster, guest.clone(), |options| {
        options.listen = Some(listen);
        options.workers = WORKERS as usize;
    })
    .await;
    let greetings = cluster.api("lab.example.com/v1", "Greeting", "greetings");

    for number in 0..WORKERS {
        cluster.apply(&greetings, greeting(&format!("loop-{number}"), json!({"misbehave": "loop"}))).await;
    }
    let mut reviews = tokio::task::JoinSet::new();
    for number in 0..REVIEWS {
        let mut endless = greeting(&format!("endless-{number}"), json!({}));
        endless["metadata"]["annotations"] = json!({"lab.example.com/misbehave": "loop"});
        let greetings = greetings.clone();
        reviews.spawn(async move { greetings.create(&PostParams::default(), &object(endless)).await });
    }
    let running = |kind| guest.engine().calls(kind).running;
    until("endless calls on all workers", || async {
        running(CallKind::Reconcile) == WORKERS && running(CallKind::Review) == REVIEWS
    })
    .await;

    // The rule of this guest lets requests through while no answer comes, so that only the guest can
    // refuse.
    let (parameters, empty) = (PostParams::default(), object(greeting("empty", json!({"text": ""}))));
    let refused = greetings.create(&parameters, &empty);
    let refused = tokio::time::timeout(PATIENCE, refused).await.expect("a good review is answered");
    assert!(refused.is_err_and(|error| error.to_string().contains("spec.text is empty")));
    for _ in 0..5 {
        let answer = tokio::time::timeout(PATIENCE, health(listen)).await.expect("health answers");
        assert!(answer.starts_with("HTTP/1.1 200") && answer.ends_with("ok"), "{answer}");
    }
    let leases: Api<Lease> = Api::namespaced(cluster.client(), names::NAMESPACE);
    for _ in 0..2 {
        let version =
            || async { leases.get(names::LEASE).await.expect("the Lease").metadata.resource_version };
        let before = version().await;
        until("a renewal of the Lease", || async { version().await != before }).await;
    }
    assert_eq!(running(CallKind::Reconcile), WORKERS, "an endless call has ended");

    reviews.shutdown().await;
    operator.shutdown().await;
    cluster.finish().await;
}
