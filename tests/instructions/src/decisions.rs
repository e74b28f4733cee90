//! Decisions of the core, as native code: a reconcile and a review.

use crate::reviews;
use orascache_contract::{Context, Observed};
use serde_json::{Value, json};
use std::hint::black_box;
use std::sync::Arc;

/// Plans for a new cache, again and again.
pub fn reconcile_new(count: usize) {
    let primary = primary().to_string();
    plan_again_and_again(count, &primary, &[]);
}

/// Plans for a cache with everything that it should have, again and again.
pub fn reconcile_converged(count: usize) {
    let (mut primary, mut owned) = (primary(), Vec::new());
    // Some children come after others.
    for _ in 0..4 {
        let plan = plan(&primary.to_string(), &owned);
        for text in &plan.apply {
            let mut child: Value = serde_json::from_str(text).expect("JSON");
            child["metadata"]["uid"] = json!("u");
            child["metadata"]["resourceVersion"] = json!("123456");
            if child["kind"] == "StatefulSet" {
                child["metadata"]["generation"] = json!(1);
                child["status"] = json!({
                    "observedGeneration": 1, "replicas": 1, "readyReplicas": 1, "updatedReplicas": 1,
                    "currentReplicas": 1, "availableReplicas": 1, "currentRevision": "a", "updateRevision": "a",
                });
            }
            owned.push(Arc::from(child.to_string()));
        }
        if let Some(status) = plan.status {
            let document: Value = serde_json::from_str(&status).expect("JSON");
            primary["status"] = document["status"].clone();
        }
    }
    let primary = primary.to_string();
    assert!(plan(&primary, &owned).is_empty(), "it is converged");
    plan_again_and_again(count, &primary, &owned);
}

/// Reviews a pod that is rewritten, again and again.
pub fn review(count: usize) {
    let review = reviews::review(&reviews::pod());
    let cache = json!({
        "apiVersion": "cache.converged-computing.github.io/v1alpha1", "kind": "OrasCache",
        "metadata": {"name": crate::pods::CACHE, "namespace": crate::pods::NAMESPACE}, "spec": {},
    });
    let context: Context<String> = Context { objects: vec![cache.to_string()], ..Context::default() };
    for _ in 0..count {
        black_box(orascache_core::admission::review(black_box(&review), &context).expect("an outcome"));
    }
}

fn primary() -> Value {
    json!({
        "apiVersion": "cache.converged-computing.github.io/v1alpha1", "kind": "OrasCache",
        "metadata": {"name": "demo", "namespace": "lab", "uid": "11111111-2222-3333-4444-555555555555", "generation": 1},
        "spec": {"image": "ghcr.io/oras-project/registry:latest", "deploy": true, "replicas": 1},
    })
}

fn observed(primary: &str, owned: &[Arc<str>]) -> Observed {
    Observed { primary: primary.into(), owned: owned.to_vec(), now: 1_795_521_759, ..Observed::default() }
}

fn plan(primary: &str, owned: &[Arc<str>]) -> orascache_contract::Plan {
    orascache_core::reconcile(&observed(primary, owned)).expect("a plan")
}

fn plan_again_and_again(count: usize, primary: &str, owned: &[Arc<str>]) {
    let observed = observed(primary, owned);
    for _ in 0..count {
        black_box(orascache_core::reconcile(black_box(&observed)).expect("a plan"));
    }
}
