//! The administrator's settings.

use crate::script::{CONFIG_MAP, Script, description, text_at};
use crate::world::World;
use orascache_contract::{Observed, Plan, WatchedKind};
use orascache_controller::Options;
use std::sync::Arc;
use tokio::sync::watch;

#[tokio::test]
async fn a_change_of_the_settings_reaches_every_primary() {
    let world = World::start().await;
    world.widget("a").await;
    world.widget("b").await;
    let owned = vec![WatchedKind::whole(CONFIG_MAP)];
    let script = Script::new(description(owned, Vec::new()), |_: &Observed| Plan::default());
    let (sender, settings) = watch::channel(Arc::from("one"));
    let options = Options { settings, ..World::options() };
    let mut registry = Default::default();
    let controller = world.controller_with(script.clone(), options, &mut registry).await;
    assert_eq!(&*script.last().settings, "one");
    sender.send_replace(Arc::from("two"));
    world.settle(&controller).await;
    for name in ["a", "b"] {
        script
            .until("the settings", |observed| {
                text_at(&observed.primary, "/metadata/name") == name && &*observed.settings == "two"
            })
            .await;
    }
    assert_eq!(script.calls(), 4);
}

#[tokio::test]
async fn settings_are_empty_by_default() {
    let world = World::start().await;
    world.widget("w").await;
    let owned = vec![WatchedKind::whole(CONFIG_MAP)];
    let script = Script::new(description(owned, Vec::new()), |_: &Observed| Plan::default());
    let _controller = world.controller(script.clone()).await;
    assert_eq!(&*script.last().settings, "");
}
