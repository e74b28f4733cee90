//! Answers that refuse, conflict, or do not come.

use crate::script::{CONFIG_MAP, Script, description, names, text_at};
use crate::world::{LAB, World, config_map};
use fake_kube::{Fault, Matcher};
use k8s_openapi::api::core::v1::Namespace;
use kube::Api;
use kube::api::DeleteParams;
use orascache_contract::{Event, FailureReason, Observed, Plan, Severity, Verb, WatchedKind};
use orascache_controller::Options;
use prometheus_client::encoding::text::encode;
use prometheus_client::registry::Registry;
use serde_json::json;
use std::sync::Arc;
use std::sync::atomic::AtomicUsize;
use std::sync::atomic::Ordering::Relaxed;

fn script() -> Arc<Script> {
    Script::new(description(vec![WatchedKind::whole(CONFIG_MAP)], Vec::new()), |observed: &Observed| {
        let mut plan = Plan::default();
        if observed.owned.is_empty() {
            plan.apply.push(config_map("child", "ours").to_string());
        }
        plan
    })
}

fn creations() -> Matcher {
    Matcher::any().verb("create").resource("", "configmaps")
}

fn answer(code: u16) -> Fault {
    Fault::Answer { code, retry_after: None }
}

#[tokio::test]
async fn a_failed_write_is_reported_and_tried_again() {
    for (fault, code, reason) in [
        (answer(403), 403, FailureReason::Forbidden),
        (answer(404), 404, FailureReason::NotFound),
        (answer(422), 422, FailureReason::Invalid),
        (answer(429), 429, FailureReason::TooManyRequests),
        (answer(500), 500, FailureReason::Other("InternalError".to_owned())),
        (Fault::LoseResponse, 0, FailureReason::Unreachable),
    ] {
        let world = World::start().await;
        world.widget("w").await;
        world.server.faults().inject(creations(), fault, 1);
        let script = script();
        let controller = world.controller(script.clone()).await;
        let what = format!("a failure with {reason:?}");
        let reported = script.until(&what, |observed| !observed.failures.is_empty()).await;
        let failure = &reported.failures[0];
        assert_eq!((failure.verb, failure.code, &failure.reason), (Verb::Apply, code, &reason));
        assert!(failure.target.name == "child" && !failure.message.is_empty());
        script.until("the child", |observed| names(&observed.owned) == ["child"]).await;
        world.settle(&controller).await;
        assert_eq!(script.last().failures, [], "{reason:?}");
    }
}

#[tokio::test]
async fn a_primary_of_a_terminating_namespace_is_left_alone() {
    let world = World::start().await;
    world.widget("w").await;
    let planned = || Event {
        severity: Severity::Normal,
        reason: "Planned".into(),
        action: "Apply".into(),
        note: "A plan was made.".into(),
    };
    let script = Script::new(
        description(vec![WatchedKind::whole(CONFIG_MAP)], Vec::new()),
        move |observed: &Observed| {
            let wanted = ["first", "second"].map(|name| config_map(name, "ours").to_string());
            let apply = if observed.owned.len() < 2 { wanted.to_vec() } else { Vec::new() };
            Plan { apply, events: vec![planned()], ..Plan::default() }
        },
    );
    let controller = world.controller(script.clone()).await;
    let namespaces: Api<Namespace> = Api::all(world.client.clone());
    namespaces.delete(LAB, &DeleteParams::default()).await.expect("a deletion");
    let mark = world.server.requests().mark();
    let calls = script.calls();
    for name in ["first", "second"] {
        world.delete(&CONFIG_MAP, name).await;
        world.settle(&controller).await;
    }
    let codes: Vec<u16> = world
        .server
        .requests()
        .writes_since(mark, &Matcher::any().user_agent("controller"))
        .iter()
        .map(|entry| entry.status)
        .collect();
    assert_eq!(codes, [403], "one write tells that the namespace is terminating; no event follows");
    assert_eq!(script.calls(), calls + 1, "no other plan is made");
    world.touch("w").await;
    world.settle(&controller).await;
    assert_eq!(script.calls(), calls + 1);
}

#[tokio::test]
async fn a_conflict_leads_to_another_attempt_and_to_no_failure() {
    let world = World::start().await;
    world.widget("w").await;
    let fault = world.server.faults().inject(creations(), answer(409), 3);
    let script = script();
    let _controller = world.controller(script.clone()).await;
    assert_eq!(world.server.faults().remaining(fault), 0);
    assert!(world.get(&CONFIG_MAP, "child").await.is_some());
    script.until("the child", |observed| names(&observed.owned) == ["child"]).await;
    assert_eq!(script.last().failures, []);
}

#[tokio::test]
async fn a_conflict_that_lasts_is_a_failure() {
    let world = World::start().await;
    world.widget("w").await;
    world.server.faults().inject(creations(), answer(409), 4);
    let script = script();
    let _controller = world.controller(script.clone()).await;
    let reported = script.until("a failure", |observed| !observed.failures.is_empty()).await;
    assert_eq!(reported.failures[0].reason, FailureReason::Conflict);
    script.until("the child", |observed| names(&observed.owned) == ["child"]).await;
}

#[tokio::test]
async fn one_failed_write_does_not_stop_the_others() {
    let world = World::start().await;
    world.widget("w").await;
    let script =
        Script::new(description(vec![WatchedKind::whole(CONFIG_MAP)], Vec::new()), |observed: &Observed| {
            let mut plan = Plan::default();
            let mut first = config_map("first", "ours");
            // The API server refuses such a name.
            first["metadata"]["labels"] = json!({"a b": ""});
            plan.apply.push(first.to_string());
            if observed.owned.is_empty() {
                plan.apply.push(config_map("second", "ours").to_string());
            }
            plan
        });
    let _controller = world.controller(script.clone()).await;
    let seen = script.until("the second", |observed| names(&observed.owned) == ["second"]).await;
    assert_eq!((&*seen.failures[0].target.name, seen.failures[0].code), ("first", 422));
}

#[tokio::test]
async fn a_status_that_is_refused_is_written_later() {
    let world = World::start().await;
    world.widget("w").await;
    let status = Matcher::any().verb("patch").subresource("status");
    world.server.faults().inject(status, answer(500), 2);
    let script = Script::new(description(Vec::new(), Vec::new()), |observed: &Observed| {
        let mut widget = crate::script::json_of(&observed.primary);
        let mut plan = Plan::default();
        if widget["status"]["phase"] != "Ready" {
            widget["status"]["phase"] = "Ready".into();
            plan.status = Some(widget.to_string());
        }
        plan
    });
    let controller = world.controller(script.clone()).await;
    script.until_calls(3).await;
    world.settle(&controller).await;
    let widget = world.get(&crate::script::WIDGET, "w").await.expect("a widget");
    assert_eq!(widget["status"]["phase"], "Ready");
}

#[tokio::test]
async fn a_reconciler_that_panics_costs_one_primary_a_backoff() {
    const PANICS: usize = 3;
    let world = World::start().await;
    for name in ["bad", "good"] {
        world.widget(name).await;
    }
    let remaining = AtomicUsize::new(PANICS);
    let none = description(Vec::new(), Vec::new());
    let script = Script::new(none, move |observed: &Observed| {
        let is_bad = text_at(&observed.primary, "/metadata/name") == "bad";
        if is_bad && remaining.try_update(Relaxed, Relaxed, |left| left.checked_sub(1)).is_ok() {
            panic!("this test makes a reconciler panic");
        }
        Plan::default()
    });
    let mut registry = Registry::default();
    let options = Options { workers: 1, ..World::options() };
    let controller = world.controller_with(script.clone(), options, &mut registry).await;
    let shown =
        |name: &'static str| move |observed: &Observed| text_at(&observed.primary, "/metadata/name") == name;
    script.until("the other primary", shown("good")).await;
    script.until("a plan for the first, after its backoff", shown("bad")).await;
    world.settle(&controller).await;
    let mut metrics = String::new();
    encode(&mut metrics, &registry).expect("metrics");
    let errors = "controller_runtime_reconcile_errors_total{controller=\"widget\"}";
    assert!(metrics.contains(&format!("{errors} {PANICS}\n")), "{metrics}");
}
