//! Replacing the active reconciler.

use crate::script::{CONFIG_MAP, SECRET, Script, description, names};
use crate::world::World;
use orascache_contract::{Description, Observed, Plan, WatchedKind};
use orascache_controller::Incompatible;
use serde_json::json;
use std::sync::Arc;

fn idle(description: Description) -> Arc<Script> {
    Script::new(description, |_: &Observed| Plan::default())
}

fn whole(kind: orascache_contract::Kind) -> Vec<WatchedKind> {
    vec![WatchedKind::whole(kind)]
}

#[tokio::test]
async fn another_reconciler_takes_over_with_its_own_roles() {
    let world = World::start().await;
    world.widget("w").await;
    world.create(&CONFIG_MAP, "c", json!({})).await;
    let first = idle(description(whole(CONFIG_MAP), whole(SECRET)));
    let controller = world.controller(first.clone()).await;
    let calls = first.calls();
    let reads_names = || vec![WatchedKind::reduced(CONFIG_MAP, &[])];
    let second = idle(description(whole(SECRET), reads_names()));
    let handle = controller.reconciler_handle();
    let observations = handle.observations(&description(whole(SECRET), reads_names()), 10);
    assert_eq!(names(&observations.expect("it fits")[0].related), ["c"]);
    assert_eq!(handle.replace(second.clone()), Ok(1));
    world.settle(&controller).await;
    assert_eq!(first.calls(), calls);
    assert_eq!(names(&second.last().related), ["c"]);
}

#[tokio::test]
async fn a_reconciler_that_does_not_fit_is_refused() {
    let world = World::start().await;
    world.widget("w").await;
    let fitting = || description(whole(CONFIG_MAP), Vec::new());
    let first = idle(fitting());
    let controller = world.controller(first.clone()).await;
    let handle = controller.reconciler_handle();
    let refused = |description: Description| handle.check(&description).expect_err("it does not fit");
    let other = Description { primary: CONFIG_MAP, ..fitting() };
    assert!(matches!(refused(other), Incompatible::Primary { .. }));
    let other = Description { field_manager: "them".to_owned(), ..fitting() };
    let message = refused(other).to_string();
    assert!(message.contains("\"them\"") && message.contains("\"widgets\""), "{message}");
    let other = Description { related: whole(SECRET), ..fitting() };
    assert!(matches!(refused(other.clone()), Incompatible::NotWatched(_)));
    assert!(handle.replace(idle(other)).is_err());
    let more = Description { related: whole(CONFIG_MAP), ..fitting() };
    let message = refused(more).to_string();
    assert!(message.contains("more fields of ConfigMap of v1"), "{message}");
    let calls = first.calls();
    world.touch("w").await;
    world.settle(&controller).await;
    assert!(first.calls() > calls, "the first one is active still");
}
