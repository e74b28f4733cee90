//! Which objects count as children of a primary, and that they stay as closed as they were made.

use crate::script::{CONFIG_MAP, Script, description, names};
use crate::world::{LAB, OTHER, World, config_map, consenting, owned_by};
use kube::api::{DynamicObject, Patch, PatchParams};
use orascache_contract::{FailureReason, Kind, Observed, Plan, WatchedKind};
use serde_json::{Value, json};

const NETWORK_POLICY: Kind = Kind::namespaced("networking.k8s.io/v1", "NetworkPolicy", "networkpolicies");

/// A NetworkPolicy `child` that admits one peer.
fn policy(peer: &Value) -> Value {
    json!({
        "apiVersion": NETWORK_POLICY.api_version, "kind": NETWORK_POLICY.kind,
        "metadata": {"name": "child", "namespace": LAB},
        "spec": {
            "podSelector": {"matchLabels": {"app": "cache"}},
            "ingress": [{"from": [peer], "ports": [{"port": 5000, "protocol": "TCP"}]}],
        },
    })
}

/// The pods of the namespace.
fn ours() -> Value {
    json!({"podSelector": {}})
}

/// The pods of all namespaces.
fn wider() -> Value {
    json!({"podSelector": {}, "namespaceSelector": {}})
}

/// The peers that the NetworkPolicy admits now.
async fn admitted(world: &World) -> Value {
    let child = world.get(&NETWORK_POLICY, "child").await.expect("a NetworkPolicy");
    child["spec"]["ingress"][0]["from"].clone()
}

/// Always applies the NetworkPolicy.
fn guards() -> std::sync::Arc<Script> {
    let owned = vec![WatchedKind::whole(NETWORK_POLICY)];
    let plan = |_: &Observed| Plan { apply: vec![policy(&ours()).to_string()], ..Plan::default() };
    Script::new(description(owned, Vec::new()), plan)
}

#[tokio::test]
async fn a_network_policy_that_is_widened_by_hand_is_taken_back() {
    let world = World::start().await;
    world.widget("w").await;
    let script = guards();
    let controller = world.controller(script.clone()).await;
    for round in 1..=6 {
        let spec = policy(&wider())["spec"].clone();
        world.edit(&NETWORK_POLICY, "child", json!({"spec": {"ingress": spec["ingress"]}})).await;
        world.settle(&controller).await;
        // An edit that comes back after it was taken back five times is left, as for any field.
        let expected = if round <= 5 { ours() } else { wider() };
        assert_eq!(admitted(&world).await, json!([expected]), "round {round}");
    }
    let failure = script.last().failures.remove(0);
    assert_eq!(failure.reason, FailureReason::FieldOwnedByOther);
    assert!(failure.message.contains("spec.ingress (set by kubectl-edit)"), "{}", failure.message);
}

#[tokio::test]
async fn a_network_policy_that_another_manager_applies_is_left_and_reported() {
    let world = World::start().await;
    world.widget("w").await;
    let script = guards();
    let controller = world.controller(script.clone()).await;
    let theirs: DynamicObject = serde_json::from_value(policy(&wider())).expect("an object");
    let parameters = PatchParams::apply("gitops").force();
    let api = world.api(&NETWORK_POLICY, LAB);
    api.patch("child", &parameters, &Patch::Apply(&theirs)).await.expect("an apply");
    world.settle(&controller).await;
    assert_eq!(admitted(&world).await, json!([wider()]));
    let failure = script.last().failures.remove(0);
    assert_eq!(failure.reason, FailureReason::FieldOwnedByOther);
    assert!(failure.message.contains("spec.ingress (set by gitops)"), "{}", failure.message);
}

#[tokio::test]
async fn a_network_policy_that_was_detached_and_widened_is_taken_back() {
    let world = World::start().await;
    world.widget("w").await;
    let owned = vec![WatchedKind::whole(NETWORK_POLICY)];
    let script = Script::new(description(owned, Vec::new()), |_: &Observed| Plan {
        apply: vec![consenting(policy(&ours())).to_string()],
        ..Plan::default()
    });
    let controller = world.controller(script.clone()).await;
    for also in [json!({}), json!({"annotations": null, "labels": null})] {
        let mut metadata = also;
        metadata["ownerReferences"] = json!(null);
        let spec = policy(&wider())["spec"].clone();
        world.edit(&NETWORK_POLICY, "child", json!({"metadata": metadata, "spec": spec})).await;
        world.settle(&controller).await;
        assert_eq!(admitted(&world).await, json!([ours()]));
        let child = world.get(&NETWORK_POLICY, "child").await.expect("a NetworkPolicy");
        assert_eq!(child["metadata"]["ownerReferences"][0]["kind"], "Widget");
        assert_eq!(script.last().failures, []);
    }
}

#[tokio::test]
async fn a_network_policy_whose_selector_is_narrowed_by_hand_is_taken_back() {
    let world = World::start().await;
    world.widget("w").await;
    let script = guards();
    let controller = world.controller(script.clone()).await;
    let narrower = json!({"app": "cache", "more": "x"});
    for round in 1..=6 {
        let edit = json!({"spec": {"podSelector": {"matchLabels": narrower}}});
        world.edit(&NETWORK_POLICY, "child", edit).await;
        world.settle(&controller).await;
        let child = world.get(&NETWORK_POLICY, "child").await.expect("a NetworkPolicy");
        // It counts as an edit, so that a dispute about it ends.
        let expected = if round <= 5 { json!({"app": "cache"}) } else { narrower.clone() };
        assert_eq!(child["spec"]["podSelector"]["matchLabels"], expected, "round {round}");
    }
    let failure = script.last().failures.remove(0);
    assert_eq!(failure.reason, FailureReason::FieldOwnedByOther);
    assert!(failure.message.contains("spec.podSelector (set by kubectl-edit)"), "{}", failure.message);
}

#[tokio::test]
async fn a_network_policy_whose_selector_another_manager_applies_is_left_and_reported() {
    let world = World::start().await;
    world.widget("w").await;
    let script = guards();
    let controller = world.controller(script.clone()).await;
    let mut theirs = policy(&ours());
    theirs["spec"]["podSelector"]["matchLabels"]["more"] = json!("x");
    world.apply_as("gitops", &NETWORK_POLICY, &theirs).await;
    world.settle(&controller).await;
    let failure = script.last().failures.remove(0);
    assert_eq!(failure.reason, FailureReason::FieldOwnedByOther);
    assert!(failure.message.contains("spec.podSelector (set by gitops)"), "{}", failure.message);
}

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
