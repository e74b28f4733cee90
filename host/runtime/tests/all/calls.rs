//! Calls of a guest: what comes back, what is refused at load, what is stopped, and when instances
//! are reused.

use crate::guest::{component, context, edited, load, observed};
use orascache_contract::{GuestError, Kind, Outcome, Response};
use orascache_runtime::{CallLimits, CompiledCache, Engine, Guest, Limits, LoadError, digest};
use std::time::Duration;

fn limits() -> Limits {
    let calls = CallLimits { deadline: Duration::from_millis(200), running: 4, waiting: 4 };
    Limits {
        memory: 16 << 20,
        review: calls,
        reconcile: calls,
        tick: Duration::from_millis(5),
        ..Limits::default()
    }
}

/// How many calls the instance has answered that answers this one.
async fn count(guest: &Guest, primary: &str) -> u32 {
    let plan = guest.reconcile(&observed(primary)).await.expect("a plan");
    plan.requeue_after.expect("a count")
}

fn refusal(bytes: &[u8]) -> LoadError {
    let engine = Engine::new(limits()).expect("an engine");
    engine.load(bytes, &CompiledCache::none()).err().expect("a refusal")
}

fn refusal_of_text(text: &str) -> String {
    refusal(&wat::parse_str(text).expect("valid text")).to_string()
}

#[tokio::test]
async fn a_guest_describes_reconciles_reviews_and_checks() {
    let guest = load(limits());
    let description = guest.describe();
    assert_eq!(description.primary, Kind::namespaced("lab.example.com/v1", "Note", "notes"));
    assert_eq!(description.owned[0].kind, Kind::namespaced("v1", "ConfigMap", "configmaps"));
    assert_eq!((description.field_manager.as_str(), description.sensitive.len()), ("tester", 1));
    let plan = guest.reconcile(&observed("{}")).await.expect("a plan");
    assert_eq!((plan.apply, plan.status.as_deref()), (vec!["{}".to_owned()], Some("hello")));
    let outcome = guest.review("{}", &context()).await;
    assert_eq!(outcome, Ok(Outcome::Decided(Response::allowed(""))));
    assert_eq!(guest.check_settings("{}").await, Ok(()));
    assert_eq!(guest.check_settings("e!").await, Err(GuestError::InvalidInput("e!".into())));
    assert_eq!(guest.reconcile(&observed("e!")).await, Err(GuestError::InvalidInput("e!".into())));
    assert_eq!(guest.blocking().review("{}", &context()), outcome);
    assert_eq!(guest.blocking().check_settings("e!"), Err(GuestError::InvalidInput("e!".into())));
    let blocking = guest.blocking().reconcile(&observed("{}")).expect("a plan");
    assert_eq!(blocking.apply, ["{}"]);
}

#[test]
fn the_interface_of_a_component_is_known_before_it_runs() {
    let bytes = component();
    let engine = Engine::new(limits()).expect("an engine");
    let interface = engine.inspect(&bytes, &CompiledCache::none()).expect("valid");
    assert_eq!((interface.imports.len(), interface.size), (0, bytes.len()));
    assert_eq!(interface.wit, "orascache:operator@0.3.0");
    assert_eq!(interface.digest, digest(&bytes));
}

#[tokio::test]
async fn a_guest_of_the_release_before_runs_and_attends_nothing() {
    let guest = load(limits());
    assert_eq!(guest.interface().wit, "orascache:operator@0.3.0");
    assert_eq!(guest.attended(), []);
    let nothing = Err(GuestError::InvalidInput("it decides about no objects of others".to_owned()));
    assert_eq!(guest.attend(&observed("{}")).await, nothing);
    assert_eq!(guest.blocking().attend(&observed("{}")), nothing);
    assert!(guest.reconcile(&observed("{}")).await.is_ok(), "the instance is still usable");
}

#[test]
fn components_that_cannot_run_here_are_refused_with_a_sentence() {
    let imports = r#"(component (import "wasi:clocks/wall-clock@0.2.0" (instance (export "now" (func)))))"#;
    assert!(refusal_of_text(imports).contains("imports wasi:clocks/wall-clock@0.2.0"));
    let other_version =
        r#"(component (instance $i) (export "orascache:operator/reconciler@0.2.0" (instance $i)))"#;
    let sentence = refusal_of_text(other_version);
    assert!(
        sentence.contains("reconciler@0.2.0, but this host speaks orascache:operator@0.3.2"),
        "{sentence}"
    );
    assert!(refusal_of_text("(component)").contains("exports nothing"));
    assert!(refusal_of_text("(module)").contains("core WebAssembly module"));
    let empty = r#"(component (instance $i) (export "orascache:operator/reconciler@0.3.0" (instance $i)))"#;
    assert!(refusal_of_text(empty).contains("do not match the WIT package"));
    assert!(matches!(refusal(b"garbage"), LoadError::Invalid(_)));
    let bytes = component();
    assert!(matches!(refusal(&bytes[..bytes.len() / 2]), LoadError::Invalid(_)));
}

#[tokio::test]
async fn a_misbehaving_call_is_stopped_and_the_next_one_works() {
    let guest = load(limits());
    for (command, why) in [
        ("p", ["it panicked"].as_slice()),
        // On a machine that is busy otherwise, the clock may come first.
        ("l", &["it ran for more than 200ms", "it had not ended after 400ms"]),
        ("g", &["bytes of memory"]),
        ("r", &["its stack overflowed"]),
    ] {
        for result in [
            guest.reconcile(&observed(command)).await.map(drop),
            guest.blocking().reconcile(&observed(command)).map(drop),
            guest.review(command, &context()).await.map(drop),
            guest.check_settings(command).await,
        ] {
            let Err(GuestError::Stopped(sentence)) = &result else { panic!("{command}: {result:?}") };
            assert!(why.iter().any(|why| sentence.contains(why)), "{command}: {sentence}");
        }
        assert_eq!(count(&guest, "{}").await, 1, "{command}: a fresh instance answers");
        guest.drop_idle_instances();
    }
}

#[tokio::test]
async fn instances_are_reused_until_they_have_answered_enough_calls() {
    let guest = load(Limits { calls_per_instance: 3, ..limits() });
    // The description was the first call, which does not count in the guest.
    let mut counts = Vec::new();
    for _ in 0..5 {
        counts.push(count(&guest, "{}").await);
    }
    assert_eq!(counts, [1, 2, 1, 2, 3]);
    guest.drop_idle_instances();
    assert_eq!(count(&guest, "{}").await, 1);
    assert_eq!(Limits::default().calls_per_instance, 10_000);
}

#[tokio::test]
async fn instances_whose_memory_has_grown_are_not_reused() {
    let guest = load(Limits { kept_memory: 1 << 20, ..limits() });
    assert_eq!(count(&guest, "{}").await, 1);
    assert_eq!(count(&guest, "k").await, 2);
    assert_eq!(count(&guest, "{}").await, 1);
    let larger = load(Limits { kept_memory: 12 << 20, ..limits() });
    assert_eq!((count(&larger, "k").await, count(&larger, "{}").await), (1, 2));
}

#[tokio::test]
async fn a_call_longer_than_a_turn_gives_the_same_answer() {
    let guest = load(Limits { tick: Duration::from_millis(1), ..Limits::default() });
    // Tens of turns on any machine.
    let slow = "s100000000";
    let plan = guest.reconcile(&observed(slow)).await.expect("a plan");
    assert_eq!(plan.apply, [slow]);
    assert_eq!(guest.blocking().reconcile(&observed(slow)).expect("a plan").apply, [slow]);
    assert_eq!(guest.review(slow, &context()).await, Ok(Outcome::Decided(Response::allowed(""))));
}

#[test]
fn threads_call_side_by_side() {
    let guest = load(limits());
    std::thread::scope(|scope| {
        for number in 0..4 {
            let guest = &guest;
            scope.spawn(move || {
                let primary = number.to_string();
                for _ in 0..200 {
                    let plan = guest.blocking().reconcile(&observed(&primary)).expect("a plan");
                    assert_eq!(plan.apply, [primary.as_str()]);
                }
            });
        }
    });
}

#[test]
fn a_compiled_component_is_kept_and_a_damaged_one_is_replaced() {
    let folder = tempfile::tempdir().expect("a folder");
    let cache = CompiledCache::at(folder.path());
    let bytes = component();
    let load = || Engine::new(limits()).expect("an engine").load(&bytes, &cache).expect("it loads");
    let compiled = || {
        let mut files =
            std::fs::read_dir(folder.path()).expect("readable").map(|entry| entry.expect("an entry").path());
        files
            .find(|path| path.extension().is_some_and(|extension| extension == "cwasm"))
            .expect("a compiled component")
    };
    load();
    let whole = std::fs::read(compiled()).expect("readable");
    assert_eq!(std::fs::read_dir(folder.path()).expect("readable").count(), 2, "the code and its digest");
    load();
    assert_eq!(std::fs::read(compiled()).expect("readable"), whole, "it was mapped");
    // One bit in the middle of the code, which mapping alone would not notice.
    let mut damaged = whole.clone();
    damaged[whole.len() / 2] ^= 1;
    std::fs::write(compiled(), &damaged).expect("writable");
    load();
    assert!(std::fs::read(compiled()).expect("readable") != damaged);
    std::fs::write(compiled(), b"damaged").expect("writable");
    load();
    assert!(std::fs::metadata(compiled()).expect("a file").len() > 1_000);
}

#[test]
fn an_edited_component_is_another_version() {
    let bytes = component();
    let other = edited(&bytes, "tester", "taster");
    let engine = Engine::new(limits()).expect("an engine");
    let load = |bytes: &[u8]| engine.load(bytes, &CompiledCache::none()).expect("it loads");
    assert_eq!(load(&other).describe().field_manager, "taster");
    assert_ne!(load(&other).interface().digest, load(&bytes).interface().digest);
}
