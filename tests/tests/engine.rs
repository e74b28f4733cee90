//! The engine: which components it refuses to load, which calls it stops, and that a stopped call
//! does not affect other calls.

use orascache_controller::contract::{DecideError, Observed, Reconciler};
use orascache_operator::engine::{CompiledCache, EMBEDDED, Engine, Guest, Limits, LoadError};
use orascache_tests::GREETER;
use serde_json::json;
use std::time::Duration;

fn engine() -> Engine {
    let limits = Limits {
        call: Duration::from_millis(300),
        tick: Duration::from_millis(50),
        memory: 16 << 20,
        instances: 4,
        ..Limits::default()
    };
    Engine::new(limits).expect("an engine")
}

fn load(bytes: &[u8]) -> Result<Guest, LoadError> {
    engine().load(bytes, &CompiledCache::none())
}

fn refusal(text: &str) -> String {
    let bytes = wat::parse_str(text).expect("valid text");
    load(&bytes).err().expect("a refusal").to_string()
}

fn greeting(misbehave: &str) -> Observed {
    let primary = json!({
        "apiVersion": "lab.example.com/v1", "kind": "Greeting",
        "metadata": {"name": "g", "namespace": "n", "uid": "u", "generation": 1},
        "spec": {"text": "hi", "misbehave": misbehave},
    });
    Observed {
        primary: primary.to_string().into(),
        owned: Vec::new(),
        related: Vec::new(),
        failures: Vec::new(),
        now: 0,
    }
}

#[test]
fn the_embedded_component_imports_nothing_and_is_small() {
    let guest = load(EMBEDDED).expect("it loads");
    let interface = guest.interface();
    assert_eq!(interface.imports, Vec::<String>::new());
    assert_eq!(interface.wit, "orascache:operator@0.2.0");
    assert!(interface.size < 300_000, "{} bytes", interface.size);
    assert_eq!(guest.describe().primary.kind, "OrasCache");
}

#[test]
fn a_component_with_imports_is_refused() {
    let sentence =
        refusal(r#"(component (import "wasi:clocks/wall-clock@0.2.0" (instance (export "now" (func)))))"#);
    assert!(sentence.contains("imports wasi:clocks/wall-clock@0.2.0"), "{sentence}");
}

#[test]
fn another_wit_version_is_refused() {
    let sentence =
        refusal(r#"(component (instance $i) (export "orascache:operator/reconciler@0.1.0" (instance $i)))"#);
    assert!(sentence.contains("@0.1.0") && sentence.contains("@0.2"), "{sentence}");
}

#[test]
fn other_worlds_core_modules_and_garbage_are_refused() {
    assert!(refusal("(component)").contains("exports nothing"));
    assert!(refusal("(module)").contains("core WebAssembly module"));
    assert!(matches!(load(b"garbage"), Err(LoadError::Invalid(_))));
    assert!(matches!(load(&EMBEDDED[..EMBEDDED.len() / 2]), Err(LoadError::Invalid(_))));
    let sentence =
        refusal(r#"(component (instance $i) (export "orascache:operator/reconciler@0.2.0" (instance $i)))"#);
    assert!(sentence.contains("do not match the WIT package"), "{sentence}");
}

#[test]
fn a_misbehaving_guest_is_stopped_and_the_next_call_works() {
    let guest = load(GREETER).expect("it loads");
    for (how, why) in [
        ("panic", "panicked"),
        ("loop", "ran for more than"),
        ("allocate", "bytes of memory"),
        ("recurse", "stack overflowed"),
    ] {
        match guest.reconcile(&greeting(how)) {
            Err(DecideError::Stopped(sentence)) => assert!(sentence.contains(why), "{how}: {sentence}"),
            other => panic!("{how}: {other:?}"),
        }
        let plan = guest.reconcile(&greeting("")).expect("a fresh instance");
        assert_eq!(plan.apply.len(), 1);
    }
}

#[test]
fn concurrent_calls_give_the_same_plan() {
    let guest = load(EMBEDDED).expect("it loads");
    let observed = Observed {
        primary: json!({
            "apiVersion": "cache.converged-computing.github.io/v1alpha1", "kind": "OrasCache",
            "metadata": {"name": "a", "namespace": "n", "uid": "u", "generation": 1}, "spec": {},
        })
        .to_string()
        .into(),
        ..greeting("")
    };
    let first = guest.reconcile(&observed).expect("a plan");
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                for _ in 0..200 {
                    assert_eq!(guest.reconcile(&observed).expect("a plan"), first);
                }
            });
        }
    });
}

#[test]
fn a_compiled_component_is_kept_and_a_damaged_one_is_compiled_again() {
    let folder = tempfile::tempdir().expect("a folder");
    let cache = CompiledCache::at(folder.path());
    let compiled = || {
        let mut files =
            std::fs::read_dir(folder.path()).expect("readable").map(|entry| entry.expect("an entry").path());
        files
            .find(|path| path.extension().is_some_and(|extension| extension == "cwasm"))
            .expect("a compiled component")
    };
    engine().load(EMBEDDED, &cache).expect("compiled");
    let whole = std::fs::read(compiled()).expect("readable");
    assert_eq!(std::fs::read_dir(folder.path()).expect("readable").count(), 2, "code and digest");
    engine().load(EMBEDDED, &cache).expect("mapped");
    // One flipped bit in the code, which only the digest shows: such a file can be mapped.
    let mut damaged = whole.clone();
    damaged[whole.len() / 2] ^= 1;
    std::fs::write(compiled(), &damaged).expect("writable");
    engine().load(EMBEDDED, &cache).expect("compiled again");
    assert!(std::fs::read(compiled()).expect("readable") != damaged);
    std::fs::write(compiled(), b"damaged").expect("writable");
    engine().load(EMBEDDED, &cache).expect("compiled again");
    assert!(std::fs::metadata(compiled()).expect("a file").len() > 1_000);
}
