//! A controller for listed namespaces.

use crate::script::{CONFIG_MAP, Script, WIDGET, description, names, text_at};
use crate::world::{DEFAULT, LAB, OTHER, World, owned_by};
use fake_kube::{Fault, Matcher};
use orascache_contract::{Description, FailureReason, Kind, Observed, Plan, WatchedKind};
use orascache_controller::Options;
use serde_json::json;
use std::collections::BTreeSet;
use std::sync::Arc;

const NAMESPACE: Kind = Kind::cluster_scoped("v1", "Namespace", "namespaces");
const PLANT: Kind = Kind::cluster_scoped("example.org/v1", "Plant", "plants");

/// Options for the lab and one other namespace.
fn two_namespaces() -> Options {
    Options { namespaces: vec![LAB.to_owned(), OTHER.to_owned()], ..World::options() }
}

fn watching(owned: Vec<WatchedKind>) -> Arc<Script> {
    Script::new(description(owned, Vec::new()), |_: &Observed| Plan::default())
}

fn namespace(observed: &Observed) -> String {
    text_at(&observed.primary, "/metadata/namespace")
}

/// Watches of the controller.
fn watches_of(plural: &str) -> Matcher {
    Matcher::any().user_agent("controller").verb("watch").resource("", plural)
}

#[tokio::test]
async fn objects_outside_of_the_listed_namespaces_are_not_asked_for() {
    let world = World::start().await;
    for place in [LAB, OTHER, DEFAULT] {
        let widget = world.create_in(place, &WIDGET, "w", json!({})).await;
        world.create_in(place, &CONFIG_MAP, "c", json!({"metadata": owned_by(&widget)})).await;
    }
    let owned = vec![WatchedKind::whole(CONFIG_MAP), WatchedKind::whole(NAMESPACE)];
    let script = watching(owned);
    let mut registry = Default::default();
    let controller = world.controller_with(script.clone(), two_namespaces(), &mut registry).await;
    assert_eq!(script.calls(), 2);
    for place in [LAB, OTHER] {
        let shown = script.until(place, |observed| namespace(observed) == place).await;
        assert_eq!(names(&shown.owned), ["c"]);
    }
    let later = world.create_in(DEFAULT, &WIDGET, "later", json!({})).await;
    world.create_in(DEFAULT, &CONFIG_MAP, "d", json!({"metadata": owned_by(&later)})).await;
    world.settle(&controller).await;
    assert_eq!(script.calls(), 2);

    let asked = |plural: &str| {
        let requests = world.server.requests().distinct(&Matcher::any().user_agent("controller"));
        let of_kind = requests.into_iter().filter(|request| request.resource == plural);
        of_kind.map(|request| request.namespace).collect::<BTreeSet<Option<String>>>()
    };
    let listed = BTreeSet::from([Some(LAB.to_owned()), Some(OTHER.to_owned())]);
    assert_eq!(asked("widgets"), listed);
    assert_eq!(asked("configmaps"), listed);
    assert_eq!(asked("namespaces"), BTreeSet::from([None]));
    assert_eq!(world.server.faults().open_watches(&watches_of("configmaps")), 2);
    assert_eq!(world.server.faults().open_watches(&watches_of("namespaces")), 1);
}

#[tokio::test]
async fn a_relist_in_one_namespace_forgets_nothing_of_another() {
    let world = World::start().await;
    for place in [LAB, OTHER] {
        let widget = world.create_in(place, &WIDGET, "w", json!({})).await;
        for name in ["a", "b"] {
            world.create_in(place, &CONFIG_MAP, name, json!({"metadata": owned_by(&widget)})).await;
        }
    }
    let script = watching(vec![WatchedKind::whole(CONFIG_MAP)]);
    let mut registry = Default::default();
    let controller = world.controller_with(script.clone(), two_namespaces(), &mut registry).await;
    let calls = script.calls();

    // The deletion is neither delivered nor in the history: only a list shows it.
    let watch = watches_of("configmaps").namespace(LAB);
    assert_eq!(world.server.faults().freeze_watches(&watch), 1);
    world.delete(&CONFIG_MAP, "a").await;
    world.server.faults().expire_history();
    assert_eq!(world.server.faults().drop_watches(&watch), 1);
    world.settle(&controller).await;
    let shown = script.last();
    assert_eq!((namespace(&shown).as_str(), names(&shown.owned)), (LAB, vec!["b".to_owned()]));
    assert_eq!(script.calls(), calls + 1, "nothing changed in the other namespace");

    let patch = json!({"metadata": {"labels": {"look": "again"}}});
    let api = world.api(&WIDGET, OTHER);
    api.patch("w", &Default::default(), &kube::api::Patch::Merge(&patch)).await.expect("an edit");
    world.settle(&controller).await;
    let shown = script.last();
    assert_eq!((namespace(&shown).as_str(), names(&shown.owned)), (OTHER, vec!["a".into(), "b".into()]));
}

#[tokio::test]
async fn an_optional_kind_is_absent_in_the_namespaces_that_refuse_it() {
    let world = World::start().await;
    for place in [LAB, OTHER] {
        let widget = world.create_in(place, &WIDGET, "w", json!({})).await;
        world.create_in(place, &CONFIG_MAP, "c", json!({"metadata": owned_by(&widget)})).await;
    }
    let refused = Matcher::any().user_agent("controller").resource("", "configmaps").namespace(OTHER);
    world.server.faults().inject(refused, Fault::Answer { code: 403, retry_after: None }, usize::MAX);
    let script = watching(vec![WatchedKind::whole(CONFIG_MAP).or_absent()]);
    let mut registry = Default::default();
    let controller = world.begin(script.clone(), two_namespaces(), &mut registry).await;
    let controller = controller.expect("the controller starts");
    let there = |observed: &Observed| namespace(observed) == OTHER;
    let shown = script.until("the other namespace", there).await;
    assert_eq!((shown.owned.len(), shown.absent), (0, vec![CONFIG_MAP]));
    let shown = script.until("the lab", |observed| !there(observed)).await;
    assert_eq!((names(&shown.owned), shown.absent), (vec!["c".into()], vec![]));

    world.server.faults().clear();
    world.settle(&controller).await;
    let shown = script.last();
    assert_eq!((namespace(&shown).as_str(), names(&shown.owned)), (OTHER, vec!["c".to_owned()]));
    assert_eq!(shown.absent, []);
}

#[tokio::test]
async fn workers_wait_for_every_listed_namespace() {
    let world = World::start().await;
    world.widget("w").await;
    let failing = Matcher::any().user_agent("controller").resource("", "configmaps").namespace(OTHER);
    let answer = Fault::Answer { code: 500, retry_after: None };
    let fault = world.server.faults().inject(failing, answer, 1_000_000);
    let script = watching(vec![WatchedKind::whole(CONFIG_MAP)]);
    let mut registry = Default::default();
    let controller = world.begin(script.clone(), two_namespaces(), &mut registry).await;
    let controller = controller.expect("the controller starts");
    // All other lists were answered, and the failing one was tried.
    let everything_else = Matcher::any().user_agent("controller").verb("watch");
    while world.server.faults().open_watches(&everything_else) < 3
        || world.server.faults().remaining(fault) == 1_000_000
    {
        tokio::task::yield_now().await;
    }
    assert!(!controller.is_synced());
    assert_eq!(script.calls(), 0);
    world.server.faults().clear();
    world.settle(&controller).await;
    assert_eq!(script.calls(), 1);
}

#[tokio::test]
async fn a_primary_without_a_namespace_may_not_write_outside_of_the_listed_ones() {
    let world = World::start().await;
    world.define(&PLANT).await;
    world.create(&PLANT, "p", json!({})).await;
    let owned = vec![WatchedKind::whole(CONFIG_MAP)];
    let described = Description { primary: PLANT, ..description(owned, Vec::new()) };
    let script = Script::new(described, |observed: &Observed| {
        let missing = [LAB, DEFAULT].into_iter().filter(|place| {
            !observed.owned.iter().any(|child| text_at(child, "/metadata/namespace") == *place)
        });
        let child = |place| {
            let metadata = json!({"name": "child", "namespace": place});
            json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata}).to_string()
        };
        Plan { apply: missing.map(child).collect(), ..Plan::default() }
    });
    let mut registry = Default::default();
    let _controller = world.controller_with(script.clone(), two_namespaces(), &mut registry).await;
    let shown = script.until("a refusal", |observed| !observed.failures.is_empty()).await;
    assert_eq!(shown.failures[0].reason, FailureReason::NotPermitted);
    let message = &shown.failures[0].message;
    assert!(message.contains("does not watch") && message.contains(DEFAULT), "{message}");
    assert!(world.get(&CONFIG_MAP, "child").await.is_some());
    assert!(world.get_in(DEFAULT, &CONFIG_MAP, "child").await.is_none());
}

#[tokio::test]
async fn a_text_that_cannot_be_a_namespace_is_refused_with_a_sentence() {
    let world = World::start().await;
    let script = watching(Vec::new());
    let options = Options { namespaces: vec!["lab/pods".to_owned()], ..World::options() };
    let refused = world.begin(script, options, &mut Default::default()).await.err();
    let refused = refused.expect("no controller").to_string();
    assert!(refused.contains("\"lab/pods\"") && refused.contains("hyphens"), "{refused}");
}
