//! What the operator costs as a process: start to ready, resident memory, and CPU per cache at 100 and
//! 10,000 caches.
//!
//! The operator runs in a process of its own, and the fake API server in this one, so that nothing but the
//! operator is counted.

#![allow(clippy::print_stdout, reason = "a benchmark prints what it measured")]

use fake_kube::{FakeKube, Matcher};
use kube::api::{DynamicObject, PostParams};
use kube::core::{ApiResource, GroupVersionKind};
use kube::{Api, CustomResourceExt};
use orascache_api::orascache::OrasCache;
use orascache_tests::fixtures::cache;
use orascache_tests::process::{cpu_seconds, release_binary, resident_mib, run, until_ready};
use serde_json::json;
use std::path::Path;
use std::time::Instant;

#[tokio::main]
async fn main() {
    let Some(binary) = release_binary() else {
        println!("skipped: build the operator first with `cargo build --release -p orascache-operator`");
        return;
    };
    println!("operator: {}", binary.display());
    start_to_ready(&binary).await;
    for caches in [100, 10_000] {
        per_cache(&binary, caches).await;
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
    // The first start compiles the component, the others map it.
    let first = times.remove(0);
    times.sort_by(f64::total_cmp);
    println!("start to ready: {first:.0} ms the first time, {:.0} ms (median of 5) after that", times[2]);
}

async fn per_cache(binary: &Path, caches: usize) {
    let cluster = cluster().await;
    let kind = GroupVersionKind::gvk("cache.converged-computing.github.io", "v1alpha1", "OrasCache");
    let api: Api<DynamicObject> = Api::namespaced_with(
        cluster.client(),
        "default",
        &ApiResource::from_gvk_with_plural(&kind, "orascaches"),
    );
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
    // No simulator runs: everything is as the operator left it.
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
