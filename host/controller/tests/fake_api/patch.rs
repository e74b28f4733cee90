//! Patches of related objects.

use crate::script::{CONFIG_MAP, Script, description, text_at};
use crate::world::{LAB, World, config_map};
use orascache_contract::{FailureReason, ObjectPatch, ObjectRef, Observed, Plan, Verb, WatchedKind};
use serde_json::json;
use std::sync::Arc;

/// Labels every related ConfigMap that has no label `seen`. The UID is the object's, or this one.
fn labels(uid: Option<&'static str>) -> Arc<Script> {
    let related = WatchedKind { patchable: true, ..WatchedKind::reduced(CONFIG_MAP, &["/data/key"]) };
    Script::new(description(Vec::new(), vec![related]), move |observed: &Observed| {
        let unlabelled =
            observed.related.iter().filter(|object| text_at(object, "/metadata/labels/seen").is_empty());
        let patches = unlabelled.map(|object| ObjectPatch {
            target: ObjectRef {
                kind: CONFIG_MAP,
                namespace: Some(LAB.to_owned()),
                name: text_at(object, "/metadata/name"),
                uid: Some(uid.map_or_else(|| text_at(object, "/metadata/uid"), str::to_owned)),
            },
            patch: json!([{"op": "add", "path": "/metadata/labels", "value": {"seen": "yes"}}]).to_string(),
        });
        Plan { patch: patches.collect(), ..Plan::default() }
    })
}

#[tokio::test]
async fn a_related_object_is_patched_once_and_shown_as_reduced() {
    let world = World::start().await;
    world.create(&CONFIG_MAP, "theirs", json!({"data": {"key": "v", "other": "long text"}})).await;
    world.widget("w").await;
    let script = labels(None);
    let mark = world.server.requests().mark();
    let _controller = world.controller(script.clone()).await;
    let theirs = world.get(&CONFIG_MAP, "theirs").await.expect("a ConfigMap");
    assert_eq!(theirs["metadata"]["labels"]["seen"], "yes");
    assert_eq!(theirs["data"]["other"], "long text");
    let managers = theirs["metadata"]["managedFields"].as_array().expect("managers");
    assert!(managers.iter().any(|entry| entry["manager"] == "widgets" && entry["operation"] == "Update"));
    assert_eq!(world.writes_since(mark).len(), 1);
    let shown = &script.last().related[0];
    assert_eq!(text_at(shown, "/metadata/labels/seen"), "yes");
    assert_eq!(text_at(shown, "/data/key"), "v");
    assert!(!shown.contains("long text"), "the answer to a patch is reduced like a watched state");
}

/// Makes a ConfigMap, releases it, and labels it once nothing controls it.
fn releases() -> Arc<Script> {
    let owned = WatchedKind::whole(CONFIG_MAP);
    let related = WatchedKind { patchable: true, ..WatchedKind::whole(CONFIG_MAP) };
    Script::new(description(vec![owned], vec![related]), |observed: &Observed| {
        let patched = |object: &str, patch: serde_json::Value| ObjectPatch {
            target: ObjectRef {
                kind: CONFIG_MAP,
                namespace: Some(LAB.to_owned()),
                name: text_at(object, "/metadata/name"),
                uid: Some(text_at(object, "/metadata/uid")),
            },
            patch: patch.to_string(),
        };
        let mut plan = Plan::default();
        match (observed.owned.first(), observed.related.first()) {
            (Some(child), _) => {
                let release = json!([{"op": "remove", "path": "/metadata/ownerReferences/0"}]);
                plan.patch.push(patched(child, release));
            }
            (None, Some(free)) if text_at(free, "/metadata/labels/seen").is_empty() => {
                let label = json!([{"op": "add", "path": "/metadata/labels", "value": {"seen": "yes"}}]);
                plan.patch.push(patched(free, label));
            }
            (None, Some(_)) => {}
            (None, None) => plan.apply.push(config_map("kept", "v").to_string()),
        }
        plan
    })
}

#[tokio::test]
async fn a_child_is_released_and_can_still_be_patched() {
    let world = World::start().await;
    world.widget("w").await;
    let script = releases();
    let controller = world.controller(script.clone()).await;
    world.settle(&controller).await;
    let kept = world.get(&CONFIG_MAP, "kept").await.expect("a ConfigMap");
    assert!(kept["metadata"].get("ownerReferences").is_none(), "{kept}");
    assert_eq!(kept["metadata"]["labels"]["seen"], "yes");
    assert!(script.last().owned.is_empty() && script.last().failures.is_empty());
}

#[tokio::test]
async fn an_object_with_another_uid_is_not_patched() {
    let world = World::start().await;
    let before = world.create(&CONFIG_MAP, "theirs", json!({"data": {"key": "v"}})).await;
    world.widget("w").await;
    let script = labels(Some("00000000-0000-0000-0000-000000000000"));
    let _controller = world.controller(script.clone()).await;
    let reported = script.until("a failure", |observed| !observed.failures.is_empty()).await;
    let failure = &reported.failures[0];
    assert_eq!((failure.verb, &failure.reason), (Verb::Patch, &FailureReason::Invalid));
    assert_eq!(world.get(&CONFIG_MAP, "theirs").await, Some(before));
}
