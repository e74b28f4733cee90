//! Waiting for silence, and stopping.

use crate::script::{CONFIG_MAP, Script, description, names};
use crate::world::{World, config_map};
use fake_kube::Matcher;
use futures::FutureExt;
use futures::future::BoxFuture;
use orascache_contract::{Description, GuestError, Observed, Plan, WatchedKind};
use orascache_controller::{Controller, Options, Reconciler};
use serde_json::json;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use tokio::sync::Semaphore;

fn related() -> Description {
    description(vec![], vec![WatchedKind::whole(CONFIG_MAP)])
}

#[tokio::test]
async fn a_quiescent_controller_has_seen_everything() {
    let world = World::start().await;
    world.widget("w").await;
    let script = Script::new(related(), |_: &Observed| Plan::default());
    let controller = world.controller(script.clone()).await;
    for number in 0..50 {
        world.create(&CONFIG_MAP, &format!("c{number}"), json!({})).await;
    }
    world.settle(&controller).await;
    assert_eq!(script.last().related.len(), 50);
    world.delete(&CONFIG_MAP, "c0").await;
    world.settle(&controller).await;
    assert_eq!(script.last().related.len(), 49);
    let calls = script.calls();
    world.settle(&controller).await;
    assert_eq!(script.calls(), calls, "waiting is no work");
}

#[tokio::test]
async fn a_controller_is_not_quiescent_while_a_watch_is_silent() {
    let world = World::start().await;
    world.widget("w").await;
    let script = Script::new(related(), |_: &Observed| Plan::default());
    let controller = world.controller(script.clone()).await;
    let config_maps = Matcher::any().resource("", "configmaps");
    world.server.faults().freeze_watches(&config_maps);
    world.create(&CONFIG_MAP, "c", json!({})).await;
    let lists = Matcher::any().user_agent("test").verb("list").resource("", "configmaps");
    let before = world.server.requests().count(&lists);
    let is_quiescent = AtomicBool::new(false);
    tokio::join!(
        async {
            world.settle(&controller).await;
            is_quiescent.store(true, Ordering::Relaxed);
        },
        async {
            while world.server.requests().count(&lists) == before {
                tokio::task::yield_now().await;
            }
            // The list was answered. Only the watch is missing now, however often tasks get their
            // turn.
            for _ in 0..1_000 {
                tokio::task::yield_now().await;
            }
            assert!(!is_quiescent.load(Ordering::Relaxed));
            world.server.faults().thaw_watches(&config_maps);
        }
    );
    assert_eq!(names(&script.last().related), ["c"]);
}

/// Waits for a permit before every plan, which applies a ConfigMap.
struct Slow {
    begun: Semaphore,
    permits: Semaphore,
}

impl Reconciler for Slow {
    fn describe(&self) -> Description {
        description(vec![WatchedKind::whole(CONFIG_MAP)], vec![])
    }

    fn reconcile(&self, _: Observed) -> BoxFuture<'_, Result<Plan, GuestError>> {
        async {
            self.begun.add_permits(1);
            self.permits.acquire().await.expect("it is not closed").forget();
            Ok(Plan { apply: vec![config_map("child", "v").to_string()], ..Plan::default() })
        }
        .boxed()
    }
}

#[tokio::test]
async fn a_shutdown_finishes_plans_and_begins_no_others() {
    let world = World::start().await;
    for name in ["a", "b", "c"] {
        world.widget(name).await;
    }
    let slow = Arc::new(Slow { begun: Semaphore::new(0), permits: Semaphore::new(0) });
    let options = Options { workers: 1, ..World::options() };
    let controller = Controller::start(world.client.clone(), slow.clone(), options, &mut Default::default())
        .await
        .expect("the controller starts");
    slow.begun.acquire().await.expect("a call").forget();
    let ((), ()) = tokio::join!(controller.shutdown(), async {
        // The shutdown has begun, and waits for this plan.
        tokio::task::yield_now().await;
        slow.permits.add_permits(10);
    });
    assert!(world.get(&CONFIG_MAP, "child").await.is_some(), "the plan was carried out");
    assert_eq!(slow.begun.available_permits(), 0, "the other primaries were not begun");
}
