//! Values of generated Secrets that are replaced.

use crate::script::{CONFIG_MAP, SECRET, Script, description, json_of};
use crate::world::{LAB, World};
use fake_kube::{Fault, Matcher};
use orascache_contract::{
    Account, Credentials, FailureReason, Generated, Kind, Observed, Plan, Recipe, Rotation, RotationStep,
    Verb, WatchedKind,
};
use serde_json::{Value, json};
use std::sync::Arc;

const PHASE: &str = "example.org/phase";

/// One account in the Secret `s`.
fn recipe(username: &str) -> Recipe {
    let account = Account { username: username.to_owned(), password_key: "password".to_owned() };
    Recipe::Credentials(Credentials { accounts: vec![account], htpasswd_key: "htpasswd".to_owned() })
}

/// The next change of a Secret that is observed, by the annotation in which the plan keeps how far
/// it is. `None` after the last one.
fn next_change(secret: &Value) -> Option<Rotation> {
    let phase = secret["metadata"]["annotations"][PHASE].as_str();
    let (step, next) = match phase {
        None => (RotationStep::Stage, "staged"),
        Some("staged") => (RotationStep::Switch, "switched"),
        Some("switched") => (RotationStep::Finish, "finished"),
        _ => return None,
    };
    let metadata = &secret["metadata"];
    // As a Secret has it, in base64: b.
    let data = (step == RotationStep::Switch).then(|| json!({"user": "Yg=="}));
    let document = json!({
        "apiVersion": "v1", "kind": "Secret", "data": data.unwrap_or_else(|| json!({})),
        "metadata": {
            "name": "s", "namespace": LAB, "uid": metadata["uid"], "annotations": {PHASE: next},
            "resourceVersion": metadata["resourceVersion"],
        },
    });
    let joined = vec!["htpasswd".to_owned()];
    Some(Rotation { secret: document.to_string(), recipe: recipe("b"), joined, step })
}

fn secret_of(observed: &Observed) -> Option<Value> {
    observed.owned.first().map(|text| json_of(text))
}

/// Generates the Secret `s`, and replaces its account as long as `goes_on` says so.
fn replaces(change: impl Fn(&Value) -> Option<Rotation> + Send + Sync + 'static) -> Arc<Script> {
    let owned = vec![WatchedKind::whole(SECRET), WatchedKind::whole(CONFIG_MAP)];
    Script::new(description(owned, Vec::new()), move |observed: &Observed| {
        let mut plan = Plan::default();
        match secret_of(observed) {
            None => {
                let secret = json!({"apiVersion": "v1", "kind": "Secret",
                    "metadata": {"name": "s", "namespace": LAB}, "data": {"user": "YQ=="}});
                plan.generate.push(Generated { secret: secret.to_string(), recipe: recipe("a") });
            }
            Some(secret) => plan.rotate.extend(change(&secret)),
        }
        plan
    })
}

fn users(secret: &Value) -> Vec<String> {
    use base64::Engine;
    let file = secret["data"]["htpasswd"].as_str().expect("a file");
    let text = base64::engine::general_purpose::STANDARD.decode(file).expect("base64");
    let text = String::from_utf8(text).expect("text");
    text.lines().map(|line| line.split_once(':').expect("a line").0.to_owned()).collect()
}

/// The change, unless the Secret has reached a phase.
fn until(phase: &'static str) -> impl Fn(&Value) -> Option<Rotation> {
    move |secret| next_change(secret).filter(|_| secret["metadata"]["annotations"][PHASE] != phase)
}

#[tokio::test]
async fn an_account_is_replaced_in_three_changes_of_which_the_guest_sees_the_metadata_alone() {
    let world = World::start().await;
    world.widget("w").await;
    let mut secrets = Vec::new();
    for (phase, accounts, user) in [
        ("staged", vec!["a", "b"], "YQ=="),
        ("switched", vec!["a", "b"], "Yg=="),
        ("finished", vec!["b"], "Yg=="),
    ] {
        let script = replaces(until(phase));
        let controller = world.controller(script.clone()).await;
        let secret = world.get(&SECRET, "s").await.expect("a Secret");
        assert_eq!(secret["metadata"]["annotations"][PHASE], phase);
        assert_eq!(users(&secret), accounts, "{phase}");
        assert_eq!(secret["data"]["user"], user, "{phase}");
        let shown = &script.last().owned[0];
        assert!(!shown.contains("\"data\"") && shown.contains("resourceVersion"), "{shown}");
        assert_eq!(script.last().failures, []);
        drop(controller);
        secrets.push(secret);
    }
    let password = |at: usize| secrets[at]["data"]["password"].clone();
    assert_eq!(password(0), secrets[0]["data"]["password"]);
    assert_ne!(password(0), password(1));
    assert_eq!(password(1), secrets[0]["data"]["next.password"]);
    assert_eq!(password(1), password(2));
    assert_eq!(secrets[2]["data"].as_object().expect("data").len(), 3, "nothing is left over");
}

#[tokio::test]
async fn a_lost_answer_and_a_conflict_make_no_second_account() {
    for (fault, writes) in [(Fault::LoseResponse, 3), (Fault::Answer { code: 409, retry_after: None }, 4)] {
        let world = World::start().await;
        world.widget("w").await;
        let controller = world.controller(replaces(|_| None)).await;
        drop(controller);
        let changes = Matcher::any().verb("patch").resource("", "secrets");
        world.server.faults().inject(changes, fault, 1);
        let mark = world.server.requests().mark();
        let _controller = world.controller(replaces(next_change)).await;
        let secret = world.get(&SECRET, "s").await.expect("a Secret");
        assert_eq!(users(&secret), ["b"]);
        assert_eq!(world.writes_since(mark).len(), writes);
    }
}

#[tokio::test]
async fn a_secret_in_another_state_than_the_plan_was_made_from_is_left_as_it_is() {
    let world = World::start().await;
    world.widget("w").await;
    let script = replaces(|secret| {
        let mut rotation = next_change(secret)?;
        let mut document = json_of(&rotation.secret);
        if document["metadata"]["annotations"][PHASE] == "staged" {
            return Some(rotation);
        }
        // From then on the plan lags behind.
        document["metadata"]["resourceVersion"] = json!("1");
        rotation.secret = document.to_string();
        (secret["metadata"]["annotations"]["seen"].is_null()).then_some(rotation)
    });
    let mark = world.server.requests().mark();
    let mut metrics = prometheus_client::registry::Registry::default();
    let begun = world.begin(script.clone(), World::options(), &mut metrics).await;
    let controller = begun.expect("it starts");
    script
        .until("the staged Secret", |observed| {
            secret_of(observed).is_some_and(|secret| secret["metadata"]["annotations"][PHASE] == "staged")
        })
        .await;
    world.edit(&SECRET, "s", json!({"metadata": {"annotations": {"seen": "yes"}}})).await;
    world.settle(&controller).await;
    let secret = world.get(&SECRET, "s").await.expect("a Secret");
    assert_eq!(secret["metadata"]["annotations"][PHASE], "staged");
    assert_eq!(world.writes_since(mark).len(), 2, "the creation, and the first change");
}

#[tokio::test]
async fn only_secrets_of_the_primary_are_changed_and_the_state_has_to_be_named() {
    let world = World::start().await;
    let foreign = world.create(&SECRET, "foreign", json!({"stringData": {"password": "theirs"}})).await;
    world.widget("w").await;
    let owned = vec![WatchedKind::whole(SECRET), WatchedKind::whole(CONFIG_MAP)];
    let state = foreign["metadata"].clone();
    let script = Script::new(description(owned, Vec::new()), move |_: &Observed| {
        let of = |kind: &Kind, name: &str, namespace: &str, is_named: bool| {
            let mut metadata = json!({"name": name, "namespace": namespace});
            if is_named {
                metadata["uid"] = state["uid"].clone();
                metadata["resourceVersion"] = state["resourceVersion"].clone();
            }
            let document = json!({"apiVersion": kind.api_version, "kind": kind.kind, "metadata": metadata});
            let (recipe, joined) = (recipe("b"), Vec::new());
            Rotation { secret: document.to_string(), recipe, joined, step: RotationStep::Stage }
        };
        let rotate = vec![
            of(&SECRET, "foreign", LAB, true),
            of(&SECRET, "foreign", LAB, false),
            of(&SECRET, "foreign", "other", true),
            of(&CONFIG_MAP, "foreign", LAB, true),
            of(&SECRET, "missing", LAB, true),
        ];
        Plan { rotate, ..Plan::default() }
    });
    let mark = world.server.requests().mark();
    let _controller = world.controller(script.clone()).await;
    let reported = script.until("failures", |observed| !observed.failures.is_empty()).await;
    let reasons: Vec<_> = reported.failures.iter().map(|failure| (failure.verb, &failure.reason)).collect();
    let refused = (Verb::Patch, &FailureReason::NotPermitted);
    let foreign_is_not_ours = (Verb::Patch, &FailureReason::NotControlled);
    let no_state = (Verb::Patch, &FailureReason::Invalid);
    assert_eq!(reasons, [foreign_is_not_ours, no_state, refused, refused], "{:?}", reported.failures);
    assert_eq!(world.get(&SECRET, "foreign").await.expect("it stays")["data"], foreign["data"]);
    assert_eq!(world.writes_since(mark), []);
}
