//! Creating, applying, deleting, status and events.

use crate::script::{CONFIG_MAP, Script, WIDGET, description, json_of, names, text_at};
use crate::world::{CONTROLLER, LAB, World, config_map};
use fake_kube::Matcher;
use kube::api::{DynamicObject, Patch, PatchParams};
use orascache_contract::{
    Event, FailureReason, Kind, ObjectRef, Observed, Plan, Severity, Verb, WatchedKind,
};
use serde_json::json;

/// Wants one ConfigMap `child` with this value.
fn wants(value: &'static str) -> impl Fn(&Observed) -> Plan + Send + Sync {
    move |observed| {
        let mut plan = Plan::default();
        if !observed.owned.iter().any(|child| text_at(child, "/data/key") == value) {
            plan.apply.push(config_map("child", value).to_string());
        }
        plan
    }
}

fn owns_config_maps() -> orascache_contract::Description {
    description(vec![WatchedKind::whole(CONFIG_MAP)], Vec::new())
}

#[tokio::test]
async fn a_child_is_applied_and_a_converged_primary_leads_to_no_request() {
    let world = World::start().await;
    world.widget("w").await;
    let script = Script::new(owns_config_maps(), wants("ours"));
    let controller = world.controller(script.clone()).await;
    let child = world.get(&CONFIG_MAP, "child").await.expect("a child");
    assert_eq!(child["data"]["key"], "ours");
    let owner = &child["metadata"]["ownerReferences"][0];
    assert_eq!((owner["kind"].as_str(), owner["controller"].as_bool()), (Some("Widget"), Some(true)));
    assert_eq!(child["metadata"]["managedFields"][0]["manager"], "widgets");

    let (requests, calls) = (world.requests(), script.calls());
    world.touch("w").await;
    world.settle(&controller).await;
    assert!(script.calls() > calls, "the change was looked at");
    assert_eq!(world.requests(), requests, "and led to no request");
}

#[tokio::test]
async fn a_new_child_is_created_by_one_request() {
    let world = World::start().await;
    world.widget("w").await;
    let mark = world.server.requests().mark();
    let _controller = world.controller(Script::new(owns_config_maps(), wants("ours"))).await;
    let writes = world.writes_since(mark);
    let verbs: Vec<&str> = writes.iter().map(|entry| &*entry.request.verb).collect();
    assert_eq!(verbs, ["create"]);
    let reads = Matcher::any().user_agent(CONTROLLER).verb("get").resource("", "configmaps");
    assert_eq!(world.server.requests().count(&reads), 0);
}

/// Wants one ConfigMap with the members of the primary's `spec`.
fn wants_spec(observed: &Observed) -> Plan {
    let mut child = config_map("child", "ours");
    child["data"] = json_of(&observed.primary)["spec"].clone();
    let is_as_wanted = observed.owned.iter().any(|owned| json_of(owned)["data"] == child["data"]);
    let apply = if is_as_wanted { Vec::new() } else { vec![child.to_string()] };
    Plan { apply, ..Plan::default() }
}

#[tokio::test]
async fn a_field_that_is_not_wanted_any_more_leaves_a_created_child() {
    let world = World::start().await;
    world.create(&WIDGET, "w", json!({"spec": {"a": "1", "b": "2"}})).await;
    let controller = world.controller(Script::new(owns_config_maps(), wants_spec)).await;
    let mark = world.server.requests().mark();
    world.edit(&WIDGET, "w", json!({"spec": {"a": "1", "b": null}})).await;
    world.settle(&controller).await;
    let child = world.get(&CONFIG_MAP, "child").await.expect("a child");
    assert_eq!(child["data"], json!({"a": "1"}));
    let managers = child["metadata"]["managedFields"].as_array().expect("managers");
    assert_eq!((managers.len(), managers[0]["operation"].as_str()), (1, Some("Apply")));
    // Only the first apply takes the fields of the creation over.
    let of_controller = |mark: u64| {
        world.writes_since(mark).into_iter().filter(|one| one.request.resource == "configmaps").count()
    };
    assert_eq!(of_controller(mark), 2);
    let mark = world.server.requests().mark();
    world.edit(&WIDGET, "w", json!({"spec": {"a": "3"}})).await;
    world.settle(&controller).await;
    assert_eq!(world.get(&CONFIG_MAP, "child").await.expect("a child")["data"], json!({"a": "3"}));
    assert_eq!(of_controller(mark), 1);
}

#[tokio::test]
async fn a_child_that_the_cache_does_not_know_yet_is_applied_and_not_created() {
    let world = World::start().await;
    let widget = world.widget("w").await;
    let script = Script::new(owns_config_maps(), |observed: &Observed| {
        let mut plan = Plan::default();
        if text_at(&observed.primary, "/spec/wants") == "child" {
            plan.apply.push(config_map("child", "ours").to_string());
        }
        plan
    });
    let controller = world.controller(script.clone()).await;
    let config_maps = Matcher::any().resource("", "configmaps");
    assert!(world.server.faults().freeze_watches(&config_maps) > 0);
    let mut theirs = json!({"metadata": crate::world::owned_by(&widget)});
    theirs["data"] = json!({"key": "theirs"});
    world.create(&CONFIG_MAP, "child", theirs).await;
    world.edit(&WIDGET, "w", json!({"spec": {"wants": "child"}})).await;
    script
        .until("our value", |seen| seen.owned.iter().any(|child| text_at(child, "/data/key") == "ours"))
        .await;
    world.server.faults().thaw_watches(&config_maps);
    world.settle(&controller).await;
}

#[tokio::test]
async fn a_deleted_child_is_created_again() {
    let world = World::start().await;
    world.widget("w").await;
    let controller = world.controller(Script::new(owns_config_maps(), wants("ours"))).await;
    world.delete(&CONFIG_MAP, "child").await;
    world.settle(&controller).await;
    assert!(world.get(&CONFIG_MAP, "child").await.is_some());
}

#[tokio::test]
async fn an_edit_is_taken_back_by_one_write() {
    let world = World::start().await;
    world.widget("w").await;
    let controller = world.controller(Script::new(owns_config_maps(), wants("ours"))).await;
    // The first apply also takes over the fields of the creation.
    for (edit, writes) in [("theirs", 2), ("theirs again", 1)] {
        let mark = world.server.requests().mark();
        world.edit(&CONFIG_MAP, "child", json!({"data": {"key": edit}})).await;
        world.settle(&controller).await;
        let child = world.get(&CONFIG_MAP, "child").await.expect("a child");
        assert_eq!(child["data"]["key"], "ours");
        assert_eq!(world.writes_since(mark).len(), writes, "{edit}");
    }
}

#[tokio::test]
async fn a_field_that_is_edited_again_and_again_is_left_after_five_times() {
    let world = World::start().await;
    world.widget("w").await;
    let script = Script::new(owns_config_maps(), wants("ours"));
    let controller = world.controller(script.clone()).await;
    for round in 1..=6 {
        world.edit(&CONFIG_MAP, "child", json!({"data": {"key": format!("theirs {round}")}})).await;
        world.settle(&controller).await;
        let child = world.get(&CONFIG_MAP, "child").await.expect("a child");
        let expected = if round <= 5 { "ours" } else { "theirs 6" };
        assert_eq!(child["data"]["key"], expected, "round {round}");
    }
    let failure = script.last().failures.remove(0);
    assert_eq!((failure.verb, &failure.reason), (Verb::Apply, &FailureReason::FieldOwnedByOther));
    assert!(failure.message.contains("data.key (set by kubectl-edit)"), "{}", failure.message);
}

#[tokio::test]
async fn a_field_that_another_manager_applies_is_left_to_it() {
    let world = World::start().await;
    world.widget("w").await;
    let script = Script::new(owns_config_maps(), wants("ours"));
    let controller = world.controller(script.clone()).await;
    let theirs: DynamicObject = serde_json::from_value(config_map("child", "theirs")).expect("an object");
    let parameters = PatchParams::apply("gitops").force();
    let api = world.api(&CONFIG_MAP, LAB);
    api.patch("child", &parameters, &Patch::Apply(&theirs)).await.expect("an apply");
    world.settle(&controller).await;
    let child = world.get(&CONFIG_MAP, "child").await.expect("a child");
    assert_eq!(child["data"]["key"], "theirs");
    let failure = script.last().failures.remove(0);
    assert_eq!(failure.reason, FailureReason::FieldOwnedByOther);
    assert!(failure.message.contains("data.key (set by gitops)"), "{}", failure.message);
    let calls = script.calls();
    world.settle(&controller).await;
    assert_eq!(script.calls(), calls, "and is not tried again at once");
}

#[tokio::test]
async fn an_object_of_somebody_else_is_not_adopted() {
    let world = World::start().await;
    world.create(&CONFIG_MAP, "child", json!({"data": {"key": "theirs"}})).await;
    world.widget("w").await;
    let script = Script::new(owns_config_maps(), wants("ours"));
    let _controller = world.controller(script.clone()).await;
    let failure =
        script.until("a failure", |observed| !observed.failures.is_empty()).await.failures.remove(0);
    assert_eq!((failure.verb, failure.reason), (Verb::Apply, FailureReason::NotControlled));
    assert_eq!(failure.target.name, "child");
    let child = world.get(&CONFIG_MAP, "child").await.expect("a child");
    assert_eq!(child["data"]["key"], "theirs");
    assert!(child["metadata"].get("ownerReferences").is_none());
}

/// Deletes every child.
fn deletes_children(observed: &Observed) -> Plan {
    let targets = observed.owned.iter().map(|child| ObjectRef {
        kind: CONFIG_MAP,
        namespace: Some(LAB.to_owned()),
        name: text_at(child, "/metadata/name"),
        uid: Some(text_at(child, "/metadata/uid")),
    });
    Plan { delete: targets.collect(), ..Plan::default() }
}

#[tokio::test]
async fn a_child_is_deleted_once() {
    let world = World::start().await;
    let widget = world.widget("w").await;
    let controller = world.controller(Script::new(owns_config_maps(), deletes_children)).await;
    let mark = world.server.requests().mark();
    world.create(&CONFIG_MAP, "child", json!({"metadata": crate::world::owned_by(&widget)})).await;
    world.settle(&controller).await;
    assert!(world.get(&CONFIG_MAP, "child").await.is_none());
    assert_eq!(world.writes_since(mark).len(), 1);
}

#[tokio::test]
async fn a_later_object_of_the_same_name_is_not_deleted() {
    let world = World::start().await;
    let widget = world.widget("w").await;
    let owned = || json!({"metadata": crate::world::owned_by(&widget)});
    let old = world.create(&CONFIG_MAP, "child", owned()).await;
    let script = Script::new(owns_config_maps(), |observed: &Observed| {
        if text_at(&observed.primary, "/spec/delete") == "true" {
            deletes_children(observed)
        } else {
            Plan::default()
        }
    });
    let controller = world.controller(script.clone()).await;
    // The cache does not get to know that the child was deleted and created again.
    let config_maps = Matcher::any().resource("", "configmaps");
    assert!(world.server.faults().freeze_watches(&config_maps) > 0);
    world.delete(&CONFIG_MAP, "child").await;
    world.create(&CONFIG_MAP, "child", owned()).await;
    let mark = world.server.requests().mark();
    world.edit(&WIDGET, "w", json!({"spec": {"delete": "true"}})).await;
    let uid = old["metadata"]["uid"].as_str().expect("a UID").to_owned();
    script
        .until("the old child", |observed| {
            text_at(&observed.primary, "/spec/delete") == "true"
                && observed.owned.iter().all(|child| text_at(child, "/metadata/uid") != uid)
        })
        .await;
    let writes = world.writes_since(mark);
    assert_eq!((writes.len(), writes[0].status), (1, 409), "the precondition failed");
    assert!(world.get(&CONFIG_MAP, "child").await.is_some());
    world.server.faults().thaw_watches(&config_maps);
    world.settle(&controller).await;
}

#[tokio::test]
async fn the_status_is_written_and_nothing_else_of_the_primary() {
    let world = World::start().await;
    world.widget("w").await;
    let script = Script::new(owns_config_maps(), |observed: &Observed| {
        let mut widget = json_of(&observed.primary);
        let mut plan = Plan::default();
        if widget["status"]["phase"] != "Ready" {
            widget["status"] = json!({"phase": "Ready"});
            widget["spec"] = json!({"changed": "by the guest"});
            plan.status = Some(widget.to_string());
        }
        plan
    });
    let mark = world.server.requests().mark();
    let _controller = world.controller(script).await;
    let widget = world.get(&WIDGET, "w").await.expect("a widget");
    assert_eq!(widget["status"]["phase"], "Ready");
    assert!(widget.get("spec").is_none());
    let writes = world.writes_since(mark);
    assert_eq!(writes.len(), 1);
    assert_eq!(writes[0].request.subresource.as_deref(), Some("status"));
}

#[tokio::test]
async fn notes_of_events_are_cut_to_a_thousand_bytes() {
    let world = World::start().await;
    world.widget("w").await;
    let script = Script::new(owns_config_maps(), |_: &Observed| Plan {
        events: vec![Event {
            severity: Severity::Warning,
            reason: "TooLong".into(),
            action: "Tell".into(),
            note: "€".repeat(2_000),
        }],
        ..Plan::default()
    });
    let _controller = world.controller(script).await;
    let events = world.events("w").await;
    assert_eq!(events.len(), 1);
    let note = events[0].note.as_deref().expect("a note");
    assert!(note.len() <= 1_000 && note.ends_with("€..."), "{} bytes", note.len());
    assert_eq!(events[0].type_.as_deref(), Some("Warning"));
    assert_eq!((events[0].reason.as_deref(), events[0].action.as_deref()), (Some("TooLong"), Some("Tell")));
}

#[tokio::test]
async fn primaries_without_a_namespace_own_objects_in_any() {
    let gadget = Kind::cluster_scoped("example.org/v1", "Gadget", "gadgets");
    let world = World::start().await;
    world.define(&gadget).await;
    world.create(&gadget, "g", json!({})).await;
    let script =
        Script::new(orascache_contract::Description { primary: gadget, ..owns_config_maps() }, wants("ours"));
    let _controller = world.controller(script.clone()).await;
    assert_eq!(names(&script.last().owned), ["child"]);
}
