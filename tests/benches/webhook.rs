//! The cost of admission over TLS: CPU per review, latency under 64 connections, memory, and the
//! same in a namespace with 100 caches.
//!
//! The operator runs in a process of its own. The client is this process: its CPU time is not
//! counted, but it takes cores from the operator.

#![allow(clippy::print_stdout, reason = "a benchmark prints what it measured")]

use bytes::Bytes;
use fake_kube::FakeKube;
use http::Request;
use http_body_util::{BodyExt, Full};
use hyper_util::client::legacy::Client as HttpClient;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use k8s_openapi::api::core::v1::Secret;
use kube::api::{DynamicObject, PostParams};
use kube::core::{ApiResource, GroupVersionKind};
use kube::{Api, Client, CustomResourceExt};
use orascache_api::orascache::OrasCache;
use orascache_tests::process::{benched_binary, cpu_seconds, resident_mib, run, until_ready};
use orascache_tests::{fixtures, pods, reviews};
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use serde_json::{Value, json};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

/// How long each measurement runs.
const TIME: Duration = Duration::from_secs(8);
/// A namespace with so many caches that a review cannot take all of them along.
const MANY_CACHES: usize = 100;
const NAMESPACE: &str = "orascache-system";

type Http = HttpClient<hyper_rustls::HttpsConnector<HttpConnector>, Full<Bytes>>;

#[tokio::main]
async fn main() {
    let Some(binary) = benched_binary() else { return };
    let cluster = FakeKube::builder().definition(OrasCache::crd()).start().await.expect("an API server");
    let client = cluster.client();
    for name in [NAMESPACE, pods::NAMESPACE] {
        create(&client, "", "v1", "Namespace", "namespaces", None, json!({"metadata": {"name": name}})).await;
    }
    create_cache(&client, pods::CACHE).await;

    let port =
        std::net::TcpListener::bind("127.0.0.1:0").and_then(|l| l.local_addr()).expect("a port").port();
    let arguments = [
        format!("--webhook-listen=127.0.0.1:{port}"),
        format!("--webhook-namespace={NAMESPACE}"),
        "--webhook-name=127.0.0.1".to_owned(),
    ];
    let running = run(&binary, cluster.kubeconfig_path(), &arguments);
    until_ready(&running).await;
    let pid = running.id();
    println!("resident before: {:.1} MiB", resident_mib(pid));
    let secrets: Api<Secret> = Api::namespaced(client.clone(), NAMESPACE);
    let secret = secrets.get("orascache-webhook-certificate").await.expect("the certificate's Secret");
    let authority = secret.data.and_then(|mut data| data.remove("ca.crt")).expect("a CA").0;
    let load_of = |pod: Value| {
        let load = Load {
            uri: format!("https://127.0.0.1:{port}/mutate?timeout=5s"),
            body: Bytes::from(reviews::review(&pod)),
            failed: AtomicU64::new(0),
        };
        println!("a pod of {} bytes, a review of {}", pod.to_string().len(), load.body.len());
        Arc::new(load)
    };
    let small = load_of(reviews::small_pod());
    measure(&small, &authority, pid, 8, false, ", small pod").await;
    let load = load_of(reviews::pod());
    for (connections, http2) in [(8, false), (64, false), (8, true)] {
        measure(&load, &authority, pid, connections, http2, "").await;
    }
    for number in 1..MANY_CACHES {
        create_cache(&client, &format!("cache-{number}")).await;
    }
    measure(&load, &authority, pid, 8, false, ", 100 caches").await;
}

/// Whether a row is to be measured: all are, or those whose names have an argument in them, as in
/// `cargo bench -p orascache-tests --bench webhook -- HTTP/2`.
fn is_chosen(name: &str) -> bool {
    let mut chosen = std::env::args().skip(1).filter(|argument| !argument.starts_with("--")).peekable();
    chosen.peek().is_none() || chosen.any(|part| name.contains(&part))
}

/// Prints what reviews cost over a number of connections.
async fn measure(
    load: &Arc<Load>,
    authority: &[u8],
    pid: u32,
    connections: usize,
    http2: bool,
    where_else: &str,
) {
    let protocol = if http2 { "HTTP/2" } else { "HTTP/1.1" };
    let name = format!("{connections} connections, {protocol}{where_else}");
    if !is_chosen(&name) {
        return;
    }
    let clients: Vec<Http> = (0..connections).map(|_| https(authority, http2)).collect();
    let before = cpu_seconds(pid);
    let started = Instant::now();
    let mut latencies = closed_loop(load, &clients).await;
    let (seconds, cpu) = (started.elapsed().as_secs_f64(), cpu_seconds(pid) - before);
    let rate = latencies.len() as f64 / seconds;
    println!(
        "{name}, as fast as it goes: {rate:.0} reviews/s, {:.1} us CPU a review ({:.0} reviews per CPU-second), p99 {:.1} ms, {} failed, {:.1} MiB",
        cpu * 1e6 / latencies.len() as f64,
        latencies.len() as f64 / cpu,
        percentile(&mut latencies, 0.99) * 1e3,
        load.failed.swap(0, Ordering::Relaxed),
        resident_mib(pid)
    );
    let mut latencies = open_loop(load, &clients, rate / 2.0).await;
    println!(
        "{name}, half of that: {:.0} reviews/s, p50 {:.2} ms, p99 {:.2} ms, {} failed, {:.1} MiB",
        latencies.len() as f64 / TIME.as_secs_f64(),
        percentile(&mut latencies, 0.5) * 1e3,
        percentile(&mut latencies, 0.99) * 1e3,
        load.failed.swap(0, Ordering::Relaxed),
        resident_mib(pid)
    );
}

async fn create_cache(client: &Client, name: &str) {
    let (group, namespace) = ("cache.converged-computing.github.io", Some(pods::NAMESPACE));
    let cache = fixtures::cache(name, json!({}));
    create(client, group, "v1alpha1", "OrasCache", "orascaches", namespace, cache).await;
}

async fn create(
    client: &Client,
    group: &str,
    version: &str,
    kind: &str,
    plural: &str,
    namespace: Option<&str>,
    object: Value,
) {
    let resource = ApiResource::from_gvk_with_plural(&GroupVersionKind::gvk(group, version, kind), plural);
    let api: Api<DynamicObject> = match namespace {
        Some(namespace) => Api::namespaced_with(client.clone(), namespace, &resource),
        None => Api::all_with(client.clone(), &resource),
    };
    let object = serde_json::from_value(object).expect("an object");
    api.create(&PostParams::default(), &object).await.expect("created");
}

/// A client with connections of its own that trusts the operator's CA.
fn https(authority: &[u8], http2: bool) -> Http {
    let mut roots = rustls::RootCertStore::empty();
    for certificate in CertificateDer::pem_slice_iter(authority) {
        roots.add(certificate.expect("a certificate")).expect("a CA");
    }
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let tls = rustls::ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .expect("protocol versions")
        .with_root_certificates(roots)
        .with_no_client_auth();
    let mut tcp = HttpConnector::new();
    tcp.enforce_http(false);
    // API servers set this, too. Without it, the second frame of a request waits until the first
    // one is acknowledged.
    tcp.set_nodelay(true);
    let builder = hyper_rustls::HttpsConnectorBuilder::new().with_tls_config(tls).https_only();
    let connector = if http2 {
        builder.enable_http2().wrap_connector(tcp)
    } else {
        builder.enable_http1().wrap_connector(tcp)
    };
    HttpClient::builder(TokioExecutor::new()).http2_only(http2).build(connector)
}

struct Load {
    uri: String,
    body: Bytes,
    failed: AtomicU64,
}

impl Load {
    /// Sends one review, and returns the seconds until its answer was read.
    async fn send(&self, client: &Http) -> f64 {
        let started = Instant::now();
        let request = Request::post(&self.uri).header("content-type", "application/json");
        let request = request.body(Full::new(self.body.clone())).expect("a request");
        let succeeded = match client.request(request).await {
            Ok(response) => {
                let is_ok = response.status().is_success();
                let body = response.into_body().collect().await;
                is_ok
                    && body.is_ok_and(|body| body.to_bytes().windows(9).any(|window| window == b"JSONPatch"))
            }
            Err(_) => false,
        };
        if !succeeded {
            self.failed.fetch_add(1, Ordering::Relaxed);
        }
        started.elapsed().as_secs_f64()
    }
}

/// Every connection sends its next review when it has the answer to the last one.
async fn closed_loop(load: &Arc<Load>, clients: &[Http]) -> Vec<f64> {
    let end = Instant::now() + TIME;
    let tasks = clients.iter().map(|client| {
        let (load, client) = (load.clone(), client.clone());
        tokio::spawn(async move {
            let mut latencies = Vec::new();
            while Instant::now() < end {
                latencies.push(load.send(&client).await);
            }
            latencies
        })
    });
    joined(tasks).await
}

/// Reviews come at a fixed rate, whether or not earlier ones were answered.
async fn open_loop(load: &Arc<Load>, clients: &[Http], rate: f64) -> Vec<f64> {
    let each = Duration::from_secs_f64(clients.len() as f64 / rate);
    let end = Instant::now() + TIME;
    let tasks = clients.iter().enumerate().map(|(position, client)| {
        let (load, client) = (load.clone(), client.clone());
        tokio::spawn(async move {
            tokio::time::sleep(each.mul_f64(position as f64 / 64.0)).await;
            let mut clock = tokio::time::interval(each);
            let mut latencies = Vec::new();
            while Instant::now() < end {
                let due = clock.tick().await;
                load.send(&client).await;
                // The latency counts from when the review was due, so that a late start is
                // included.
                latencies.push(due.elapsed().as_secs_f64());
            }
            latencies
        })
    });
    joined(tasks).await
}

async fn joined(tasks: impl Iterator<Item = tokio::task::JoinHandle<Vec<f64>>>) -> Vec<f64> {
    let tasks: Vec<_> = tasks.collect();
    let mut all = Vec::new();
    for task in tasks {
        all.extend(task.await.expect("the load runs"));
    }
    all
}

fn percentile(values: &mut [f64], part: f64) -> f64 {
    values.sort_by(f64::total_cmp);
    let index = ((values.len() as f64 * part) as usize).min(values.len().saturating_sub(1));
    values.get(index).copied().unwrap_or_default()
}
