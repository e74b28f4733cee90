//! Hot swaps: another version of the component takes over while the operator runs. No event is
//! missed, every primary is reconciled once, and bad versions do no harm.

mod every_primary;
mod running;

use fake_kube::Matcher;
use kube::api::{DynamicObject, PostParams};
use orascache_operator::EMBEDDED;
use orascache_runtime::{CanaryPolicy, digest, hot_swap};
use orascache_tests::GREETER;
use orascache_tests::cluster::{Cluster, PATIENCE};
use orascache_tests::components::edited;
use orascache_tests::fixtures::cache;
use orascache_tests::webhooks;
use running::{Running, for_ever, fragile, friendly, replace, write};
use serde_json::json;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

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
        replace(&running.file(), &component);
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
