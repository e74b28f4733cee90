//! Objects that nothing controls become children where both sides consent, and only there.

use crate::script::{CONFIG_MAP, PATIENCE, SECRET, Script, description, json_of, names, text_at};
use crate::world::{LAB, World, config_map, consenting, owned_by};
use orascache_contract::{
    FailureReason, Generated, ObjectRef, Observed, Plan, RandomKey, Recipe, WatchedKind,
};
use orascache_controller::{Backoff, Options};
use prometheus_client::registry::Registry;
use serde_json::{Value, json};
use std::sync::Arc;

/// Wants one ConfigMap `child`, which consents.
fn wants_child() -> Arc<Script> {
    wants(consenting(config_map("child", "ours")))
}

fn wants(child: Value) -> Arc<Script> {
    let owned = vec![WatchedKind::whole(CONFIG_MAP)];
    Script::new(description(owned, Vec::new()), move |observed: &Observed| {
        let is_current = observed.owned.iter().any(|owned| json_of(owned)["data"] == child["data"]);
        let apply = if is_current { Vec::new() } else { vec![child.to_string()] };
        Plan { apply, ..Plan::default() }
    })
}

fn owner(child: &Value) -> &Value {
    &child["metadata"]["ownerReferences"][0]
}

async fn child(world: &World) -> Value {
    world.get(&CONFIG_MAP, "child").await.expect("a child")
}

#[tokio::test]
async fn a_consenting_object_becomes_a_child_and_its_fields_stay_with_their_managers() {
    let world = World::start().await;
    let mut rendered = consenting(config_map("child", "ours"));
    rendered["data"]["theirs"] = json!("x");
    world.apply_as("gitops", &CONFIG_MAP, &rendered).await;
    world.widget("w").await;
    let script = wants(consenting(rendered.clone()));
    let mark = world.server.requests().mark();
    let _controller = world.controller(script.clone()).await;
    let child = child(&world).await;
    assert_eq!(
        (owner(&child)["kind"].as_str(), owner(&child)["controller"].as_bool()),
        (Some("Widget"), Some(true))
    );
    assert_eq!(child["data"], json!({"key": "ours", "theirs": "x"}));
    assert_eq!((names(&script.last().owned), script.last().failures), (vec!["child".to_owned()], vec![]));
    assert_eq!(world.writes_since(mark).len(), 1, "its content was as desired");
}

#[tokio::test]
async fn a_field_of_a_taken_object_that_another_manager_applies_is_left_to_it() {
    let world = World::start().await;
    world.apply_as("gitops", &CONFIG_MAP, &consenting(config_map("child", "theirs"))).await;
    world.widget("w").await;
    let script = wants_child();
    let _controller = world.controller(script.clone()).await;
    let child = child(&world).await;
    assert_eq!(
        (owner(&child)["kind"].as_str(), child["data"]["key"].as_str()),
        (Some("Widget"), Some("theirs"))
    );
    let failure = script.last().failures.remove(0);
    assert_eq!(failure.reason, FailureReason::FieldOwnedByOther);
    assert!(failure.message.contains("data.key (set by gitops)"), "{}", failure.message);
}

#[tokio::test]
async fn what_kubectl_applied_is_brought_to_what_is_desired() {
    let world = World::start().await;
    // The manager of `kubectl apply` without --server-side has the operation Update.
    world.create(&CONFIG_MAP, "child", consenting(json!({"data": {"key": "theirs"}}))).await;
    world.widget("w").await;
    let script = wants_child();
    let _controller = world.controller(script.clone()).await;
    let child = child(&world).await;
    assert_eq!(
        (owner(&child)["kind"].as_str(), child["data"]["key"].as_str()),
        (Some("Widget"), Some("ours"))
    );
    assert_eq!(script.last().failures, []);
}

#[tokio::test]
async fn without_consent_of_both_sides_nothing_is_adopted() {
    let other_widget = |object: Value| {
        let mut object = consenting(object);
        object["metadata"]["annotations"]["example.org/widget"] = json!("v");
        object
    };
    for (case, live, planned) in [
        ("nobody consents", json!({}), config_map("child", "ours")),
        ("the plan does not", consenting(json!({})), config_map("child", "ours")),
        ("the object does not", json!({}), consenting(config_map("child", "ours"))),
        ("it names another", other_widget(json!({})), consenting(config_map("child", "ours"))),
        (
            "it names another, as the plan does",
            other_widget(json!({})),
            other_widget(config_map("child", "ours")),
        ),
    ] {
        let world = World::start().await;
        let before = world.create(&CONFIG_MAP, "child", live).await;
        world.widget("w").await;
        let script = wants(planned);
        let _controller = world.controller(script.clone()).await;
        let failures = script.last().failures;
        assert_eq!(failures.len(), 1, "{case}");
        assert_eq!(failures[0].reason, FailureReason::NotControlled, "{case}");
        assert!(failures[0].message.ends_with('.'), "{}", failures[0].message);
        assert_eq!(child(&world).await, before, "{case}");
    }
}

#[tokio::test]
async fn an_annotation_that_comes_later_is_noticed_at_once() {
    let world = World::start().await;
    world.create(&CONFIG_MAP, "child", json!({"data": {"key": "theirs"}})).await;
    world.widget("w").await;
    let script = wants_child();
    // A retry would come after the test.
    let never = Backoff { first: PATIENCE * 2, longest: PATIENCE * 2 };
    let options = Options { backoff: never, ..World::options() };
    let controller = world.controller_with(script.clone(), options, &mut Registry::default()).await;
    assert_eq!(script.last().failures[0].reason, FailureReason::NotControlled);
    world.edit(&CONFIG_MAP, "child", consenting(json!({}))).await;
    world.settle(&controller).await;
    assert_eq!(owner(&child(&world).await)["kind"], "Widget");
    assert_eq!(script.last().failures, []);
}

#[tokio::test]
async fn an_object_with_a_controller_is_never_adopted() {
    let world = World::start().await;
    let job = json!([{"apiVersion": "batch/v1", "kind": "Job", "name": "j", "uid": "1", "controller": true}]);
    let another = world.widget("another").await;
    world.widget("w").await;
    for owners in [job, owned_by(&another)["ownerReferences"].clone()] {
        let mut live = consenting(json!({}));
        live["metadata"]["ownerReferences"] = owners.clone();
        world.create(&CONFIG_MAP, "child", live).await;
        let owned = vec![WatchedKind::whole(CONFIG_MAP)];
        let script = Script::new(description(owned, Vec::new()), |observed: &Observed| {
            let is_w = text_at(&observed.primary, "/metadata/name") == "w";
            let child = consenting(config_map("child", "ours")).to_string();
            Plan { apply: if is_w { vec![child] } else { Vec::new() }, ..Plan::default() }
        });
        let controller = world.controller(script.clone()).await;
        script
            .until("a refusal", |observed| {
                observed.failures.iter().any(|one| one.reason == FailureReason::NotControlled)
            })
            .await;
        assert_eq!(child(&world).await["metadata"]["ownerReferences"], owners);
        controller.shutdown().await;
        world.delete(&CONFIG_MAP, "child").await;
    }
}

#[tokio::test]
async fn a_child_that_lost_its_owner_reference_gets_it_back_five_times() {
    let world = World::start().await;
    world.widget("w").await;
    let script = wants_child();
    let controller = world.controller(script.clone()).await;
    for round in 1..=6 {
        let gone = json!({"metadata": {"ownerReferences": null}, "data": {"key": "theirs"}});
        world.edit(&CONFIG_MAP, "child", gone).await;
        world.settle(&controller).await;
        let child = child(&world).await;
        let (owner, key) = (owner(&child)["kind"].as_str(), child["data"]["key"].as_str());
        let expected = if round <= 5 { (Some("Widget"), Some("ours")) } else { (None, Some("theirs")) };
        assert_eq!((owner, key), expected, "round {round}");
    }
    let failure = script.last().failures.remove(0);
    assert_eq!(failure.reason, FailureReason::FieldOwnedByOther);
    assert!(failure.message.contains("metadata.ownerReferences"), "{}", failure.message);
}

#[tokio::test]
async fn a_child_that_the_plan_does_not_offer_stays_without_owner() {
    let world = World::start().await;
    world.widget("w").await;
    let script = wants(config_map("child", "ours"));
    let controller = world.controller(script.clone()).await;
    world.edit(&CONFIG_MAP, "child", json!({"metadata": {"ownerReferences": null}})).await;
    world.settle(&controller).await;
    assert!(child(&world).await["metadata"].get("ownerReferences").is_none());
    assert_eq!(script.last().failures[0].reason, FailureReason::NotControlled);
}

/// Deletes the related object `child`.
fn deletes_related(observed: &Observed) -> Plan {
    let strays = observed.related.iter().filter(|object| text_at(object, "/metadata/name") == "child");
    let targets = strays.map(|stray| ObjectRef {
        kind: CONFIG_MAP,
        namespace: Some(LAB.to_owned()),
        name: "child".to_owned(),
        uid: Some(text_at(stray, "/metadata/uid")),
    });
    Plan { delete: targets.collect(), ..Plan::default() }
}

#[tokio::test]
async fn a_stray_is_shown_and_may_be_deleted() {
    let world = World::start().await;
    world.widget("w").await;
    let controller = world.controller(wants_child()).await;
    controller.shutdown().await;
    world.edit(&CONFIG_MAP, "child", json!({"metadata": {"ownerReferences": null}})).await;
    // An object of somebody else, in every other respect alike, is not shown.
    world.create(&CONFIG_MAP, "theirs", json!({})).await;
    let owned = vec![WatchedKind::whole(CONFIG_MAP)];
    let script = Script::new(description(owned, Vec::new()), deletes_related);
    let _controller = world.controller(script.clone()).await;
    script.until("the stray", |observed| names(&observed.related) == ["child"]).await;
    assert!(world.get(&CONFIG_MAP, "child").await.is_none());
    assert_eq!((script.last().related.len(), script.last().failures), (0, vec![]));
    assert!(world.get(&CONFIG_MAP, "theirs").await.is_some());
}

/// Wants a generated Secret `s` with the key `k`, which consents.
fn generates() -> Arc<Script> {
    let owned = vec![WatchedKind::whole(SECRET)];
    Script::new(description(owned, Vec::new()), |observed: &Observed| {
        let metadata = json!({"metadata": {"name": "s", "namespace": LAB}});
        let mut secret = consenting(metadata);
        secret["apiVersion"] = json!("v1");
        secret["kind"] = json!("Secret");
        let recipe = Recipe::Random(RandomKey { key: "k".to_owned(), bytes: 16 });
        let generated = Generated { secret: secret.to_string(), recipe };
        Plan {
            generate: if observed.owned.is_empty() { vec![generated] } else { Vec::new() },
            ..Plan::default()
        }
    })
}

#[tokio::test]
async fn a_consenting_secret_becomes_a_child_and_is_filled_once() {
    for (data, filled) in
        [(json!({}), true), (json!({"k": "dGhlaXJz"}), false), (json!({"other": "eA=="}), true)]
    {
        let world = World::start().await;
        world.create(&SECRET, "s", consenting(json!({"data": data}))).await;
        world.widget("w").await;
        let script = generates();
        let controller = world.controller(script.clone()).await;
        let secret = world.get(&SECRET, "s").await.expect("a Secret");
        assert_eq!(owner(&secret)["kind"], "Widget", "{data}");
        let key = secret["data"]["k"].as_str().expect("a value");
        assert_eq!(key != "dGhlaXJz", filled, "{data}");
        assert_eq!(secret["data"].get("other"), data.get("other"));
        assert_eq!(names(&script.last().owned), ["s"]);
        // The value stays when the owner reference gets lost.
        world.edit(&SECRET, "s", json!({"metadata": {"ownerReferences": null}})).await;
        world.settle(&controller).await;
        let again = world.get(&SECRET, "s").await.expect("a Secret");
        assert_eq!((owner(&again)["kind"].as_str(), &again["data"]), (Some("Widget"), &secret["data"]));
    }
}
