//! What one reconcile costs: the same Rust natively and through the component, and the boundary by
//! itself.

#![allow(missing_docs, reason = "criterion's macros make undocumented items")]

use criterion::{Criterion, criterion_group, criterion_main};
use futures::executor::block_on;
use orascache_contract::{Observed, Plan};
use orascache_operator::EMBEDDED;
use orascache_runtime::record::{self, Recorder};
use orascache_runtime::{ActiveVersion, Guest, Version};
use orascache_tests::cluster::guest;
use prometheus_client::registry::Registry;
use serde_json::{Value, json};
use std::hint::black_box;
use std::sync::Arc;

/// A cache with everything set, its children and its status: what a converged reconcile sees.
struct Input {
    primary: String,
    owned: Vec<String>,
    related: Vec<String>,
}

fn observed(primary: &str, owned: &[String], related: &[String]) -> Observed {
    Observed {
        primary: primary.into(),
        owned: owned.iter().map(|text| Arc::from(text.as_str())).collect(),
        related: related.iter().map(|text| Arc::from(text.as_str())).collect(),
        now: 1_795_521_759,
        ..Observed::default()
    }
}

fn plan(observed: &Observed) -> Plan {
    orascache_core::reconcile(observed).expect("a plan")
}

fn converged() -> Input {
    let mut primary = json!({
        "apiVersion": "cache.converged-computing.github.io/v1alpha1", "kind": "OrasCache",
        "metadata": {"name": "demo", "namespace": "lab", "uid": "11111111-2222-3333-4444-555555555555", "generation": 1},
        "spec": {"image": "ghcr.io/oras-project/registry:latest", "deploy": true, "replicas": 3,
            "secrets": {"orasEnv": "oras-env"},
            "storage": {"size": "20Gi", "accessModes": ["ReadWriteMany"]},
            "resources": {"requests": {"cpu": "500m", "memory": "1Gi"}, "limits": {"memory": "2Gi"}},
            "nodeSelector": {"disk": "ssd"},
            "tolerations": [{"key": "dedicated", "operator": "Equal", "value": "cache", "effect": "NoSchedule"}]},
    });
    let secret = |name: &str| {
        json!({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": name, "namespace": "lab", "uid": name}}).to_string()
    };
    let related = vec![secret("oras-env"), secret("pull"), secret("other")];
    let mut owned: Vec<String> = Vec::new();
    for _ in 0..4 {
        let plan = plan(&observed(&primary.to_string(), &owned, &related));
        let mut children: Vec<Value> = plan.generate.iter().map(|g| g.secret.as_str()).chain(plan.apply.iter().map(String::as_str)).map(|text| {
            let mut object: Value = serde_json::from_str(text).expect("JSON");
            object["metadata"]["uid"] = "u".into();
            object["metadata"]["resourceVersion"] = "123456".into();
            object["metadata"]["creationTimestamp"] = "2026-11-24T12:00:00Z".into();
            object["metadata"]["generation"] = 1.into();
            if object["kind"] == "StatefulSet" {
                let replicas = object["spec"]["replicas"].clone();
                object["status"] = json!({"observedGeneration": 1, "replicas": replicas, "readyReplicas": replicas,
                    "updatedReplicas": replicas, "currentReplicas": replicas, "availableReplicas": replicas,
                    "currentRevision": "demo-bcdfghjklm", "updateRevision": "demo-bcdfghjklm", "collisionCount": 0});
            }
            object
        }).collect();
        owned.extend(children.drain(..).map(|child| child.to_string()));
        if let Some(status) = plan.status {
            let document: Value = serde_json::from_str(&status).expect("JSON");
            primary["status"] = document["status"].clone();
        }
    }
    let primary = primary.to_string();
    let plan = plan(&observed(&primary, &owned, &related));
    assert!(plan.is_empty(), "not converged: {plan:?}");
    Input { primary, owned, related }
}

/// The embedded component, or the one that `ORASCACHE_BENCH_COMPONENT` names, to compare two.
fn subject() -> Guest {
    match std::env::var_os("ORASCACHE_BENCH_COMPONENT") {
        Some(path) => guest(&std::fs::read(path).expect("a component")),
        None => guest(EMBEDDED),
    }
}

fn reconcile(criterion: &mut Criterion) {
    let guest = Arc::new(subject());
    let converged = converged();
    let bare = Input { owned: Vec::new(), related: Vec::new(), primary: converged.primary.clone() };
    for (name, input) in [("converged", &converged), ("from nothing", &bare)] {
        let observed = observed(&input.primary, &input.owned, &input.related);
        let mut group = criterion.benchmark_group(format!("reconcile {name}"));
        group.bench_function("native", |bencher| {
            bencher.iter(|| plan(black_box(&observed)));
        });
        group.bench_function("component", |bencher| {
            bencher.iter(|| block_on(guest.reconcile(black_box(&observed))).expect("a plan"));
        });
        // The running operator adds a version that can be replaced, and records.
        let active = ActiveVersion::new(Arc::new(Version::trusted(guest.clone(), None)));
        group.bench_function("active version", |bencher| {
            bencher.iter(|| block_on(active.load_full().reconcile(black_box(&observed))).expect("a plan"));
        });
        let folder = tempfile::tempdir().expect("a folder");
        let options = record::Options::new(folder.path().join("records"));
        let recorder = Recorder::start(options, &mut Registry::default()).expect("recording starts");
        active.store(Arc::new(Version::trusted(guest.clone(), Some(Arc::new(recorder)))));
        group.bench_function("active version, recorded", |bencher| {
            bencher.iter(|| block_on(active.load_full().reconcile(black_box(&observed))).expect("a plan"));
        });
        group.finish();
    }
}

fn boundary(criterion: &mut Criterion) {
    let guest = subject();
    // Refused at the first byte, so that only the way in and out is measured.
    let refused = |bytes: usize| Observed { primary: "x".repeat(bytes).into(), ..Observed::default() };
    let mut group = criterion.benchmark_group("boundary");
    for bytes in [1, 5_000] {
        let observed = refused(bytes);
        group.bench_function(format!("{bytes} bytes in, an error out"), |bencher| {
            bencher.iter(|| block_on(guest.reconcile(black_box(&observed))).expect_err("refused"));
        });
    }
    group.finish();
}

criterion_group!(benches, reconcile, boundary);
criterion_main!(benches);
