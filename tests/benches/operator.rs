//! What the operator costs as a process: start to ready, resident memory, and CPU per cache at 100 and 10,000 caches.
//!
//! Every measurement runs in a process of its own, against an embedded API server in the parent, so that nothing but the
//! operator is counted.

#![allow(clippy::print_stdout, reason = "a benchmark prints what it measured")]

use devcluster::{ApiServer, Options};
use kube::api::{DynamicObject, PostParams};
use kube::config::{KubeConfigOptions, Kubeconfig};
use kube::core::{ApiResource, GroupVersionKind};
use kube::{Api, Client, Config, CustomResourceExt};
use orascache_api::orascache::OrasCache;
use orascache_tests::cluster::install_crd;
use orascache_tests::fixtures::cache;
use serde_json::json;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// Clock ticks of /proc/PID/stat a second (proc(5); fixed on Linux).
const TICKS: f64 = 100.0;

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

fn release_binary() -> Option<PathBuf> {
    // target/release/deps/operator-<hash>, the benchmark itself, lies beside it.
    let path = std::env::current_exe().ok()?.parent()?.parent()?.join("orascache");
    path.is_file().then_some(path)
}

struct Running {
    child: Child,
    port: u16,
}

impl Drop for Running {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn run(binary: &PathBuf, kubeconfig: &std::path::Path) -> Running {
    let port =
        std::net::TcpListener::bind("127.0.0.1:0").and_then(|l| l.local_addr()).expect("a port").port();
    let child = Command::new(binary)
        .args(["--log", "warn", "run", "--kubeconfig"])
        .arg(kubeconfig)
        .args(["--listen", &format!("127.0.0.1:{port}")])
        .stdin(Stdio::null())
        .spawn()
        .expect("the operator starts");
    Running { child, port }
}

async fn until_ready(running: &Running) {
    let deadline = Instant::now() + Duration::from_secs(300);
    loop {
        assert!(Instant::now() < deadline, "not ready");
        if answers_ok(running.port).await {
            return;
        }
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
}

/// A request of a few bytes does not need an HTTP client.
async fn answers_ok(port: u16) -> bool {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    let Ok(mut stream) = tokio::net::TcpStream::connect(("127.0.0.1", port)).await else { return false };
    let request = b"GET /readyz HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n";
    let mut answer = String::new();
    stream.write_all(request).await.is_ok()
        && stream.read_to_string(&mut answer).await.is_ok()
        && answer.starts_with("HTTP/1.1 200")
}

fn resident_mib(pid: u32) -> f64 {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
    let line = status.lines().find(|line| line.starts_with("VmRSS")).unwrap_or_default();
    line.split_whitespace().nth(1).and_then(|kib| kib.parse::<f64>().ok()).unwrap_or_default() / 1024.0
}

fn cpu_seconds(pid: u32) -> f64 {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    // Fields after the name, which may hold spaces: utime and stime are the 12th and 13th.
    let fields: Vec<&str> = stat.rsplit(')').next().unwrap_or_default().split_whitespace().collect();
    let ticks = |position: usize| {
        fields.get(position).and_then(|ticks| ticks.parse::<f64>().ok()).unwrap_or_default()
    };
    (ticks(11) + ticks(12)) / TICKS
}

async fn cluster() -> (ApiServer, Client, tempfile::TempDir) {
    let server =
        ApiServer::start(Options { history: 200_000, ..Options::default() }).await.expect("an API server");
    let kubeconfig = Kubeconfig::from_yaml(&server.kubeconfig()).expect("a kubeconfig");
    let config = Config::from_custom_kubeconfig(kubeconfig, &KubeConfigOptions::default())
        .await
        .expect("a configuration");
    let client = Client::try_from(config).expect("a client");
    install_crd(&client, &OrasCache::crd()).await;
    let folder = tempfile::tempdir().expect("a folder");
    std::fs::write(folder.path().join("kubeconfig"), server.kubeconfig()).expect("written");
    (server, client, folder)
}

async fn start_to_ready(binary: &PathBuf) {
    let (_server, _client, folder) = cluster().await;
    let mut times = Vec::new();
    for _ in 0..6 {
        let started = Instant::now();
        let running = run(binary, &folder.path().join("kubeconfig"));
        until_ready(&running).await;
        times.push(started.elapsed().as_secs_f64() * 1_000.0);
        if times.len() == 6 {
            println!("resident idle: {:.1} MiB", resident_mib(running.child.id()));
        }
    }
    // The first start compiles the component, the others map it.
    let first = times.remove(0);
    times.sort_by(f64::total_cmp);
    println!("start to ready: {first:.0} ms the first time, {:.0} ms (median of 5) after that", times[2]);
}

async fn per_cache(binary: &PathBuf, caches: usize) {
    let (server, client, folder) = cluster().await;
    let kind = GroupVersionKind::gvk("cache.converged-computing.github.io", "v1alpha1", "OrasCache");
    let api: Api<DynamicObject> = Api::namespaced_with(
        client.clone(),
        "default",
        &ApiResource::from_gvk_with_plural(&kind, "orascaches"),
    );
    for number in 0..caches {
        let object = serde_json::from_value(cache(&format!("cache-{number}"), json!({}))).expect("an object");
        api.create(&PostParams::default(), &object).await.expect("created");
    }
    let kubeconfig = folder.path().join("kubeconfig");
    let log = server.requests();
    let mark = log.mark();
    let running = run(binary, &kubeconfig);
    until_ready(&running).await;
    let writes = log.writes_since(mark, &devcluster::Matcher::any().user_agent("orascache")).len();
    let pid = running.child.id();
    println!(
        "{caches} caches from nothing: {:.3} ms CPU a cache, {writes} writes, {:.1} MiB resident",
        cpu_seconds(pid) * 1_000.0 / caches as f64,
        resident_mib(pid)
    );
    drop(running);
    // Nobody rolls the StatefulSets out here, so that everything is as the operator left it.
    let mark = log.mark();
    let started = Instant::now();
    let running = run(binary, &kubeconfig);
    until_ready(&running).await;
    let writes = log.writes_since(mark, &devcluster::Matcher::any().user_agent("orascache")).len();
    let pid = running.child.id();
    println!(
        "{caches} caches converged restart: ready in {:.2} s, {writes} writes, {:.3} ms CPU a cache, {:.1} MiB resident",
        started.elapsed().as_secs_f64(),
        cpu_seconds(pid) * 1_000.0 / caches as f64,
        resident_mib(pid)
    );
    drop(running);
    server.shutdown().await;
}
