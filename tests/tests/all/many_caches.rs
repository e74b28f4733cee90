//! Reviews in a namespace with many caches.

use crate::admission::{create, is_injected, pod, pods};
use orascache_contract::Outcome;
use orascache_runtime::record;
use orascache_tests::cluster::Cluster;
use orascache_tests::fixtures::cache;
use orascache_tests::webhooks;
use serde_json::json;

/// The second call of the component is what a namespace with many caches would cost.
#[tokio::test(flavor = "multi_thread")]
async fn a_step_among_many_caches_is_decided_by_one_call() {
    let cluster = Cluster::start().await;
    for number in 0..20 {
        cluster.apply(&cluster.caches(), cache(&format!("cache-{number}"), json!({"deploy": false}))).await;
    }
    let folder = tempfile::tempdir().expect("a folder");
    let directory = folder.path().join("records");
    let recorded = record::Options::new(&directory);
    let operator = webhooks::operator_with(&cluster, |options| options.record = Some(recorded)).await;
    let step = [("oras-cache", "cache-17"), ("registry", "ghcr.io"), ("input-uri", "flow/words:1")];
    let created = create(&pods(&cluster), pod("step", &step)).await.expect("admitted");
    assert!(is_injected(&created), "{created:#}");
    operator.shutdown().await;

    let records = record::records(&directory).expect("readable").map(|entry| entry.content.expect("whole"));
    let reviews = records.filter_map(|record| match record.decision {
        record::Decision::Review { review, context, output } if review.contains("cache-17") => {
            Some((context, output))
        }
        _ => None,
    });
    let reviews: Vec<_> = reviews.collect();
    assert!(!reviews.is_empty(), "the step was reviewed");
    for (context, output) in reviews {
        assert_eq!(context.objects.len(), 1, "it comes with the cache that the step names");
        assert!(matches!(output, Ok(Outcome::Decided(_))), "{output:?}");
    }
    cluster.finish().await;
}
