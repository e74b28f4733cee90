//! How much the cache holds in memory.

use super::{all, cache_for, texts};
use crate::cache::{Cache, Source};
use crate::decoded::Decoded;
use crate::object::Key;
use crate::roles::Roles;
use crate::testing::{description, object};
use orascache_contract::{Kind, WatchedKind};
use serde_json::{Value, json};
use std::sync::Arc;
/// How many objects with long annotations there are in a namespace.
const CROWD: usize = 400;
/// Length of the annotations of each; the API server takes 256 KiB.
const ANNOTATION_BYTES: usize = 250_000;
/// What the cache may hold of each object that no primary controls, beside what the guest reads.
const IDENTITY_BYTES: usize = 512;

#[test]
fn security_long_annotations_of_others_are_not_held_in_memory() {
    let secret = || Kind::namespaced("v1", "Secret", "secrets");
    let service = || Kind::namespaced("v1", "Service", "services");
    // As with OrasCaches: Secrets are owned and read, Services are owned only.
    let mut described = description(&[], &[]);
    described.owned = vec![WatchedKind::whole(secret()), WatchedKind::whole(service())];
    described.related = vec![WatchedKind::reduced(secret(), &[])];
    let cache = cache_for(&described);
    let long = "x".repeat(ANNOTATION_BYTES);
    for kind in [1, 2] {
        for number in 0..CROWD {
            let object = json!({"metadata": {
                "name": format!("s{number}"), "namespace": "n", "uid": format!("{kind}-{number}"),
                "resourceVersion": "1", "annotations": {"a": long},
            }});
            let decoded: Decoded = serde_json::from_value(object).expect("any JSON");
            cache.store(kind, cache.decode(kind, decoded).expect("it has an identity"), Source::Watch);
        }
    }
    let held = cache.bytes_held();
    assert!(held > 0 && held < 2 * CROWD * IDENTITY_BYTES, "{held} bytes");
    cache.store(0, object("p", "P", 10, None), Source::Watch);
    let roles = Roles::of(&described, cache.watches()).expect("roles");
    let shown = texts(&cache, &Key::new("n", "p"), &roles);
    assert_eq!((shown.related.len(), shown.omitted), (CROWD, vec![]));
}

/// A Service of namespace `n`, as an API server has it.
fn service(number: usize, revision: u64) -> Value {
    json!({
        "apiVersion": "v1", "kind": "Service",
        "metadata": {
            "name": format!("cache-{number}"), "namespace": "n", "uid": format!("{number:0>8}-1111-2222-3333"),
            "resourceVersion": revision.to_string(), "creationTimestamp": "2026-11-30T12:00:00Z",
            "labels": {
                "app.kubernetes.io/component": "registry", "app.kubernetes.io/instance": format!("cache-{number}"),
                "app.kubernetes.io/managed-by": "orascache", "app.kubernetes.io/name": "orascache",
            },
            "ownerReferences": [{
                "apiVersion": "v1", "kind": "P", "name": "p", "uid": "P", "controller": true,
                "blockOwnerDeletion": true,
            }],
        },
        "spec": {
            "clusterIP": format!("10.0.{}.{}", number / 250, number % 250), "type": "ClusterIP",
            "ports": [{"name": "http", "port": 5000, "protocol": "TCP", "targetPort": 5000}],
            "selector": {"app.kubernetes.io/instance": format!("cache-{number}")},
            "sessionAffinity": "None", "ipFamilies": ["IPv4"], "ipFamilyPolicy": "SingleStack",
        },
        "status": {"loadBalancer": {}},
    })
}

/// A cache of Services that `P` controls.
fn of_services() -> (Cache, Roles) {
    let mut described = description(&[], &[]);
    described.owned = vec![WatchedKind::whole(Kind::namespaced("v1", "Service", "services"))];
    let cache = cache_for(&described);
    cache.store(0, object("p", "P", 10, None), Source::Watch);
    let roles = Roles::of(&described, cache.watches()).expect("roles");
    (cache, roles)
}

/// A state as the watch reports it. Returns whether the cache had it.
fn report(cache: &Cache, state: &Value) -> bool {
    let decoded: Decoded = serde_json::from_value(state.clone()).expect("any JSON");
    let is_known = cache.confirm(1, &decoded).is_some();
    if !is_known {
        cache.store(1, cache.decode(1, decoded).expect("it has an identity"), Source::Watch);
    }
    is_known
}

#[test]
fn objects_that_are_alike_take_little_memory_and_are_shown_as_they_are() {
    let ((cache, roles), count) = (of_services(), 1_000);
    for number in 0..count {
        report(&cache, &service(number, 100_000));
        report(&cache, &service(number, 200_000 + number as u64));
    }
    let text = service(0, 200_000).to_string().len();
    let held = cache.bytes_held() / count;
    assert!(held < text / 5, "{held} bytes instead of {text}");
    let shown = texts(&cache, &Key::new("n", "p"), &roles).owned;
    assert_eq!(shown.len(), count);
    let expected: Vec<Value> = (0..count).map(|number| service(number, 200_000 + number as u64)).collect();
    for text in &shown {
        let object: Value = serde_json::from_str(text).expect("JSON");
        assert!(expected.contains(&object), "{object}");
    }
}

#[test]
fn a_relist_makes_nothing_anew_of_objects_that_did_not_change() {
    let (cache, _) = of_services();
    let get = |number: usize| cache.get(1, &Key::new("n", &format!("cache-{number}"))).expect("a Service");
    for number in 0..10 {
        report(&cache, &service(number, 20));
    }
    let before: Vec<_> = (0..10).map(get).collect();
    cache.begin_relist(&all(1));
    assert!((0..9).all(|number| report(&cache, &service(number, 20))));
    assert!(!report(&cache, &service(9, 30)));
    assert_eq!(cache.end_relist(&all(1)), []);
    assert!((0..9).all(|number| Arc::ptr_eq(&before[number], &get(number))));
    assert_eq!(&*get(9).resource_version, "30");
}

#[test]
fn only_the_very_state_that_the_cache_has_is_confirmed() {
    let (cache, p) = (of_services().0, Key::new("n", "p"));
    let confirms = |state: &Value| {
        let decoded: Decoded = serde_json::from_value(state.clone()).expect("any JSON");
        cache.confirm(1, &decoded)
    };
    let known = service(1, 20);
    assert_eq!(confirms(&known), None, "nothing is known yet");
    report(&cache, &known);
    assert_eq!(confirms(&known), Some(vec![]));
    cache.await_change(1, Key::new("n", "cache-1"), &p);
    assert_eq!(confirms(&known), Some(vec![p]), "a primary waits for a report");
    assert_eq!(confirms(&known), Some(vec![]));
    assert_eq!(confirms(&service(1, 21)), None);
    let mut of_before = known.clone();
    of_before["metadata"]["uid"] = json!("another");
    assert_eq!(confirms(&of_before), None);
    cache.mark_deleted(known["metadata"]["uid"].as_str().expect("a UID"));
    assert_eq!(confirms(&known), None, "we deleted it");
}
