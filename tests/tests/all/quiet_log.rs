//! The log of an operator in a healthy cluster: watches end and begin again all day long, and
//! nobody is told. A fault is told once.

use fake_kube::{Fault, Matcher};
use orascache_operator::operator::READ_TIMEOUT;
use orascache_telemetry::testing::{CapturedLog, LogMessage};
use orascache_tests::cluster::{Cluster, PATIENCE};
use orascache_tests::fixtures::cache;
use orascache_tests::webhooks;
use serde_json::json;
use std::time::{Duration, Instant};

/// Watches of the operator, of all kinds.
fn watches() -> Matcher {
    Matcher::any().user_agent("operator").verb("watch")
}

fn until(what: &str, is_reached: impl Fn() -> bool) -> impl Future<Output = ()> {
    let deadline = Instant::now() + PATIENCE;
    async move {
        while !is_reached() {
            assert!(Instant::now() < deadline, "{what} was not reached");
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }
}

#[test]
fn a_healthy_operator_logs_no_warning_and_a_fault_is_logged_once() {
    CapturedLog::of_runtime(watches_end_and_faults_come);
}

async fn watches_end_and_faults_come(log: CapturedLog) {
    let cluster = Cluster::embedded().await;
    let operator = webhooks::operator(&cluster).await;
    cluster.apply(&cluster.caches(), cache("demo", json!({}))).await;
    cluster.until_condition("demo", "Ready", "True", "RegistryReady").await;
    let (server, requests) = (cluster.server(), cluster.server().requests());

    // The client takes a connection that is silent for longer than its read timeout for a dead one.
    for watch in requests.distinct(&watches()) {
        let ends = watch.timeout_seconds.unwrap_or(u64::MAX);
        assert!(ends < READ_TIMEOUT.as_secs(), "the API server does not end this watch in time: {watch:?}");
    }
    let open = server.faults().open_watches(&watches());
    let config_maps = watches().resource("", "configmaps");
    for kind in
        [config_maps.clone(), watches().resource("", "secrets"), watches().resource("apps", "statefulsets")]
    {
        assert!(server.faults().open_watches(&kind) > 0, "{kind:?} is not watched");
    }
    for _ in 0..3 {
        let before = requests.count(&watches());
        assert_eq!(server.faults().end_watches(&watches()), open);
        until("every watch begins again", || requests.count(&watches()) >= before + open as u64).await;
        until("every watch is open", || server.faults().open_watches(&watches()) == open).await;
    }
    // The API server forgets old changes: every watch begins again with a list.
    let before = requests.count(&watches());
    server.faults().expire_history();
    until("every watch begins again", || requests.count(&watches()) >= before + open as u64).await;
    until("every watch is open", || server.faults().open_watches(&watches()) == open).await;
    // What changes after that is seen.
    cluster.edit(&cluster.caches(), "demo", json!({"spec": {"image": "registry:3"}})).await;
    cluster.until_condition("demo", "Ready", "True", "RegistryReady").await;
    assert_eq!(log.warnings(), [""; 0]);

    // The settings cannot be watched for a while: the watch is cut, and three attempts are refused.
    // The client repeats requests that are answered with 503 by itself.
    let refused = Fault::Answer { code: 500, retry_after: None };
    let fault = server.faults().inject(config_maps.clone(), refused.clone(), 3);
    assert_eq!(server.faults().drop_watches(&config_maps), 1);
    until("the fault is over", || {
        server.faults().remaining(fault) == 0 && server.faults().open_watches(&config_maps) == 1
    })
    .await;
    // The same with the Lease.
    let leases = Matcher::any().user_agent("operator").resource("coordination.k8s.io", "leases");
    let fault = server.faults().inject(leases, refused, 2);
    until("the fault is over", || server.faults().remaining(fault) == 0).await;
    let is_over = |message: &LogMessage| message.text.contains("requests for the Lease are answered again");
    until("the Lease is renewed", || log.messages().iter().any(is_over)).await;
    let ours: Vec<LogMessage> = log
        .messages()
        .into_iter()
        .filter(|message| message.is_warning() && message.target.starts_with("orascache"))
        .collect();
    assert_eq!(ours.len(), 2, "{ours:?}");
    assert!(ours[0].text.contains("changes of the settings are not noticed"), "{ours:?}");
    assert!(ours[1].text.contains("the Lease cannot be renewed just now"), "{ours:?}");
    operator.shutdown().await;
    cluster.finish().await;
}
