//! What a plan for an object of others may not do.

use crate::attending::{Store, options, this};
use crate::script::{CONFIG_MAP, Script, WIDGET, description, text_at};
use crate::world::{LAB, World, config_map};
use orascache_contract::{FailureReason, ObjectPatch, ObjectRef, Observed, Plan, Verb, WatchedKind};
use orascache_controller::Options;
use serde_json::{Value, json};
use std::sync::Arc;

const LABEL: &str = r#"[{"op":"add","path":"/metadata/labels/seen","value":"yes"}]"#;

fn overreach(observed: &Observed, another: &Value) -> Plan {
    let patch = |target: ObjectRef, patch: &str| Plan {
        patch: vec![ObjectPatch { target, patch: patch.to_owned() }],
        ..Plan::default()
    };
    let owners = r#"[{"op":"add","path":"/metadata/ownerReferences","value":[]}]"#;
    let uid = another["metadata"]["uid"].as_str().map(str::to_owned);
    match text_at(&observed.primary, "/spec/for").as_str() {
        "another" => patch(ObjectRef { name: "target".to_owned(), uid, ..this(observed) }, LABEL),
        "another-uid" => patch(ObjectRef { uid, ..this(observed) }, LABEL),
        "without-uid" => patch(ObjectRef { uid: None, ..this(observed) }, LABEL),
        "elsewhere" => patch(ObjectRef { namespace: Some("other".to_owned()), ..this(observed) }, LABEL),
        "owners" => patch(this(observed), owners),
        "related" => patch(ObjectRef { kind: CONFIG_MAP, ..this(observed) }, LABEL),
        "delete" => Plan { delete: vec![this(observed)], ..Plan::default() },
        "apply" => Plan { apply: vec![config_map("c", "v").to_string()], ..Plan::default() },
        "status" => Plan { status: Some(observed.primary.to_string()), ..Plan::default() },
        _ => Plan::default(),
    }
}

#[tokio::test]
async fn a_plan_for_an_object_of_others_patches_this_object_and_writes_nothing_else() {
    let world = World::start().await;
    let another = world.create(&WIDGET, "target", json!({"metadata": {"labels": {"a": "b"}}})).await;
    let cases = [
        ("another", Verb::Patch),
        ("another-uid", Verb::Patch),
        ("without-uid", Verb::Patch),
        ("elsewhere", Verb::Patch),
        ("owners", Verb::Patch),
        ("related", Verb::Patch),
        ("delete", Verb::Delete),
        ("apply", Verb::Apply),
        ("status", Verb::Apply),
    ];
    for (case, _) in cases {
        let metadata = json!({"labels": {"waits": "yes"}});
        world.create(&WIDGET, case, json!({"metadata": metadata, "spec": {"for": case}})).await;
    }
    let related = vec![WatchedKind::reduced(CONFIG_MAP, &[])];
    let script = Script::new(description(Vec::new(), related), move |observed: &Observed| {
        overreach(observed, &another)
    });
    let mark = world.server.requests().mark();
    let (store, mut metrics) = (Arc::new(Store::default()), Default::default());
    let _controller = world.controller_with(script.clone(), options(&store), &mut metrics).await;
    for (case, verb) in cases {
        let failed = |observed: &Observed| {
            text_at(&observed.primary, "/spec/for") == case && !observed.failures.is_empty()
        };
        let failure = &script.until(case, failed).await.failures[0];
        assert_eq!((failure.verb, &failure.reason), (verb, &FailureReason::NotPermitted), "{case}");
    }
    let writes = world.writes_since(mark);
    assert!(writes.is_empty(), "{writes:?}");
}

#[tokio::test]
async fn objects_of_others_are_patched_only_where_the_guest_asked_for_that() {
    let world = World::start().await;
    world.create(&WIDGET, "w", json!({"metadata": {"labels": {"waits": "yes"}}})).await;
    let script = Script::new(description(Vec::new(), Vec::new()), |observed: &Observed| Plan {
        patch: vec![ObjectPatch { target: this(observed), patch: LABEL.to_owned() }],
        ..Plan::default()
    });
    let mut options = options(&Arc::new(Store::default()));
    if let Some(attending) = &mut options.attending {
        attending.patchable = false;
    }
    let options = Options { namespaces: vec![LAB.to_owned()], ..options };
    let _controller = world.controller_with(script.clone(), options, &mut Default::default()).await;
    let reported = script.until("a failure", |observed: &Observed| !observed.failures.is_empty()).await;
    assert_eq!(reported.failures[0].reason, FailureReason::NotPermitted);
    let widget = world.get(&WIDGET, "w").await.expect("a widget");
    assert_eq!(widget["metadata"]["labels"], json!({"waits": "yes"}));
}
