//! The host's share of a cold start: a controller makes the children and the status of caches that
//! are new, while the reconciler and the API server cost next to nothing.
//!
//! `valgrind --tool=callgrind` counts its instructions. Everything runs on one thread and without a
//! network, so that two runs differ by less than a percent. `.ci/instructions` compares them with
//! those of the last commit.
//!
//! The argument is the number of caches.

#![allow(clippy::print_stdout, reason = "a benchmark prints what it measured")]

mod api;

use api::{Api, GROUP};
use futures::FutureExt;
use futures::future::BoxFuture;
use orascache_contract::{Description, Event, GuestError, Kind, Observed, Plan, Severity, WatchedKind};
use orascache_controller::{Controller, Options, Reconciler};
use serde_json::Value;
use std::sync::Arc;

/// The field manager of the applies.
pub const MANAGER: &str = "orascache";

const CACHE: Kind =
    Kind::namespaced("cache.converged-computing.github.io/v1alpha1", "OrasCache", "orascaches");

/// What a plan has for a cache, with `NAME` and `UID` in place of its name and UID.
pub struct Templates {
    /// Children, in the order in which they are made.
    pub children: Vec<String>,
    /// The object with its status.
    pub status: String,
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
pub fn filled(template: &str, name: &str) -> String {
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

fn main() {
    // Cargo hands its own flags over.
    let caches = std::env::args().skip(1).find_map(|argument| argument.parse().ok()).unwrap_or(100);
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
        let writes = api.writes();
        println!("{caches} caches of {GROUP}: {writes} writes");
        // Three children, a status and an event.
        assert_eq!(writes, 5 * caches);
    });
}
