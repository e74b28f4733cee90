//! Leader election: one at a time, handed over on release, gone when the Lease API is.

use fake_kube::{Fault, Matcher};
use orascache_operator::leader::Leadership;
use orascache_tests::cluster::{Cluster, PATIENCE};
use std::time::{Duration, Instant};

async fn until(what: &str, holds: impl Fn() -> bool) {
    let deadline = Instant::now() + PATIENCE;
    while !holds() {
        assert!(Instant::now() < deadline, "{what}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn one_leads_and_hands_over() {
    let cluster = Cluster::start().await;
    let first = Leadership::start(cluster.client(), &cluster.namespace, "first");
    let leads = first.claim();
    until("the first leads", &leads).await;
    let second = Leadership::start(cluster.client(), &cluster.namespace, "second");
    let waits = second.claim();
    // Longer than one attempt of the second.
    tokio::time::sleep(Duration::from_millis(2_500)).await;
    assert!(leads() && !waits(), "only one leads");
    first.release().await;
    assert!(!leads());
    until("the second takes over", &waits).await;
    second.release().await;
    cluster.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_leader_stops_before_its_claim_expires() {
    let cluster = Cluster::embedded().await;
    let leadership = Leadership::start(cluster.client(), &cluster.namespace, "first");
    let leads = leadership.claim();
    until("it leads", &leads).await;
    let leases = Matcher::any().resource("coordination.k8s.io", "leases");
    cluster.server().faults().inject(leases, Fault::Answer { code: 503, retry_after: None }, usize::MAX);
    let since = Instant::now();
    until("it stops", || !leads()).await;
    assert!(since.elapsed() < Duration::from_secs(15), "others may take the lease after 15 s");
    let why = tokio::time::timeout(PATIENCE, leadership.lost()).await.expect("it says so");
    assert!(why.contains("lease was lost"), "{why}");
    cluster.finish().await;
}
