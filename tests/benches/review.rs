//! What one review costs: the same Rust natively, and through the component.

#![allow(missing_docs, reason = "criterion's macros make undocumented items")]

use criterion::{Criterion, criterion_group, criterion_main};
use futures::executor::block_on;
use orascache_contract::Context;
use orascache_core::admission;
use orascache_core::admission::largest_reviews;
use orascache_operator::EMBEDDED;
use orascache_runtime::Guest;
use orascache_tests::cluster::guest;
use orascache_tests::{pods, reviews};
use serde_json::Value;
use std::hint::black_box;
use std::time::Duration;

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

/// The largest objects that etcd takes. A review of each has to stay under 20 ms: a call that lasts
/// longer is slow, and goes on in turns.
fn largest(criterion: &mut Criterion) {
    let guest = subject();
    let mut group = criterion.benchmark_group("review of the largest object with many");
    group.sample_size(10).warm_up_time(Duration::from_millis(200)).measurement_time(Duration::from_secs(1));
    let reviewed =
        largest_reviews::largest_reviewed().map(|(place, review)| (format!("{place}, reviewed"), review));
    let largest = largest_reviews::largest().map(|(place, review)| (place.to_owned(), review));
    for (place, review) in largest.chain(reviewed) {
        let objects = vec![largest_reviews::CACHE.into()];
        let context: Context = Context { objects, complete: true, ..Context::default() };
        group.bench_function(place, |bencher| {
            bencher.iter(|| block_on(guest.review(black_box(&review), &context)).expect("an outcome"));
        });
    }
    group.finish();
}

criterion_group!(benches, review, largest);
criterion_main!(benches);
