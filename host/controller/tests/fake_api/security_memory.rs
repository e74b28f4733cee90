//! Large objects of others: neither the cache nor a reconciler gets more of them than is read.

use crate::script::{CONFIG_MAP, SECRET, Script, WIDGET, description, json_of, names, text_at};
use crate::world::{OTHER, World, config_map, owned_by};
use orascache_contract::{Observed, Plan, WatchedKind};
use serde_json::json;

/// How many Secrets with long annotations there are.
const CROWD: usize = 400;
/// Length of the annotations of each. The test of the cache has longer ones, without an API server.
const ANNOTATION_BYTES: usize = 10_000;
/// What a reconciler may be handed of each, beside what it reads.
const IDENTITY_BYTES: usize = 512;

#[tokio::test]
async fn secrets_with_long_annotations_reach_a_reconciler_without_them() {
    let world = World::start().await;
    world.widget("w").await;
    let long = "x".repeat(ANNOTATION_BYTES);
    for number in 0..CROWD {
        let annotated = json!({"metadata": {"annotations": {"long": long}}});
        world.create(&SECRET, &format!("s{number}"), annotated).await;
    }
    let owned = vec![WatchedKind::whole(SECRET)];
    let related = vec![WatchedKind::reduced(SECRET, &[])];
    let script = Script::new(description(owned, related), |_: &Observed| Plan::default());
    let _controller = world.controller(script.clone()).await;
    let shown = script.last();
    assert_eq!((shown.related.len(), shown.omitted, shown.failures), (CROWD, vec![], vec![]));
    let bytes: usize = shown.related.iter().map(|text| text.len()).sum();
    assert!(bytes < CROWD * IDENTITY_BYTES, "{bytes} bytes");
}

#[tokio::test]
async fn an_annotation_of_a_secret_is_kept_when_it_is_declared() {
    let world = World::start().await;
    world.widget("w").await;
    let annotated = json!({"metadata": {"annotations": {"example.org/read": "this", "long": "that"}}});
    world.create(&SECRET, "s", annotated).await;
    let related = vec![WatchedKind::reduced(SECRET, &["/metadata/annotations/example.org~1read"])];
    let script = Script::new(description(Vec::new(), related), |_: &Observed| Plan::default());
    let _controller = world.controller(script.clone()).await;
    let secret = json_of(&script.last().related[0]);
    assert_eq!(secret["metadata"]["annotations"], json!({"example.org/read": "this"}));
}

#[tokio::test]
async fn an_owned_kind_is_watched_with_its_label_selector() {
    let world = World::start().await;
    let widget = world.widget("w").await;
    let mut labelled = owned_by(&widget);
    labelled["labels"] = json!({"managed-by": "widgets"});
    world.create(&CONFIG_MAP, "labelled", json!({"metadata": labelled})).await;
    world.create(&CONFIG_MAP, "bare", json!({"metadata": owned_by(&widget)})).await;
    let owned = vec![WatchedKind::whole(CONFIG_MAP).with_labels("managed-by=widgets")];
    let script = Script::new(description(owned, Vec::new()), |_: &Observed| Plan::default());
    let controller = world.controller(script.clone()).await;
    assert_eq!(names(&script.last().owned), ["labelled"]);
    let calls = script.calls();
    world.edit(&CONFIG_MAP, "bare", json!({"data": {"k": "v"}})).await;
    world.settle(&controller).await;
    assert_eq!(script.calls(), calls, "no event arrives for an object without the label");
}

#[tokio::test]
async fn a_related_kind_with_too_much_text_is_omitted_and_plans_are_carried_out() {
    let world = World::start().await;
    let megabyte = "x".repeat(1_000_000);
    for number in 0..9 {
        world.create(&CONFIG_MAP, &format!("c{number}"), json!({"data": {"k": megabyte}})).await;
    }
    world.create(&SECRET, "s", json!({})).await;
    world.widget("w").await;
    world.create_in(OTHER, &WIDGET, "elsewhere", json!({})).await;
    let related = vec![WatchedKind::whole(CONFIG_MAP), WatchedKind::whole(SECRET)];
    let script = Script::new(description(vec![WatchedKind::whole(CONFIG_MAP)], related), |observed| {
        let mut plan = Plan::default();
        if observed.owned.is_empty() && text_at(&observed.primary, "/metadata/name") == "w" {
            plan.apply.push(config_map("child", "ours").to_string());
        }
        plan
    });
    let controller = world.controller(script.clone()).await;
    let of =
        |name: &'static str| move |observed: &Observed| text_at(&observed.primary, "/metadata/name") == name;
    let shown = script.until("w", |observed| of("w")(observed) && !observed.owned.is_empty()).await;
    assert_eq!((names(&shown.related), shown.omitted), (vec!["s".into()], vec![CONFIG_MAP]));
    assert_eq!((names(&shown.owned), shown.failures), (vec!["child".into()], vec![]));
    assert_eq!(script.until("elsewhere", of("elsewhere")).await.omitted, []);
    world.delete(&CONFIG_MAP, "c0").await;
    world.settle(&controller).await;
    let shown = script.last();
    assert_eq!((shown.related.len(), shown.omitted.len()), (9, 0));
}
