//! Whether this process may write: before it may, when it does, and when it does not any more.

use crate::script::{CONFIG_MAP, Script, description, names};
use crate::world::{World, config_map};
use fake_kube::FakeKube;
use fake_kube::admission::{Admission, Admitted, Request};
use fake_kube::apimachinery::status::{ApiError, ResourceName};
use futures::FutureExt;
use futures::future::BoxFuture;
use orascache_contract::{Event, Observed, Plan, Severity, WatchedKind};
use orascache_controller::{Controller, MayWrite, Options};
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::sync::watch;

const LONG: Duration = Duration::from_secs(3600);

/// Wants a ConfigMap `child`. Before its first plan is carried out, `begins` is called.
fn wants_child(begins: impl Fn() + Send + Sync + 'static) -> Arc<Script> {
    let owned = vec![WatchedKind::whole(CONFIG_MAP)];
    Script::new(description(owned, Vec::new()), move |observed: &Observed| {
        begins();
        let mut plan = Plan::default();
        if observed.owned.is_empty() {
            plan.apply.push(config_map("child", "ours").to_string());
        }
        plan
    })
}

async fn start(world: &World, script: &Arc<Script>, may_write: watch::Receiver<MayWrite>) -> Controller {
    let options = Options { may_write, ..World::options() };
    world.controller_with(script.clone(), options, &mut Default::default()).await
}

#[tokio::test]
async fn primaries_are_held_back_until_this_process_may_write() {
    let world = World::start().await;
    world.widget("w").await;
    let (sender, may_write) = watch::channel(MayWrite::No);
    let script = wants_child(|| {});
    let controller = start(&world, &script, may_write).await;
    assert!(controller.is_synced(), "a replica that does not lead is ready");
    assert_eq!(script.calls(), 0);
    sender.send_replace(MayWrite::Always);
    world.settle(&controller).await;
    assert!(world.get(&CONFIG_MAP, "child").await.is_some(), "it goes on without another event");

    sender.send_replace(MayWrite::No);
    let calls = script.calls();
    world.delete(&CONFIG_MAP, "child").await;
    world.settle(&controller).await;
    assert_eq!(script.calls(), calls);
    sender.send_replace(MayWrite::Always);
    world.settle(&controller).await;
    assert!(world.get(&CONFIG_MAP, "child").await.is_some());
}

#[tokio::test]
async fn a_claim_that_was_not_renewed_permits_nothing() {
    let world = World::start().await;
    world.widget("w").await;
    let (sender, may_write) = watch::channel(MayWrite::Until(Instant::now()));
    let script = wants_child(|| {});
    let controller = start(&world, &script, may_write).await;
    assert_eq!(script.calls(), 0);
    sender.send_replace(MayWrite::Until(Instant::now() + LONG));
    world.settle(&controller).await;
    assert!(world.get(&CONFIG_MAP, "child").await.is_some());
}

#[tokio::test]
async fn a_plan_is_not_carried_out_once_the_claim_ended() {
    let world = World::start().await;
    world.widget("w").await;
    let (sender, may_write) = watch::channel(MayWrite::Always);
    let sender = Arc::new(sender);
    let loses = sender.clone();
    let script = wants_child(move || {
        loses.send_replace(MayWrite::No);
    });
    let mark = world.server.requests().mark();
    let controller = start(&world, &script, may_write).await;
    assert_eq!(script.calls(), 1);
    assert_eq!(world.writes_since(mark), []);
    drop(controller);

    let script = wants_child(|| {});
    sender.send_replace(MayWrite::Always);
    let _controller = start(&world, &script, sender.subscribe()).await;
    script.until("the child", |observed| names(&observed.owned) == ["child"]).await;
}

/// Answers every apply of a ConfigMap with a conflict, and ends the claim.
struct Usurper(watch::Sender<MayWrite>);

impl Admission for Usurper {
    fn admit(&self, request: Request) -> BoxFuture<'_, Result<Admitted, ApiError>> {
        self.0.send_replace(MayWrite::No);
        let resource = ResourceName { group: "", resource: "configmaps" };
        let refused = ApiError::conflict(resource, &request.name, "another process was faster");
        futures::future::ready(Err(refused)).boxed()
    }

    fn watches(&self, _group: &str, resource: &str) -> bool {
        resource == "configmaps"
    }
}

#[tokio::test]
async fn a_write_that_conflicts_is_not_repeated_once_the_claim_ended() {
    let (sender, may_write) = watch::channel(MayWrite::Always);
    let usurper = Arc::new(Usurper(sender.clone()));
    let world = World::start_with(FakeKube::builder().admission(usurper)).await;
    world.widget("w").await;
    let mark = world.server.requests().mark();
    let script = wants_child(|| {});
    let _controller = start(&world, &script, may_write).await;
    let writes = world.writes_since(mark);
    assert_eq!(writes.iter().map(|write| write.status).collect::<Vec<_>>(), [409]);
}

#[tokio::test]
async fn an_event_is_not_recorded_once_the_claim_ended() {
    let world = World::start().await;
    world.widget("w").await;
    for (left, expected) in [(MayWrite::No, 0), (MayWrite::Always, 1)] {
        let (sender, may_write) = watch::channel(MayWrite::Always);
        let none = description(Vec::new(), Vec::new());
        let script = Script::new(none, move |_: &Observed| {
            sender.send_replace(left);
            let event = Event {
                severity: Severity::Normal,
                reason: "Seen".into(),
                action: "Look".into(),
                note: "It was seen.".to_owned(),
            };
            Plan { events: vec![event], ..Plan::default() }
        });
        let _controller = start(&world, &script, may_write).await;
        assert_eq!(script.calls(), 1);
        assert_eq!(world.events("w").await.len(), expected);
    }
}
