//! What the operator costs as a process: start to ready, resident memory, and CPU per cache at 100
//! and 10,000 caches. At 100 caches also the requests that new, edited, drifted and deleted ones
//! cost.
//!
//! The operator runs in a process of its own, so that nothing else is counted. The API server is
//! the fake one, or with `KUBEBUILDER_ASSETS` a real one. `ORASCACHE_BENCH_CACHES=1000` measures
//! that number of caches instead, and `ORASCACHE_BENCH_OPERATOR=FILE` uses another program.

#![allow(clippy::print_stdout, reason = "a benchmark prints what it measured")]

use kube::api::{DeleteParams, Patch, PatchParams, PostParams};
use orascache_tests::bench_api::BenchApi;
use orascache_tests::cluster::{caches_of, namespaced};
use orascache_tests::fixtures::cache;
use orascache_tests::process::{Running, benched_binary, cpu_seconds, resident_mib, run, until_ready};
use orascache_tests::request_counts::{RequestCounts, Sort};
use serde_json::json;
use std::path::Path;
use std::time::Instant;

/// Most caches for which requests are counted: each sort waits until no further ones come.
const COUNTED: usize = 1_000;
const NAMESPACE: &str = "default";

#[tokio::main]
async fn main() {
    let Some(binary) = benched_binary() else { return };
    start_to_ready(&binary).await;
    let chosen = std::env::var("ORASCACHE_BENCH_CACHES").ok();
    let chosen = chosen.map(|number| number.parse().expect("ORASCACHE_BENCH_CACHES is a number"));
    for caches in chosen.map_or_else(|| vec![100, 10_000], |caches| vec![caches]) {
        per_cache(&binary, caches).await;
    }
}

async fn start_to_ready(binary: &Path) {
    let api = BenchApi::start().await;
    println!("API server: {}", api.name());
    let mut times = Vec::new();
    for _ in 0..6 {
        let started = Instant::now();
        let running = run(binary, api.kubeconfig(), &[]);
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
    let api = BenchApi::start().await;
    let objects = caches_of(api.client(), NAMESPACE);
    for name in names(caches) {
        let object = serde_json::from_value(cache(&name, json!({}))).expect("an object");
        objects.create(&PostParams::default(), &object).await.expect("created");
    }
    let before = api.counts().await;
    let (running, seconds) = start(binary, &api).await;
    let pid = running.id();
    println!(
        "{caches} caches from nothing: ready in {seconds:.2} s, {:.3} ms CPU a cache, {:.1} MiB resident",
        cpu_seconds(pid) * 1_000.0 / caches as f64,
        resident_mib(pid)
    );
    let made = report(&api, &before, caches, "from nothing").await;
    drop(running);
    // No simulator runs, so nothing has changed since the operator wrote it.
    let (running, seconds) = start(binary, &api).await;
    let pid = running.id();
    println!(
        "{caches} caches converged restart: ready in {seconds:.2} s, {:.3} ms CPU a cache, {:.1} MiB resident",
        cpu_seconds(pid) * 1_000.0 / caches as f64,
        resident_mib(pid)
    );
    let mut counts = report(&api, &made, caches, "converged restart").await;
    if caches > COUNTED {
        return;
    }
    for name in names(caches) {
        let patch = Patch::Merge(json!({"spec": {"podLabels": {"edited": "true"}}}));
        objects.patch(&name, &PatchParams::default(), &patch).await.expect("edited");
    }
    counts = report(&api, &counts, caches, "edited (podLabels)").await;
    let services = namespaced(api.client(), NAMESPACE, "v1", "Service", "services");
    for name in names(caches) {
        services.delete(&name, &DeleteParams::default()).await.expect("deleted");
    }
    counts = report(&api, &counts, caches, "drifted (Service deleted)").await;
    for name in names(caches) {
        objects.delete(&name, &DeleteParams::default()).await.expect("deleted");
    }
    report(&api, &counts, caches, "deleted").await;
}

fn names(caches: usize) -> impl Iterator<Item = String> {
    (0..caches).map(|number| format!("cache-{number}"))
}

/// Starts the operator, and returns it with the seconds until it was ready.
async fn start(binary: &Path, api: &BenchApi) -> (Running, f64) {
    let started = Instant::now();
    let running = run(binary, api.kubeconfig(), &[]);
    until_ready(&running).await;
    (running, started.elapsed().as_secs_f64())
}

/// Prints the operator's requests since earlier ones, and returns the numbers of now.
async fn report(api: &BenchApi, earlier: &RequestCounts, caches: usize, what: &str) -> RequestCounts {
    let now = api.settled().await;
    let operators = now.since(earlier).only(is_operators);
    println!("{caches} caches {what}, requests a cache: {}", operators.for_each_of(caches));
    now
}

/// A real API server counts the requests of everybody. What is left out here are those of this
/// benchmark, which the operator never sends, and those of the server's own loops.
fn is_operators(sort: &Sort) -> bool {
    let is_benchmarks = matches!(
        (sort.verb.as_str(), sort.resource.as_str()),
        ("PATCH" | "DELETE", "orascaches") | ("DELETE", "services")
    );
    let is_cached = ["orascaches", "services", "secrets", "statefulsets", "networkpolicies", "events"]
        .contains(&sort.resource.trim_end_matches("/status"));
    is_cached && !is_benchmarks && !matches!(sort.verb.as_str(), "LIST" | "WATCH")
}
