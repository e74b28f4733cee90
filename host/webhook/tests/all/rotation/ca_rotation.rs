//! A CA is replaced. Every certificate that is served meanwhile must be trusted.

use super::fixture::*;
use crate::common::until;
use fake_kube::{Fault, Matcher};
use k8s_openapi::api::core::v1::ConfigMap;
use kube::Api;
use kube::api::PostParams;
use orascache_webhook::RotationPolicy;
use serde_json::json;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

#[tokio::test]
async fn a_ca_is_replaced_in_phases() {
    let (_api, client) = api().await;
    configure_mutating(&client, &["a.example.com"]).await;
    let clock = TestClock::default();
    let with = || {
        let mut options = options(&clock);
        options.policy = RotationPolicy {
            authority: Duration::from_secs(90 * DAY as u64),
            leaf: Duration::from_secs(9 * DAY as u64),
            ..RotationPolicy::default()
        };
        options
    };
    let (_one, _managed) = replica(&client, with()).await;
    let (_other, _also_managed) = replica(&client, with()).await;
    let first = data(&client).await;
    until("the CA bundle is written", async || has_ca_bundle(&client, &first["ca.crt"]).await).await;

    clock.advance(7 * DAY);
    until("the certificate is renewed", async || data(&client).await["tls.crt"] != first["tls.crt"]).await;
    assert_eq!(data(&client).await["ca.crt"], first["ca.crt"]);

    clock.advance(53 * DAY + 3600);
    until("a second CA is in the bundle", async || {
        let bundle = data(&client).await["ca.crt"].clone();
        roots(&bundle).len() == 2 && has_ca_bundle(&client, &bundle).await
    })
    .await;
    let both = data(&client).await;
    assert!(roots(&both["ca.crt"]).contains(&roots(&first["ca.crt"])[0]));
    assert_eq!(both["ca.key"], first["ca.key"], "the first CA still signs");
    assert!(both.contains_key("next-ca.key"));

    clock.advance(61);
    until("the second CA signs", async || data(&client).await.get("ca.key") == both.get("next-ca.key")).await;
    let switched = data(&client).await;
    assert_ne!(switched["tls.crt"], both["tls.crt"]);
    assert_eq!(switched["ca.crt"], both["ca.crt"], "the first CA is still trusted");
    assert_eq!(switched["former.crt"], both["tls.crt"]);
    assert!(!switched.contains_key("next-ca.key"));

    clock.advance(9 * DAY);
    until("the first CA has left the bundle", async || {
        let bundle = data(&client).await["ca.crt"].clone();
        roots(&bundle).len() == 1 && has_ca_bundle(&client, &bundle).await
    })
    .await;
    let last = data(&client).await;
    assert_ne!(last["ca.crt"], first["ca.crt"]);
    assert!(!last.contains_key("former.crt"));
}

#[tokio::test]
async fn a_ca_whose_bundle_cannot_be_written_does_not_sign() {
    let (api, client) = api().await;
    configure_mutating(&client, &["a.example.com"]).await;
    let clock = TestClock::default();
    let (resolver, _manager) = replica(&client, options(&clock)).await;
    let server = serve(&resolver).await;
    let first = data(&client).await;
    until("the CA bundle is written", async || has_ca_bundle(&client, &first["ca.crt"]).await).await;
    let group = "admissionregistration.k8s.io";
    let refused = Fault::Answer { code: 403, retry_after: None };
    let patches = Matcher::any().verb("patch").resource(group, "mutatingwebhookconfigurations");
    let fault = api.faults().inject(patches, refused, 1_000_000);
    edit(&client, "ca.key", None).await;
    until("there is a next CA", async || data(&client).await.contains_key("next-ca.key")).await;
    clock.advance(DAY);
    let tried = api.faults().remaining(fault);
    until("writes were tried", async || api.faults().remaining(fault) + 5 < tried).await;
    let waiting = data(&client).await;
    assert_eq!(waiting["tls.crt"], first["tls.crt"]);
    assert!(is_trusted(&server, &ca_bundles(&client).await[0]).await);
    api.faults().clear();
    until("the CA bundle is written", async || has_ca_bundle(&client, &waiting["ca.crt"]).await).await;
    clock.advance(61);
    until("the next CA signs", async || data(&client).await.get("ca.key") == waiting.get("next-ca.key"))
        .await;
}

/// The API server calls the webhooks of two replicas while their CA is replaced. `failurePolicy` is
/// `Fail`, so that a request without a review is refused.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_request_fails_while_the_ca_is_replaced() {
    let (api, client) = api().await;
    configure_mutating(&client, &["a.example.com"]).await;
    let mut with = options(&TestClock::default());
    with.policy.settle = Duration::from_millis(300);
    let (one, _one) = replica(&client, with.clone()).await;
    let (other, _other) = replica(&client, with).await;
    let servers = [serve(&one).await, serve(&other).await];
    let first = data(&client).await;
    until("the CA bundle is written", async || has_ca_bundle(&client, &first["ca.crt"]).await).await;
    api.route_service(NAMESPACE, NAME, 443, servers[0].local_addr());

    let done = Arc::new(AtomicBool::new(false));
    let created = Arc::new(AtomicUsize::new(0));
    let load: Vec<_> = (0..3)
        .map(|worker| {
            let (done, created) = (done.clone(), created.clone());
            let maps: Api<ConfigMap> = Api::namespaced(client.clone(), NAMESPACE);
            tokio::spawn(async move {
                let mut number = 0;
                while !done.load(Ordering::SeqCst) {
                    number += 1;
                    let map: ConfigMap = serde_json::from_value(
                        json!({"metadata": {"name": format!("map-{worker}-{number}")}}),
                    )
                    .unwrap();
                    maps.create(&PostParams::default(), &map).await.expect("a request failed");
                    created.fetch_add(1, Ordering::SeqCst);
                }
            })
        })
        .collect();
    let mut turn = 0;
    for _ in 0..2 {
        // Requests go to both replicas in turn.
        let before = data(&client).await;
        // A CA without its key is replaced.
        edit(&client, "ca.key", None).await;
        until("the next CA signs", async || {
            turn += 1;
            api.route_service(NAMESPACE, NAME, 443, servers[turn % 2].local_addr());
            let now = data(&client).await;
            now["tls.crt"] != before["tls.crt"] && now.contains_key("ca.key")
        })
        .await;
        let so_far = created.load(Ordering::SeqCst);
        until("requests go on", async || created.load(Ordering::SeqCst) > so_far + 20).await;
    }
    done.store(true, Ordering::SeqCst);
    for task in load {
        task.await.unwrap();
    }
    assert!(!is_trusted(&servers[0], &first["ca.crt"]).await, "the CA was not replaced");
}
