//! What the operator costs as a process: start to ready, resident memory, and CPU per cache at 100
//! and 10,000 caches. `cargo bench -p orascache-tests --bench operator -- PART` runs one part:
//! `start`, `caches` or `memory`. `ORASCACHE_BENCH_CACHES=1000,100000` has the memory of other
//! numbers of caches measured, and `ORASCACHE_BENCH_OPERATOR=FILE` uses another program.
//!
//! The operator runs in a process of its own, and the fake API server in this one, so that nothing
//! but the operator is counted.

#![allow(clippy::print_stdout, reason = "a benchmark prints what it measured")]

use fake_kube::{FakeKube, Matcher};
use futures::{StreamExt, stream};
use k8s_openapi::api::core::v1::Namespace;
use kube::api::{DynamicObject, PostParams};
use kube::core::{ApiResource, GroupVersionKind};
use kube::{Api, CustomResourceExt};
use orascache_api::orascache::OrasCache;
use orascache_tests::fixtures::cache;
use orascache_tests::process::{
    cpu_seconds, peak_mib, release_binary, reset_peak, resident_mib, run, until_quiet, until_ready,
};
use serde_json::json;
use std::path::{Path, PathBuf};
use std::time::Instant;

/// How many caches share a namespace where memory is measured.
const IN_A_NAMESPACE: usize = 20;

/// How many objects are created at the same time.
const AT_ONCE: usize = 8;

#[tokio::main]
async fn main() {
    let other = std::env::var_os("ORASCACHE_BENCH_OPERATOR").map(PathBuf::from);
    let Some(binary) = other.or_else(release_binary) else {
        println!("skipped: build the operator first with `cargo build --release -p orascache-operator`");
        return;
    };
    println!("operator: {}", binary.display());
    let wanted: Vec<String> = std::env::args().skip(1).filter(|one| !one.starts_with('-')).collect();
    let runs = |part: &str| wanted.is_empty() || wanted.iter().any(|one| one == part);
    if runs("start") {
        start_to_ready(&binary).await;
    }
    if runs("caches") {
        for caches in [100, 10_000] {
            per_cache(&binary, caches).await;
        }
    }
    if runs("memory") {
        let numbers = std::env::var("ORASCACHE_BENCH_CACHES").unwrap_or_else(|_| "1000,10000".to_owned());
        for caches in numbers.split(',') {
            memory(&binary, caches.parse().expect("a number of caches")).await;
        }
    }
}

/// A fake API server whose history is long enough for 10,000 caches.
async fn cluster() -> FakeKube {
    let builder = FakeKube::builder().history(200_000).definition(OrasCache::crd());
    builder.start().await.expect("an API server")
}

async fn start_to_ready(binary: &Path) {
    let cluster = cluster().await;
    let mut times = Vec::new();
    for _ in 0..6 {
        let started = Instant::now();
        let running = run(binary, cluster.kubeconfig_path(), &[]);
        until_ready(&running).await;
        times.push(started.elapsed().as_secs_f64() * 1_000.0);
        if times.len() == 6 {
            println!("resident idle: {:.1} MiB", resident_mib(running.id()));
        }
    }
    // The first start compiles the component, the others load it from the compiled cache.
    let first = times.remove(0);
    times.sort_by(f64::total_cmp);
    println!("start to ready: {first:.0} ms the first time, {:.0} ms (median of 5) after that", times[2]);
}

async fn per_cache(binary: &Path, caches: usize) {
    let cluster = cluster().await;
    let api = caches_of(&cluster, "default");
    for number in 0..caches {
        let object = serde_json::from_value(cache(&format!("cache-{number}"), json!({}))).expect("an object");
        api.create(&PostParams::default(), &object).await.expect("created");
    }
    let kubeconfig = cluster.kubeconfig_path();
    let log = cluster.requests();
    let mark = log.mark();
    let running = run(binary, kubeconfig, &[]);
    until_ready(&running).await;
    let writes = log.writes_since(mark, &Matcher::any().user_agent("orascache")).len();
    let pid = running.id();
    println!(
        "{caches} caches from nothing: {:.3} ms CPU a cache, {writes} writes, {:.1} MiB resident",
        cpu_seconds(pid) * 1_000.0 / caches as f64,
        resident_mib(pid)
    );
    drop(running);
    // No simulator runs, so nothing has changed since the operator wrote it.
    let mark = log.mark();
    let started = Instant::now();
    let running = run(binary, kubeconfig, &[]);
    until_ready(&running).await;
    let writes = log.writes_since(mark, &Matcher::any().user_agent("orascache")).len();
    let pid = running.id();
    println!(
        "{caches} caches converged restart: ready in {:.2} s, {writes} writes, {:.3} ms CPU a cache, {:.1} MiB resident",
        started.elapsed().as_secs_f64(),
        cpu_seconds(pid) * 1_000.0 / caches as f64,
        resident_mib(pid)
    );
    drop(running);
    cluster.shutdown().await;
}

fn caches_of(cluster: &FakeKube, namespace: &str) -> Api<DynamicObject> {
    let kind = GroupVersionKind::gvk("cache.converged-computing.github.io", "v1alpha1", "OrasCache");
    let resource = ApiResource::from_gvk_with_plural(&kind, "orascaches");
    Api::namespaced_with(cluster.client(), namespace, &resource)
}

/// Resident memory with caches of six children each: NetworkPolicy, two Services,
/// PodDisruptionBudget, StatefulSet and Secret.
async fn memory(binary: &Path, caches: usize) {
    let cluster = cluster().await;
    let namespaces: Api<Namespace> = Api::all(cluster.client());
    for number in 0..caches.div_ceil(IN_A_NAMESPACE) {
        let namespace = serde_json::from_value(json!({"metadata": {"name": format!("team-{number}")}}));
        namespaces.create(&PostParams::default(), &namespace.expect("a namespace")).await.expect("created");
    }
    let spec = json!({"replicas": 3, "storage": {"existingClaim": "shared"}});
    let create = async |number: usize| {
        let api = caches_of(&cluster, &format!("team-{}", number / IN_A_NAMESPACE));
        let object = serde_json::from_value(cache(&format!("cache-{number}"), spec.clone()));
        api.create(&PostParams::default(), &object.expect("an object")).await.expect("created");
    };
    stream::iter(0..caches).for_each_concurrent(AT_ONCE, create).await;
    let (kubeconfig, log) = (cluster.kubeconfig_path(), cluster.requests());

    let running = run(binary, kubeconfig, &[]);
    until_ready(&running).await;
    until_quiet(running.id()).await;
    let creations = Matcher::any().user_agent("orascache").verb("create");
    let children = log.count(&creations) - log.count(&creations.resource("events.k8s.io", "events"));
    report(running.id(), &format!("{caches} caches, {children} children, after making them"));
    drop(running);

    let running = run(binary, kubeconfig, &[]);
    until_ready(&running).await;
    until_quiet(running.id()).await;
    report(running.id(), "  after a converged restart");
    let cpu = cpu_seconds(running.id());
    reset_peak(running.id());
    cluster.faults().expire_history();
    until_quiet(running.id()).await;
    report(
        running.id(),
        &format!("  after a list of everything ({:.2} s CPU)", cpu_seconds(running.id()) - cpu),
    );
    drop(running);
    cluster.shutdown().await;
}

fn report(pid: u32, when: &str) {
    println!("{when}: {:.1} MiB resident, {:.1} MiB at most", resident_mib(pid), peak_mib(pid));
}
