//! Generated Secrets.

use crate::script::{CONFIG_MAP, SECRET, Script, description, names};
use crate::world::{LAB, World};
use orascache_contract::{
    Account, Certificate, Credentials, FailureReason, Generated, Observed, Plan, RandomKey, Recipe, Verb,
    WatchedKind,
};
use serde_json::json;
use std::sync::Arc;

fn generates(recipe: Recipe, kind: &'static str) -> Arc<Script> {
    let owned = vec![WatchedKind::whole(SECRET), WatchedKind::whole(CONFIG_MAP)];
    Script::new(description(owned, Vec::new()), move |observed: &Observed| {
        let secret = json!({"apiVersion": "v1", "kind": kind, "metadata": {"name": "s", "namespace": LAB}});
        let mut plan = Plan::default();
        if names(&observed.owned).is_empty() {
            plan.generate.push(Generated { secret: secret.to_string(), recipe: recipe.clone() });
        }
        plan
    })
}

fn random(bytes: u32) -> Recipe {
    Recipe::Random(RandomKey { key: "k".to_owned(), bytes })
}

#[tokio::test]
async fn a_secret_is_generated_once_and_shown_without_its_values() {
    let world = World::start().await;
    world.widget("w").await;
    let script = generates(random(16), "Secret");
    let mark = world.server.requests().mark();
    let controller = world.controller(script.clone()).await;
    let secret = world.get(&SECRET, "s").await.expect("a Secret");
    assert_eq!(secret["data"].as_object().expect("data").len(), 1);
    assert_eq!(secret["metadata"]["ownerReferences"][0]["name"], "w");
    let shown = script.last();
    assert_eq!(names(&shown.owned), ["s"]);
    assert!(!shown.owned[0].contains("\"data\""));
    world.touch("w").await;
    world.settle(&controller).await;
    assert_eq!(world.get(&SECRET, "s").await, Some(secret));
    assert_eq!(world.writes_since(mark).len(), 1);
}

#[tokio::test]
async fn an_existing_secret_is_left_as_it_is() {
    let world = World::start().await;
    let before = world.create(&SECRET, "s", json!({"stringData": {"k": "theirs"}})).await;
    world.widget("w").await;
    let script = generates(random(16), "Secret");
    let mark = world.server.requests().mark();
    let controller = world.controller(script.clone()).await;
    world.touch("w").await;
    world.settle(&controller).await;
    let after = world.get(&SECRET, "s").await.expect("a Secret");
    assert_eq!(after["data"], before["data"]);
    assert_eq!(world.writes_since(mark), [], "the cache has it, so that nothing is tried");
    assert_eq!(script.last().failures, []);
}

#[tokio::test]
async fn a_secret_that_the_cache_does_not_have_is_left_as_it_is() {
    let world = World::start().await;
    let before = world.create(&SECRET, "s", json!({"stringData": {"k": "theirs"}})).await;
    world.widget("w").await;
    let owned = vec![WatchedKind::whole(SECRET).with_labels("managed-by=widgets")];
    let script = Script::new(description(owned, Vec::new()), |_: &Observed| Plan {
        generate: vec![Generated {
            secret:
                json!({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "s", "namespace": LAB}})
                    .to_string(),
            recipe: random(16),
        }],
        ..Plan::default()
    });
    let mark = world.server.requests().mark();
    let _controller = world.controller(script.clone()).await;
    assert_eq!(world.get(&SECRET, "s").await.expect("a Secret")["data"], before["data"]);
    assert_eq!(world.writes_since(mark)[0].status, 409);
    assert_eq!(script.last().failures, []);
}

#[tokio::test]
async fn credentials_and_certificates_have_their_keys() {
    let account = |username: &str| Account {
        username: username.to_owned(),
        password_key: format!("{username}-password"),
    };
    let credentials =
        Credentials { accounts: vec![account("push"), account("pull")], htpasswd_key: "htpasswd".to_owned() };
    let certificate = Certificate { dns_names: vec!["s.lab.svc".to_owned()], days: 90 };
    for (recipe, keys) in [
        (Recipe::Credentials(credentials), ["htpasswd", "pull-password", "push-password"]),
        (Recipe::Certificate(certificate), ["ca.crt", "tls.crt", "tls.key"]),
    ] {
        let world = World::start().await;
        world.widget("w").await;
        let _controller = world.controller(generates(recipe, "Secret")).await;
        let secret = world.get(&SECRET, "s").await.expect("a Secret");
        let found: Vec<&String> = secret["data"].as_object().expect("data").keys().collect();
        assert_eq!(found, keys);
    }
}

#[tokio::test]
async fn a_recipe_that_cannot_be_followed_is_a_failure() {
    for (recipe, kind, reason) in [
        (random(0), "Secret", FailureReason::Invalid),
        (random(5_000), "Secret", FailureReason::NotPermitted),
        (random(8), "ConfigMap", FailureReason::NotPermitted),
    ] {
        let world = World::start().await;
        world.widget("w").await;
        let script = generates(recipe, kind);
        let mark = world.server.requests().mark();
        let _controller = world.controller(script.clone()).await;
        let reported = script.until("a failure", |observed| !observed.failures.is_empty()).await;
        let failure = &reported.failures[0];
        assert_eq!((failure.verb, &failure.reason, failure.code), (Verb::Create, &reason, 0));
        assert!(failure.message.starts_with(&format!("{kind} lab/s")), "{}", failure.message);
        assert_eq!(world.writes_since(mark), []);
    }
}
