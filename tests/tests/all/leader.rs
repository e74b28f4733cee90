//! Leader election: one replica leads at a time, another one takes over after a release, and a
//! leader stops when the Lease API fails.

use fake_kube::{Fault, Matcher};
use k8s_openapi::api::coordination::v1::Lease;
use kube::Api;
use orascache_controller::MayWrite;
use orascache_operator::leader::Leadership;
use orascache_tests::cluster::{Cluster, PATIENCE};
use std::time::{Duration, Instant};
use tokio::sync::watch;

type Claim = watch::Receiver<MayWrite>;

fn leads(claim: &Claim) -> bool {
    claim.borrow().is_in_force()
}

async fn until_leading(claim: &Claim) {
    let mut claim = claim.clone();
    let leading = claim.wait_for(|claim| claim.is_in_force());
    tokio::time::timeout(PATIENCE, leading).await.expect("in time").expect("an election");
}

/// Waits until the holder has renewed the Lease that often. Every other replica asks for the Lease as
/// often as the holder renews it.
async fn renewals(cluster: &Cluster, count: usize) {
    let leases: Api<Lease> = Api::namespaced(cluster.client(), &cluster.namespace);
    let renewed = async || {
        let list = leases.list(&Default::default()).await.expect("a list");
        list.items.into_iter().find_map(|lease| lease.spec?.renew_time)
    };
    let deadline = Instant::now() + PATIENCE;
    let mut last = renewed().await;
    let mut seen = 0;
    while seen < count {
        assert!(Instant::now() < deadline, "the Lease is not renewed");
        tokio::time::sleep(Duration::from_millis(50)).await;
        let now = renewed().await;
        seen += usize::from(now != last);
        last = now;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn one_replica_leads_at_a_time_and_another_takes_over_after_a_release() {
    let cluster = Cluster::start().await;
    let first = Leadership::start(cluster.client(), &cluster.namespace, "first");
    let first_claim = first.claim();
    until_leading(&first_claim).await;
    let second = Leadership::start(cluster.client(), &cluster.namespace, "second");
    let second_claim = second.claim();
    renewals(&cluster, 2).await;
    assert!(leads(&first_claim) && !leads(&second_claim), "only one leads");
    first.release().await;
    assert!(!leads(&first_claim));
    until_leading(&second_claim).await;
    second.release().await;
    cluster.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_leader_stops_before_its_lease_expires() {
    let cluster = Cluster::embedded().await;
    let leadership = Leadership::start(cluster.client(), &cluster.namespace, "first");
    let claim = leadership.claim();
    until_leading(&claim).await;
    let leases = Matcher::any().resource("coordination.k8s.io", "leases");
    cluster.server().faults().inject(leases, Fault::Answer { code: 503, retry_after: None }, usize::MAX);
    // The claim ends by itself, and that end comes before another replica may take the Lease.
    let MayWrite::Until(end) = *claim.borrow() else { panic!("a leader's claim ends by itself") };
    assert!(end <= Instant::now() + Duration::from_secs(10), "others may take the Lease after 15 s");
    let why = tokio::time::timeout(PATIENCE, leadership.lost()).await.expect("the loss is reported");
    assert!(!leads(&claim), "the claim has ended when the loss is reported");
    assert!(why.contains("Lease was lost"), "{why}");
    cluster.finish().await;
}
