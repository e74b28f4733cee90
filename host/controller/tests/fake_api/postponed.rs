//! Status and events of a plan that changes children, while other primaries wait.

use crate::script::{CONFIG_MAP, WIDGET, description, json_of, text_at};
use crate::world::{World, config_map};
use futures::FutureExt;
use futures::future::BoxFuture;
use orascache_contract::{Description, Event, GuestError, Observed, Plan, Severity, WatchedKind};
use orascache_controller::{Controller, Options, Reconciler};
use serde_json::{Value, json};
use std::sync::Arc;
use tokio::sync::Semaphore;

/// Wants a ConfigMap of the primary's name. The plan that makes it writes the primary's UID into the
/// status, and has an event. Every plan waits for a permit.
struct Maker {
    begun: Semaphore,
    permits: Semaphore,
}

impl Maker {
    fn new(permits: usize) -> Arc<Self> {
        Arc::new(Self { begun: Semaphore::new(0), permits: Semaphore::new(permits) })
    }

    /// Waits until a plan is asked for.
    async fn begun(&self) {
        self.begun.acquire().await.expect("it is not closed").forget();
    }
}

impl Reconciler for Maker {
    fn describe(&self) -> Description {
        description(vec![WatchedKind::whole(CONFIG_MAP)], Vec::new())
    }

    fn reconcile(&self, observed: Observed) -> BoxFuture<'_, Result<Plan, GuestError>> {
        async move {
            self.begun.add_permits(1);
            self.permits.acquire().await.expect("it is not closed").forget();
            let mut plan = Plan::default();
            if observed.owned.is_empty() {
                let name = text_at(&observed.primary, "/metadata/name");
                plan.apply.push(config_map(&name, "ours").to_string());
                let mut widget = json_of(&observed.primary);
                widget["status"] = json!({"uid": widget["metadata"]["uid"]});
                plan.status = Some(widget.to_string());
                plan.events.push(Event {
                    severity: Severity::Normal,
                    reason: "Made".into(),
                    action: "Make".into(),
                    note: "made".to_owned(),
                });
            }
            Ok(plan)
        }
        .boxed()
    }
}

/// A controller with one worker, so that it is certain which primary is next.
async fn begin(world: &World, maker: Arc<Maker>) -> Controller {
    let options = Options { workers: 1, ..World::options() };
    world.begin(maker, options, &mut Default::default()).await.expect("the controller starts")
}

async fn has_status_of_its_own(world: &World, name: &str) -> bool {
    let widget = world.get(&WIDGET, name).await.expect("a widget");
    widget["status"]["uid"] == widget["metadata"]["uid"]
}

#[tokio::test]
async fn children_of_primaries_that_wait_come_before_a_status() {
    let world = World::start().await;
    for name in ["a", "b", "c"] {
        world.widget(name).await;
    }
    let mark = world.server.requests().mark();
    let maker = Maker::new(100);
    let controller = begin(&world, maker.clone()).await;
    world.settle(&controller).await;
    let written = world.writes_since(mark).into_iter().map(|entry| entry.request);
    let written: Vec<_> = written.map(|request| (request.resource, request.subresource)).collect();
    let child = ("configmaps".to_owned(), None);
    let status = ("widgets".to_owned(), Some("status".to_owned()));
    assert_eq!(written, [vec![child; 3], vec![status; 3]].concat());
    assert_eq!(maker.begun.available_permits(), 6, "a plan that makes the child, and one after it");
    for name in ["a", "b", "c"] {
        assert!(has_status_of_its_own(&world, name).await, "{name}");
        assert_eq!(world.events(name).await.len(), 1, "{name}");
    }
}

#[tokio::test]
async fn a_status_that_waits_is_written_before_a_shutdown() {
    let world = World::start().await;
    for name in ["a", "b"] {
        world.widget(name).await;
    }
    let maker = Maker::new(1);
    let controller = begin(&world, maker.clone()).await;
    maker.begun().await;
    maker.begun().await;
    // The status of the first widget waits for the plan of the second one.
    let ((), ()) = tokio::join!(controller.shutdown(), async {
        maker.permits.add_permits(1);
    });
    for name in ["a", "b"] {
        assert!(has_status_of_its_own(&world, name).await, "{name}");
        assert_eq!(world.events(name).await.len(), 1, "{name}");
    }
}

#[tokio::test]
async fn a_status_that_waits_is_not_written_to_another_primary_of_that_name() {
    let world = World::start().await;
    for name in ["a", "b"] {
        world.widget(name).await;
    }
    let maker = Maker::new(1);
    let controller = begin(&world, maker.clone()).await;
    maker.begun().await;
    maker.begun().await;
    world.delete(&WIDGET, "a").await;
    world.delete(&CONFIG_MAP, "a").await;
    world.widget("a").await;
    maker.permits.add_permits(100);
    world.settle(&controller).await;
    let widget = world.get(&WIDGET, "a").await.expect("a widget");
    assert_ne!(widget["status"], Value::Null, "it has children of its own");
    assert!(has_status_of_its_own(&world, "a").await && has_status_of_its_own(&world, "b").await);
}
