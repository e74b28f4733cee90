//! Resident memory of the operator with many caches of six children each, after making them, after
//! a converged restart, and after a list of everything. `ORASCACHE_BENCH_CACHES=1000,100000` has
//! other numbers of caches measured, and `ORASCACHE_BENCH_OPERATOR=FILE` uses another program.
//!
//! The operator runs in a process of its own, and the fake API server in this one.

#![allow(clippy::print_stdout, reason = "a benchmark prints what it measured")]

use fake_kube::Matcher;
use futures::{StreamExt, stream};
use k8s_openapi::api::core::v1::Namespace;
use kube::Api;
use kube::api::PostParams;
use orascache_tests::bench_api;
use orascache_tests::cluster::caches_of;
use orascache_tests::fixtures::cache;
use orascache_tests::process::{
    benched_binary, cpu_seconds, peak_mib, reset_peak, resident_mib, run, until_quiet, until_ready,
};
use serde_json::json;
use std::path::Path;

/// How many caches share a namespace.
const IN_A_NAMESPACE: usize = 20;

/// How many objects are created at the same time.
const AT_ONCE: usize = 8;

#[tokio::main]
async fn main() {
    let Some(binary) = benched_binary() else { return };
    let numbers = std::env::var("ORASCACHE_BENCH_CACHES").unwrap_or_else(|_| "1000,10000".to_owned());
    for caches in numbers.split(',') {
        memory(&binary, caches.parse().expect("a number of caches")).await;
    }
}

/// Resident memory with caches of six children each: NetworkPolicy, two Services,
/// PodDisruptionBudget, StatefulSet and Secret.
async fn memory(binary: &Path, caches: usize) {
    let cluster = bench_api::fake().await;
    let namespaces: Api<Namespace> = Api::all(cluster.client());
    for number in 0..caches.div_ceil(IN_A_NAMESPACE) {
        let namespace = serde_json::from_value(json!({"metadata": {"name": format!("team-{number}")}}));
        namespaces.create(&PostParams::default(), &namespace.expect("a namespace")).await.expect("created");
    }
    let spec = json!({"replicas": 3, "storage": {"existingClaim": "shared"}});
    let create = async |number: usize| {
        let api = caches_of(cluster.client(), &format!("team-{}", number / IN_A_NAMESPACE));
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
