//! What a switch makes of the primaries: each is reconciled once.

use super::running::until;
use futures::future::BoxFuture;
use orascache_contract::{Description, GuestError, Kind, Observed, Plan, WatchedKind};
use orascache_controller::{Backoff, Controller, Reconciler};
use orascache_tests::cluster::{Cluster, PATIENCE, install_crd};
use orascache_tests::fixtures::{greeting, greeting_crd};
use prometheus_client::registry::Registry;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

/// Plans nothing, and counts the calls about each primary.
struct Counting {
    description: Description,
    seen: Mutex<BTreeMap<String, u32>>,
}

impl Counting {
    fn new() -> Arc<Self> {
        let description = Description {
            owned: vec![WatchedKind::whole(Kind::namespaced("v1", "ConfigMap", "configmaps"))],
            ..Description::new(Kind::namespaced("lab.example.com/v1", "Greeting", "greetings"), "greeter")
        };
        Arc::new(Self { description, seen: Mutex::default() })
    }

    fn seen(&self) -> BTreeMap<String, u32> {
        self.seen.lock().expect("not poisoned").clone()
    }
}

impl Reconciler for Counting {
    fn describe(&self) -> Description {
        self.description.clone()
    }

    fn reconcile(&self, observed: Observed) -> BoxFuture<'_, Result<Plan, GuestError>> {
        let primary: Value = serde_json::from_str(&observed.primary).expect("JSON");
        let name = primary["metadata"]["name"].as_str().expect("a name").to_owned();
        *self.seen.lock().expect("whole").entry(name).or_default() += 1;
        Box::pin(std::future::ready(Ok(Plan::default())))
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn every_primary_is_reconciled_exactly_once_after_a_switch() {
    let cluster = Cluster::embedded().await;
    install_crd(&cluster.client(), &serde_json::from_value(greeting_crd()).expect("a CRD")).await;
    let greetings = cluster.api("lab.example.com/v1", "Greeting", "greetings");
    let once: BTreeMap<String, u32> = (0..50).map(|number| (format!("g-{number}"), 1)).collect();
    for name in once.keys() {
        cluster.apply(&greetings, greeting(name, json!({}))).await;
    }
    let (old, new) = (Counting::new(), Counting::new());
    let options = orascache_controller::Options {
        backoff: Backoff { first: Duration::from_millis(50), longest: Duration::from_secs(2) },
        ..orascache_controller::Options::default()
    };
    let client = cluster.operator_client().await;
    let controller = Controller::start(client, old.clone(), options, &mut Registry::default()).await;
    let controller = controller.expect("the controller starts");
    tokio::time::timeout(PATIENCE, controller.synced()).await.expect("the controller syncs");
    assert_eq!(old.seen(), once);
    assert_eq!(controller.reconciler_handle().replace(new.clone()), Ok(once.len()));
    until(|| async { (new.seen().len() == once.len()).then_some(()) }).await;
    // Later changes come to the new one only, and only for the primary that changed.
    cluster.apply(&greetings, greeting("g-7", json!({"text": "hi"}))).await;
    until(|| async { (new.seen().get("g-7") == Some(&2)).then_some(()) }).await;
    let mut expected = once.clone();
    expected.insert("g-7".to_owned(), 2);
    assert_eq!((old.seen(), new.seen()), (once, expected));
    controller.shutdown().await;
    cluster.finish().await;
}
