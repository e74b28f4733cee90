//! The host's share of a cold start: a controller makes the children and the status of caches that
//! are new, while the reconciler and the API server cost next to nothing.

mod api;

use api::Api;
use futures::FutureExt;
use futures::future::BoxFuture;
use orascache_contract::{Description, Event, GuestError, Kind, Observed, Plan, Severity, WatchedKind};
use orascache_controller::{Controller, Options, Reconciler};
use serde_json::Value;
use std::sync::Arc;

/// The field manager of the applies.
const MANAGER: &str = "orascache";

const CACHE: Kind =
    Kind::namespaced("cache.converged-computing.github.io/v1alpha1", "OrasCache", "orascaches");

/// What a plan has for a cache, with `NAME` and `UID` in place of its name and UID.
struct Templates {
    /// Children, in the order in which they are made.
    children: Vec<String>,
    /// The object with its status.
    status: String,
}

impl Templates {
    fn load() -> Self {
        let templates: Value = serde_json::from_str(include_str!("cache.json")).expect("JSON");
        let children = templates["children"].as_array().expect("a list");
        Templates {
            children: children.iter().map(Value::to_string).collect(),
            status: templates["status"].to_string(),
        }
    }
}

/// The text for a cache.
fn filled(template: &str, name: &str) -> String {
    template.replace("NAME", name).replace("UID", &api::uid_of(name))
}

/// Plans what `Templates` have for a cache without children, and nothing for any other.
struct Planner(Arc<Templates>);

impl Reconciler for Planner {
    fn describe(&self) -> Description {
        Description {
            primary: CACHE,
            owned: vec![
                WatchedKind::whole(Kind::namespaced(
                    "networking.k8s.io/v1",
                    "NetworkPolicy",
                    "networkpolicies",
                )),
                WatchedKind::whole(Kind::namespaced("v1", "Service", "services")),
                WatchedKind::whole(Kind::namespaced("apps/v1", "StatefulSet", "statefulsets")),
            ],
            related: vec![WatchedKind::reduced(Kind::namespaced("v1", "Secret", "secrets"), &[])],
            field_manager: MANAGER.to_owned(),
            admission: Vec::new(),
            sensitive: Vec::new(),
        }
    }

    fn reconcile(&self, observed: Observed) -> BoxFuture<'_, Result<Plan, GuestError>> {
        let mut plan = Plan::default();
        if observed.owned.is_empty() {
            let name = api::name_in(&observed.primary);
            plan.apply = self.0.children.iter().map(|child| filled(child, name)).collect();
            plan.status = Some(filled(&self.0.status, name));
            plan.events.push(Event {
                severity: Severity::Normal,
                reason: "RegistryStarting".into(),
                action: "Reconcile".into(),
                note: "0 of 1 registry pods are ready, 0 are up to date.".to_owned(),
            });
        }
        async move { Ok(plan) }.boxed()
    }
}

/// Runs a controller until there is everything that the caches should have.
pub fn run(caches: usize) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    runtime.block_on(async {
        let templates = Arc::new(Templates::load());
        let api = Api::new(caches, &templates);
        let client = kube::Client::new(api.clone(), "default");
        let planner = Arc::new(Planner(templates));
        let options = Options { instance: "bench".to_owned(), ..Options::default() };
        let mut metrics = Default::default();
        let controller =
            Controller::start(client, planner, options, &mut metrics).await.expect("a controller");
        controller.synced().await;
        controller.shutdown().await;
        // Three children, a status and an event.
        assert_eq!(api.writes(), 5 * caches);
    });
}
