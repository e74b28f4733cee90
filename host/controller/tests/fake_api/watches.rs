//! Which objects are watched, and what of them is shown.

use crate::script::{CONFIG_MAP, POD, SECRET, Script, description, json_of, names, text_at};
use crate::world::{World, owned_by};
use fake_kube::{Fault, Matcher};
use orascache_contract::{Description, Kind, Observed, Plan, WatchedKind};
use serde_json::json;
use std::sync::Arc;

const GADGET: Kind = Kind::namespaced("example.org/v1", "Gadget", "gadgets");

fn watching(description: Description) -> Arc<Script> {
    Script::new(description, |_: &Observed| Plan::default())
}

#[tokio::test]
async fn an_optional_kind_comes_and_goes_with_its_definition() {
    let world = World::start().await;
    let widget = world.widget("w").await;
    let owned = vec![WatchedKind::whole(GADGET).or_absent()];
    let script = watching(description(owned, Vec::new()));
    let controller = world.controller(script.clone()).await;
    assert_eq!(script.last().absent, [GADGET], "the controller does not wait for it");

    world.define(&GADGET).await;
    world.settle(&controller).await;
    assert_eq!(script.last().absent, []);
    world.create(&GADGET, "g", json!({"metadata": owned_by(&widget)})).await;
    world.settle(&controller).await;
    assert_eq!(names(&script.last().owned), ["g"]);

    world.undefine(&GADGET).await;
    let gone = script.calls();
    world.settle(&controller).await;
    assert!(script.calls() > gone || script.last().absent == [GADGET]);
    let last = script.last();
    assert_eq!((last.absent, last.owned.len()), (vec![GADGET], 0));
}

#[tokio::test]
async fn an_optional_kind_that_may_not_be_listed_is_absent() {
    let world = World::start().await;
    world.create(&CONFIG_MAP, "c", json!({})).await;
    world.widget("w").await;
    let forbidden = Matcher::any().user_agent("controller").resource("", "configmaps");
    world.server.faults().inject(forbidden, Fault::Answer { code: 403, retry_after: None }, 3);
    let related = vec![WatchedKind::whole(CONFIG_MAP).or_absent()];
    let script = watching(description(Vec::new(), related));
    let _controller = world.controller(script.clone()).await;
    script.until("the absence", |observed| observed.absent == [CONFIG_MAP]).await;
    script
        .until("its objects", |observed| observed.absent.is_empty() && names(&observed.related) == ["c"])
        .await;
}

#[tokio::test]
async fn objects_without_the_labels_are_not_shown() {
    let world = World::start().await;
    world.create(&CONFIG_MAP, "with", json!({"metadata": {"labels": {"for": "us"}}})).await;
    world.create(&CONFIG_MAP, "without", json!({})).await;
    world.widget("w").await;
    let related = vec![WatchedKind::whole(CONFIG_MAP).with_labels("for=us")];
    let script = watching(description(Vec::new(), related));
    let controller = world.controller(script.clone()).await;
    assert_eq!(names(&script.last().related), ["with"]);
    world.edit(&CONFIG_MAP, "without", json!({"metadata": {"labels": {"for": "us"}}})).await;
    world.edit(&CONFIG_MAP, "with", json!({"metadata": {"labels": {"for": null}}})).await;
    world.settle(&controller).await;
    assert_eq!(names(&script.last().related), ["without"]);
    world.edit(&CONFIG_MAP, "with", json!({"metadata": {"labels": {"for": "us"}}})).await;
    world.settle(&controller).await;
    assert_eq!(names(&script.last().related), ["with", "without"], "it was not deleted");
}

#[tokio::test]
async fn related_objects_are_reduced_and_changes_of_other_fields_lead_to_no_call() {
    let world = World::start().await;
    let annotated = json!({"metadata": {"annotations": {"long": "text"}, "labels": {"a": "b"}}});
    let mut config_map = annotated.clone();
    config_map["data"] = json!({"read": "this", "ignored": "that"});
    world.create(&CONFIG_MAP, "c", config_map).await;
    let mut secret = annotated;
    secret["stringData"] = json!({"password": "p"});
    world.create(&SECRET, "s", secret).await;
    world.widget("w").await;
    let related = vec![
        WatchedKind::reduced(CONFIG_MAP, &["/data/read"]),
        WatchedKind::reduced(SECRET, &["/data/password"]),
    ];
    let script = watching(description(Vec::new(), related));
    let controller = world.controller(script.clone()).await;
    let shown = script.last().related;
    let config_map = json_of(&shown[0]);
    assert_eq!(config_map["data"], json!({"read": "this"}));
    let metadata: Vec<&String> = config_map["metadata"].as_object().expect("metadata").keys().collect();
    assert_eq!(metadata, ["labels", "name", "namespace", "uid"]);
    assert!(json_of(&shown[1]).get("data").is_none(), "Secrets are metadata only: {}", shown[1]);
    assert!(!shown[1].contains("long"));

    let calls = script.calls();
    world.edit(&CONFIG_MAP, "c", json!({"data": {"ignored": "changed"}})).await;
    world.settle(&controller).await;
    assert_eq!(script.calls(), calls);
    world.edit(&CONFIG_MAP, "c", json!({"data": {"read": "changed"}})).await;
    world.settle(&controller).await;
    assert_eq!(text_at(&script.last().related[0], "/data/read"), "changed");
}

#[tokio::test]
async fn of_a_kind_that_is_owned_too_children_are_whole_and_others_reduced() {
    let world = World::start().await;
    let widget = world.widget("w").await;
    let mut owned = json!({"metadata": owned_by(&widget), "data": {"k": "v"}});
    world.create(&CONFIG_MAP, "owned", owned.take()).await;
    world.create(&CONFIG_MAP, "theirs", json!({"data": {"k": "v"}})).await;
    let owned = vec![WatchedKind::whole(CONFIG_MAP)];
    let script = watching(description(owned, vec![WatchedKind::reduced(CONFIG_MAP, &[])]));
    let _controller = world.controller(script.clone()).await;
    let shown = script.last();
    assert_eq!((names(&shown.owned), names(&shown.related)), (vec!["owned".into()], vec!["theirs".into()]));
    assert_eq!(text_at(&shown.owned[0], "/data/k"), "v");
    assert!(json_of(&shown.related[0]).get("data").is_none(), "{}", shown.related[0]);
}

#[tokio::test]
async fn a_kind_that_is_needed_is_waited_for() {
    let world = World::start().await;
    world.widget("w").await;
    let script = watching(description(vec![WatchedKind::whole(GADGET)], Vec::new()));
    let controller = world
        .begin(script.clone(), World::options(), &mut Default::default())
        .await
        .expect("the controller starts");
    assert!(!controller.is_synced());
    assert_eq!(script.calls(), 0);
    world.define(&GADGET).await;
    world.settle(&controller).await;
    assert_eq!(script.last().absent, []);
}

#[tokio::test]
async fn a_description_that_cannot_be_used_is_refused_with_a_sentence() {
    let world = World::start().await;
    let related = vec![WatchedKind::reduced(POD, &["spec.nodeName"])];
    let script = watching(description(Vec::new(), related));
    let started = world.begin(script, World::options(), &mut Default::default()).await;
    let refused = started.err().expect("no controller").to_string();
    assert!(refused.contains("Pod of v1") && refused.contains("\"/spec/accessModes\""), "{refused}");
}
