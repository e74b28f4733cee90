//! The components of this repository in the engine. `host/runtime` tests the engine by itself.

use orascache_contract::{GuestError, Observed};
use orascache_operator::EMBEDDED;
use orascache_runtime::{CallLimits, CompiledCache, Engine, Guest, Limits};
use orascache_tests::GREETER;
use serde_json::json;
use std::time::Duration;

fn load(bytes: &[u8]) -> Guest {
    let calls = CallLimits { deadline: Duration::from_millis(300), running: 4, waiting: 4 };
    let limits = Limits { review: calls, reconcile: calls, memory: 16 << 20, ..Limits::default() };
    let engine = Engine::new(limits).expect("an engine");
    engine.load(bytes, &CompiledCache::none()).expect("it loads")
}

fn greeting(misbehave: &str) -> Observed {
    let primary = json!({
        "apiVersion": "lab.example.com/v1", "kind": "Greeting",
        "metadata": {"name": "g", "namespace": "n", "uid": "u", "generation": 1},
        "spec": {"text": "hi", "misbehave": misbehave},
    });
    Observed { primary: primary.to_string().into(), ..Observed::default() }
}

#[test]
fn the_embedded_component_imports_nothing_and_is_small() {
    let guest = load(EMBEDDED);
    let interface = guest.interface();
    assert_eq!(interface.imports, Vec::<String>::new());
    assert_eq!(interface.wit, "orascache:operator@0.3.2");
    assert!(interface.size < 610 << 10, "{} bytes", interface.size);
    assert_eq!(guest.describe().primary.kind, "OrasCache");
}

/// `manifests/` is rendered from the core's description, and `dev` uses the component's.
#[test]
fn the_embedded_component_describes_itself_as_the_core_does() {
    let component = load(EMBEDDED);
    assert_eq!(*component.describe(), orascache_core::describe());
    assert_eq!(component.attended(), orascache_core::gates::attended());
}

#[tokio::test]
async fn a_misbehaving_guest_is_stopped_and_the_next_call_works() {
    let guest = load(GREETER);
    for (how, why) in [
        ("panic", ["it panicked"].as_slice()),
        ("loop", &["it ran for more than", "it had not ended after"]),
        ("allocate", &["bytes of memory"]),
        ("recurse", &["its stack overflowed"]),
    ] {
        match guest.reconcile(&greeting(how)).await {
            Err(GuestError::Stopped(sentence)) => {
                assert!(why.iter().any(|why| sentence.contains(why)), "{how}: {sentence}");
            }
            other => panic!("{how}: {other:?}"),
        }
        let plan = guest.reconcile(&greeting("")).await.expect("a fresh instance");
        assert_eq!(plan.apply.len(), 1);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn calls_run_side_by_side() {
    let guest = std::sync::Arc::new(load(EMBEDDED));
    let primary = json!({
        "apiVersion": "cache.converged-computing.github.io/v1alpha1", "kind": "OrasCache",
        "metadata": {"name": "a", "namespace": "n", "uid": "u", "generation": 1}, "spec": {},
    });
    let observed = Observed { primary: primary.to_string().into(), ..Observed::default() };
    let first = guest.reconcile(&observed).await.expect("a plan");
    let tasks = (0..4).map(|_| {
        let (guest, observed, first) = (guest.clone(), observed.clone(), first.clone());
        tokio::spawn(async move {
            for _ in 0..200 {
                assert_eq!(guest.reconcile(&observed).await.expect("a plan"), first);
            }
        })
    });
    for task in tasks.collect::<Vec<_>>() {
        task.await.expect("no panic");
    }
}
