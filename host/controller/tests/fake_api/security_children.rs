//! Which objects count as children of a primary.

use crate::script::{CONFIG_MAP, Script, description, names};
use crate::world::{OTHER, World, config_map, owned_by};
use orascache_contract::{Observed, Plan, WatchedKind};
use serde_json::json;

/// Wants a ConfigMap `child` to exist.
fn wants_child(observed: &Observed) -> Plan {
    let mut plan = Plan::default();
    if observed.owned.is_empty() {
        plan.apply.push(config_map("child", "ours").to_string());
    }
    plan
}

#[tokio::test]
async fn a_copy_in_another_namespace_does_not_keep_a_child_from_being_repaired() {
    let world = World::start().await;
    let widget = world.widget("w").await;
    let owned = vec![WatchedKind::whole(CONFIG_MAP)];
    let script = Script::new(description(owned, Vec::new()), wants_child);
    let controller = world.controller(script.clone()).await;
    // Somebody else's object names our primary as its controller.
    world.create_in(OTHER, &CONFIG_MAP, "child", json!({"metadata": owned_by(&widget)})).await;
    world.settle(&controller).await;
    assert_eq!(script.last().owned.len(), 1);
    world.delete(&CONFIG_MAP, "child").await;
    world.settle(&controller).await;
    assert!(world.get(&CONFIG_MAP, "child").await.is_some(), "the child was created again");
    assert_eq!(names(&script.last().owned), ["child"]);
    assert!(world.get_in(OTHER, &CONFIG_MAP, "child").await.is_some(), "and the copy is left alone");
}

#[tokio::test]
async fn an_owner_reference_of_another_kind_makes_no_child() {
    let world = World::start().await;
    let widget = world.widget("w").await;
    let mut wrong_kind = owned_by(&widget);
    wrong_kind["ownerReferences"][0]["kind"] = json!("Gadget");
    let mut no_controller = owned_by(&widget);
    no_controller["ownerReferences"][0]["controller"] = json!(false);
    world.create(&CONFIG_MAP, "wrong-kind", json!({"metadata": wrong_kind})).await;
    world.create(&CONFIG_MAP, "no-controller", json!({"metadata": no_controller})).await;
    world.create(&CONFIG_MAP, "right", json!({"metadata": owned_by(&widget)})).await;
    let owned = vec![WatchedKind::whole(CONFIG_MAP)];
    let script = Script::new(description(owned, Vec::new()), wants_child);
    let _controller = world.controller(script.clone()).await;
    assert_eq!(names(&script.last().owned), ["right"]);
}

#[tokio::test]
async fn a_new_primary_of_the_same_name_does_not_inherit_children() {
    let world = World::start().await;
    world.widget("w").await;
    let owned = vec![WatchedKind::whole(CONFIG_MAP)];
    let script = Script::new(description(owned, Vec::new()), wants_child);
    let controller = world.controller(script.clone()).await;
    world.delete(&crate::script::WIDGET, "w").await;
    world.widget("w").await;
    world.settle(&controller).await;
    let shown = script.last();
    assert!(shown.owned.is_empty());
    assert_eq!(shown.failures[0].reason.as_str(), "NotControlled");
}
