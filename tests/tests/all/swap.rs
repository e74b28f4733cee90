//! Hot swaps: another version of the component takes over while the operator runs. No event is
//! missed, every primary is reconciled once, and bad versions do no harm.

use deploy_manifests::names;
use fake_kube::Matcher;
use futures::future::BoxFuture;
use kube::api::{DynamicObject, PostParams};
use kube::{Api, ResourceExt};
use orascache_contract::{Description, GuestError, Kind, Observed, Plan, WatchedKind};
use orascache_controller::{Backoff, Controller, Reconciler};
use orascache_operator::EMBEDDED;
use orascache_operator::operator::{self, Operator, Options};
use orascache_runtime::{CanaryPolicy, digest, hot_swap, record};
use orascache_tests::GREETER;
use orascache_tests::cluster::{Cluster, PATIENCE, guest, install_crd};
use orascache_tests::components::edited;
use orascache_tests::fixtures::{cache, greeting, greeting_crd};
use orascache_tests::webhooks;
use prometheus_client::registry::Registry;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::future::Future;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};
use tempfile::TempDir;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

/// A greeter whose default text is "howdy" instead of "hello".
fn friendly() -> Vec<u8> {
    edited(GREETER, "hello", "howdy")
}

/// A greeter that misbehaves as `spec.behaviour` says. The normal greeter ignores that field.
fn fragile() -> Vec<u8> {
    edited(GREETER, "misbehave", "behaviour")
}

/// With this, no canary becomes a trusted version before a test ends.
fn for_ever() -> CanaryPolicy {
    CanaryPolicy { period: Duration::from_secs(86_400), ..CanaryPolicy::default() }
}

/// A running operator that loads its component from a file.
struct Running {
    cluster: Cluster,
    operator: Operator,
    folder: TempDir,
    metrics: SocketAddr,
}

impl Running {
    async fn start(canary: CanaryPolicy, recording: bool) -> Self {
        let cluster = Cluster::embedded().await;
        let mut definition = greeting_crd();
        definition["spec"]["versions"][0]["schema"]["openAPIV3Schema"]["properties"]["spec"]["properties"]
            ["behaviour"] = json!({"type": "string"});
        install_crd(&cluster.client(), &serde_json::from_value(definition).expect("a CRD")).await;
        let folder = tempfile::tempdir().expect("a folder");
        let file = folder.path().join("guest.wasm");
        std::fs::write(&file, GREETER).expect("written");
        let metrics = test_registries::free_address();
        let options = Options {
            listen: Some(metrics),
            lease_namespace: Some(cluster.namespace.clone()),
            record: recording.then(|| record::Options::new(folder.path().join("records"))),
            hot_swap: Some(hot_swap::Options {
                period: Duration::from_millis(25),
                canary,
                ..hot_swap::Options::new(file)
            }),
            ..Options::default()
        };
        let guest = Arc::new(guest(GREETER));
        let operator =
            operator::start(cluster.operator_client().await, guest, options).await.expect("it starts");
        tokio::time::timeout(PATIENCE, operator.synced()).await.expect("it syncs");
        Self { cluster, operator, folder, metrics }
    }

    fn greetings(&self) -> Api<DynamicObject> {
        self.cluster.api("lab.example.com/v1", "Greeting", "greetings")
    }

    fn maps(&self) -> Api<DynamicObject> {
        self.cluster.api("v1", "ConfigMap", "configmaps")
    }

    fn file(&self) -> PathBuf {
        self.folder.path().join("guest.wasm")
    }

    async fn greet(&self, name: &str, spec: Value) {
        self.cluster.apply(&self.greetings(), greeting(name, spec)).await;
    }

    async fn until_greeted(&self, name: &str, text: &str) {
        let greets = |map: &Value| map["data"]["greeting"] == text;
        self.cluster.until(&self.maps(), name, &format!("greeting with {text}"), greets).await;
    }

    /// The value of a metric, or 0 when it does not exist.
    async fn metric(&self, name: &str) -> u64 {
        let mut stream = tokio::net::TcpStream::connect(self.metrics).await.expect("a connection");
        let request = b"GET /metrics HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n";
        stream.write_all(request).await.expect("a request");
        let mut text = String::new();
        stream.read_to_string(&mut text).await.expect("an answer");
        let value = text.lines().find_map(|line| line.strip_prefix(name)?.trim().parse().ok());
        value.unwrap_or_default()
    }

    async fn changes(&self, result: &str) -> u64 {
        self.metric(&format!("orascache_component_changes_total{{result=\"{result}\"}}")).await
    }

    async fn until_changes(&self, result: &str, count: u64) {
        until(|| async { (self.changes(result).await >= count).then_some(()) }).await;
        assert_eq!(self.changes(result).await, count, "{result}");
    }

    /// Notes of the events about the Lease with that reason.
    async fn notes(&self, reason: &str) -> Vec<String> {
        let events = self.cluster.api("events.k8s.io/v1", "Event", "events");
        let lease = self.cluster.api("coordination.k8s.io/v1", "Lease", "leases");
        let lease = lease.get(names::LEASE).await.expect("the Lease").uid().expect("a UID");
        let found = events.list(&Default::default()).await.expect("events").items.into_iter();
        let about_it = found.filter(|event| {
            event.data["reason"] == reason && event.data["regarding"]["uid"] == lease.as_str()
        });
        about_it.map(|event| event.data["note"].as_str().unwrap_or_default().to_owned()).collect()
    }

    async fn until_note(&self, reason: &str, holds: &str) {
        until(|| async { self.notes(reason).await.iter().any(|note| note.contains(holds)).then_some(()) })
            .await;
    }

    async fn finish(self) {
        self.operator.shutdown().await;
        self.cluster.finish().await;
    }
}

async fn until<T, F: Future<Output = Option<T>>>(found: impl Fn() -> F) -> T {
    let deadline = Instant::now() + PATIENCE;
    loop {
        if let Some(found) = found().await {
            return found;
        }
        assert!(Instant::now() < deadline, "the condition did not hold in time");
        tokio::time::sleep(Duration::from_millis(25)).await;
    }
}

/// Overwrites the component's file in place, as `cp` does.
fn write(file: &Path, content: &[u8]) {
    std::fs::write(file, content).expect("written");
}

#[tokio::test(flavor = "multi_thread")]
async fn no_change_is_missed_while_a_version_takes_over() {
    const GREETINGS: usize = 12;
    let running = Running::start(CanaryPolicy::default(), false).await;
    for number in 0..GREETINGS {
        // Greetings without a text of their own show which version decided.
        running.greet(&format!("quiet-{number}"), json!({})).await;
        running.greet(&format!("busy-{number}"), json!({"text": "0"})).await;
    }
    for number in 0..GREETINGS {
        running.until_greeted(&format!("quiet-{number}"), "hello").await;
    }
    let (began, log) = (Instant::now(), running.cluster.server().requests());
    let watches = Matcher::any().user_agent("operator").verb("watch");
    let before = log.count(&watches);

    let stop = AtomicBool::new(false);
    let stream = async {
        let mut round = 0;
        while !stop.load(Ordering::Relaxed) {
            round += 1;
            for number in 0..GREETINGS {
                running.greet(&format!("busy-{number}"), json!({"text": round.to_string()})).await;
                running.greet(&format!("new-{round}-{number}"), json!({"text": "new"})).await;
            }
        }
        round
    };
    let switch = async {
        write(&running.file(), &friendly());
        running.until_changes("switched", 1).await;
        for number in 0..GREETINGS {
            // These did not change. They are reconciled because the version changed.
            running.until_greeted(&format!("quiet-{number}"), "howdy").await;
        }
        stop.store(true, Ordering::Relaxed);
    };
    let (rounds, ()) = tokio::join!(stream, switch);
    for number in 0..GREETINGS {
        running.until_greeted(&format!("busy-{number}"), &rounds.to_string()).await;
        for round in 1..=rounds {
            running.until_greeted(&format!("new-{round}-{number}"), "new").await;
        }
    }
    if began.elapsed() < Duration::from_secs(15) {
        // After that time the API server ends watches itself.
        assert_eq!(log.count(&watches), before, "a watch was restarted");
    }
    running.until_note("ComponentSwitched", "decides from now on").await;
    assert_eq!(running.changes("refused").await + running.changes("rolled-back").await, 0);
    let digest = digest(&friendly());
    assert_eq!(running.metric(&format!("orascache_component_info{{digest=\"{digest}\"}}")).await, 1);
    running.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn reviews_go_on_while_the_version_changes() {
    let cluster = Cluster::embedded().await;
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("component.wasm");
    std::fs::write(&file, EMBEDDED).expect("written");
    let followed = hot_swap::Options { period: Duration::from_millis(25), ..hot_swap::Options::new(&file) };
    let operator = webhooks::operator_with(&cluster, |options| options.hot_swap = Some(followed)).await;
    cluster.apply(&cluster.caches(), cache("demo", json!({}))).await;
    let pods = cluster.api("v1", "Pod", "pods");
    let deadline = Instant::now() + PATIENCE;
    let mut by = [0; 2];
    for number in 0.. {
        let pod = json!({
            "apiVersion": "v1", "kind": "Pod",
            "metadata": {"name": format!("step-{number}"), "annotations": {
                "oras.converged-computing.github.io/oras-cache": "demo",
                "oras.converged-computing.github.io/input-uri": "flow/words:1",
            }},
            "spec": {"restartPolicy": "Never", "containers": [{"name": "app", "image": "i", "command": ["run"]}]},
        });
        let pod: DynamicObject = serde_json::from_value(pod).expect("an object");
        let created = pods.create(&PostParams::default(), &pod).await.expect("every pod is admitted");
        let name =
            created.data["spec"]["initContainers"][0]["name"].as_str().expect("every pod is rewritten");
        match name {
            "oras-install" => by[0] += 1,
            "oras-prepare" => by[1] += 1,
            other => panic!("no version names it {other}"),
        }
        if number == 10 {
            write(&file, &edited(EMBEDDED, "oras-install", "oras-prepare"));
        }
        if by[1] == 10 {
            break;
        }
        assert!(Instant::now() < deadline, "the new version does not review: {by:?}");
    }
    assert!(by[0] >= 10, "{by:?}");
    operator.shutdown().await;
    cluster.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn unsuitable_versions_are_refused_and_the_old_version_still_decides() {
    let running = Running::start(for_ever(), false).await;
    // The version that decides ignores `behaviour`. The fragile version would trap.
    running.greet("trap", json!({"text": "here", "behaviour": "panic"})).await;
    running.until_greeted("trap", "here").await;
    let imports = wat::parse_str(
        r#"(component (import "wasi:clocks/wall-clock@0.2.0" (instance (export "now" (func)))))"#,
    );
    let bad: [(&str, Vec<u8>); 7] = [
        ("not a valid WebAssembly component", b"garbage".to_vec()),
        ("not a valid WebAssembly component", GREETER[..GREETER.len() / 2].to_vec()),
        ("imports wasi:clocks/wall-clock", imports.expect("valid text")),
        (
            "it manages Greeting of lab.example.com/v2",
            edited(GREETER, "lab.example.com/v1", "lab.example.com/v2"),
        ),
        ("applies as field manager \"grinner\"", edited(GREETER, "greeter", "grinner")),
        ("it needs ConfigMap of v1", edited(GREETER, "configmaps", "configmapz")),
        ("fails at reconcile Greeting", fragile()),
    ];
    for (count, (reason, component)) in (1..).zip(bad) {
        write(&running.file(), &component);
        running.until_note("ComponentRefused", reason).await;
        running.until_changes("refused", count).await;
        let name = format!("after-{count}");
        running.greet(&name, json!({})).await;
        running.until_greeted(&name, "hello").await;
    }
    assert_eq!(running.changes("switched").await, 0);
    // A missing file changes nothing, and a good version is accepted afterwards.
    std::fs::remove_file(running.file()).expect("removed");
    running.greet("meanwhile", json!({})).await;
    running.until_greeted("meanwhile", "hello").await;
    write(&running.file(), &friendly());
    running.until_changes("switched", 1).await;
    running.until_greeted("after-1", "howdy").await;
    running.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_failing_canary_is_rolled_back_and_every_object_is_served() {
    let running = Running::start(for_ever(), false).await;
    running.greet("quiet", json!({})).await;
    running.until_greeted("quiet", "hello").await;
    let bad = edited(&fragile(), "hello", "howdy");
    write(&running.file(), &bad);
    running.until_changes("switched", 1).await;
    running.until_greeted("quiet", "howdy").await;
    for (number, how) in ["panic", "recurse", "allocate"].into_iter().enumerate() {
        let name = format!("trap-{number}");
        running.greet(&name, json!({"text": "served", "behaviour": how})).await;
        running.until_greeted(&name, "served").await;
    }
    running.until_changes("rolled-back", 1).await;
    running.until_greeted("quiet", "hello").await;
    running.until_note("ComponentRolledBack", "decides again").await;
    assert!(running.metric("orascache_component_faults_total").await >= 3);
    let digest = digest(GREETER);
    assert_eq!(running.metric(&format!("orascache_component_info{{digest=\"{digest}\"}}")).await, 1);
    // The same component is not tried again, but another one is.
    running.greet("later", json!({})).await;
    running.until_greeted("later", "hello").await;
    assert_eq!(running.changes("switched").await, 1);
    write(&running.file(), &friendly());
    running.until_changes("switched", 2).await;
    running.until_greeted("quiet", "howdy").await;
    running.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn recorded_decisions_are_replayed_before_a_switch() {
    let running = Running::start(for_ever(), true).await;
    running.greet("gone", json!({"text": "once", "behaviour": "panic"})).await;
    running.until_greeted("gone", "once").await;
    running.greetings().delete("gone", &Default::default()).await.expect("deleted");
    running.cluster.until_gone(&running.greetings(), "gone").await;
    write(&running.file(), &fragile());
    running.until_note("ComponentRefused", "fails at reconcile Greeting").await;
    write(&running.file(), &friendly());
    running.until_note("ComponentSwitched", "decisions 1 differ, such as reconcile Greeting self-test").await;
    running.finish().await;
}

/// Plans nothing, and counts the calls about each primary.
struct Counting {
    description: Description,
    seen: Mutex<BTreeMap<String, u32>>,
}

impl Counting {
    fn new() -> Arc<Self> {
        let description = Description {
            owned: vec![WatchedKind::whole(Kind::namespaced("v1", "ConfigMap", "configmaps"))],
            ..Description::new(Kind::namespaced("lab.example.com/v1", "Greeting", "greetings"), "greeter")
        };
        Arc::new(Self { description, seen: Mutex::default() })
    }

    fn seen(&self) -> BTreeMap<String, u32> {
        self.seen.lock().expect("not poisoned").clone()
    }
}

impl Reconciler for Counting {
    fn describe(&self) -> Description {
        self.description.clone()
    }

    fn reconcile(&self, observed: Observed) -> BoxFuture<'_, Result<Plan, GuestError>> {
        let primary: Value = serde_json::from_str(&observed.primary).expect("JSON");
        let name = primary["metadata"]["name"].as_str().expect("a name").to_owned();
        *self.seen.lock().expect("whole").entry(name).or_default() += 1;
        Box::pin(std::future::ready(Ok(Plan::default())))
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn every_primary_is_reconciled_exactly_once_after_a_switch() {
    let cluster = Cluster::embedded().await;
    install_crd(&cluster.client(), &serde_json::from_value(greeting_crd()).expect("a CRD")).await;
    let greetings = cluster.api("lab.example.com/v1", "Greeting", "greetings");
    let once: BTreeMap<String, u32> = (0..50).map(|number| (format!("g-{number}"), 1)).collect();
    for name in once.keys() {
        cluster.apply(&greetings, greeting(name, json!({}))).await;
    }
    let (old, new) = (Counting::new(), Counting::new());
    let options = orascache_controller::Options {
        backoff: Backoff { first: Duration::from_millis(50), longest: Duration::from_secs(2) },
        ..orascache_controller::Options::default()
    };
    let client = cluster.operator_client().await;
    let controller = Controller::start(client, old.clone(), options, &mut Registry::default()).await;
    let controller = controller.expect("the controller starts");
    tokio::time::timeout(PATIENCE, controller.synced()).await.expect("the controller syncs");
    assert_eq!(old.seen(), once);
    assert_eq!(controller.reconciler_handle().replace(new.clone()), Ok(once.len()));
    until(|| async { (new.seen().len() == once.len()).then_some(()) }).await;
    // Later changes come to the new one only, and only for the primary that changed.
    cluster.apply(&greetings, greeting("g-7", json!({"text": "hi"}))).await;
    until(|| async { (new.seen().get("g-7") == Some(&2)).then_some(()) }).await;
    let mut expected = once.clone();
    expected.insert("g-7".to_owned(), 2);
    assert_eq!((old.seen(), new.seen()), (once, expected));
    controller.shutdown().await;
    cluster.finish().await;
}
