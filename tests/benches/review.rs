//! What one review costs: the same Rust natively, and through the component.

#![allow(missing_docs, reason = "criterion's macros make undocumented items")]

use criterion::{Criterion, criterion_group, criterion_main};
use futures::executor::block_on;
use orascache_contract::Context;
use orascache_core::admission;
use orascache_operator::EMBEDDED;
use orascache_runtime::Guest;
use orascache_tests::cluster::guest;
use orascache_tests::{pods, reviews};
use serde_json::Value;
use std::hint::black_box;

/// The embedded component, or the one that `ORASCACHE_BENCH_COMPONENT` names, to compare two.
fn subject() -> Guest {
    match std::env::var_os("ORASCACHE_BENCH_COMPONENT") {
        Some(path) => guest(&std::fs::read(path).expect("a component")),
        None => guest(EMBEDDED),
    }
}

fn review(criterion: &mut Criterion) {
    let guest = subject();
    let asking = reviews::pod();
    let mut bystander = asking.clone();
    bystander["metadata"]["annotations"] = Value::Null;
    let reviews = [
        ("a pod that is rewritten", reviews::review(&asking)),
        ("a bystander", reviews::review(&bystander)),
        ("an update of a Job with as many annotations as fit", reviews::update_of_annotated_job(6_800)),
    ];
    for (name, review) in reviews {
        let caches = [pods::cache()];
        let mut group = criterion.benchmark_group(format!("review of {name}, {} bytes", review.len()));
        group.bench_function("native", |bencher| {
            let context: Context<String> = Context { objects: caches.to_vec(), ..Context::default() };
            bencher.iter(|| admission::review(black_box(&review), &context).expect("an outcome"));
        });
        group.bench_function("component", |bencher| {
            let context: Context = Context {
                objects: caches.iter().map(|text| text.as_str().into()).collect(),
                ..Context::default()
            };
            bencher.iter(|| block_on(guest.review(black_box(&review), &context)).expect("an outcome"));
        });
        group.finish();
    }
}

criterion_group!(benches, review);
criterion_main!(benches);
