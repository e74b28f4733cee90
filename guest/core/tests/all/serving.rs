//! How a registry serves: certificates and accounts that are generated, Secrets that are named, and
//! changes of a live cache.

use crate::world;
use crate::world::{World, is_settled};
use orascache_contract::Recipe;
use serde_json::{Value, json};

fn settled(spec: Value) -> World {
    let mut world = World::new(spec);
    world.settle();
    world
}

/// The children without what counts generations and stamps.
fn children(world: &World) -> Vec<(&String, &Value, &Value)> {
    world.children.iter().map(|(name, child)| (name, &child["spec"], &child["type"])).collect()
}

#[test]
fn a_certificate_and_an_account_are_generated_once() {
    let mut world = World::new(json!({"tls": {}, "auth": {}}));
    let plan = world.plan();
    let recipes: Vec<&Recipe> = plan.generate.iter().map(|generated| &generated.recipe).collect();
    assert!(matches!(recipes[..], [Recipe::Certificate(_), Recipe::Credentials(_)]), "{recipes:?}");
    world.settle();
    assert!(is_settled(&world.plan()));
    // A Secret that somebody deleted is made again.
    world.children.remove("Secret/demo-tls").expect("the certificate");
    assert_eq!(world.plan().generate.len(), 1);
}

#[test]
fn the_certificate_is_for_the_names_of_all_pods_and_services_and_for_the_domain_of_the_cluster() {
    let names = |settings: &str| {
        let mut world = World::new(json!({"tls": {}}));
        world.settings = settings.to_owned();
        match &world.plan().generate[0].recipe {
            Recipe::Certificate(certificate) => certificate.dns_names.clone(),
            other => panic!("{other:?}"),
        }
    };
    let short = ["*.demo.lab.svc", "demo.lab.svc", "demo-registry.lab.svc"];
    assert_eq!(names(""), short);
    let full = short.map(|name| format!("{name}.cluster.local"));
    assert_eq!(names(r#"{"clusterDomain":"cluster.local"}"#)[3..], full);
}

#[test]
fn a_live_cache_becomes_what_a_new_one_would_be_and_back() {
    let fields = [
        ("readOnly", json!(true)),
        ("proxy", json!({"remoteURL": "https://ghcr.io", "ttl": "1h"})),
        ("tls", json!({})),
        ("tls", json!({"secretName": "mine"})),
        ("auth", json!({})),
        ("auth", json!({"htpasswdSecret": "mine"})),
    ];
    let before = settled(json!({}));
    for (field, value) in fields {
        let mut world = before.clone();
        world.related.push(world::secret("mine"));
        world.edit(|spec| spec[field] = value.clone());
        world.settle();
        let new = settled(json!({field: value}));
        assert_eq!(children(&world), children(&new), "{field}: {value}");
        world.edit(|spec| drop(spec.as_object_mut().map(|spec| spec.remove(field))));
        world.settle();
        assert_eq!(children(&world), children(&before), "{field}: {value}, removed");
    }
}

#[test]
fn without_a_registry_no_certificate_and_no_account_is_left() {
    let mut world = settled(json!({"tls": {}, "auth": {}}));
    world.edit(|spec| spec["deploy"] = json!(false));
    world.settle();
    assert_eq!(children(&world), []);
}

#[test]
fn a_generated_certificate_that_the_spec_names_stays() {
    let mut world = settled(json!({"tls": {}}));
    world.edit(|spec| spec["tls"] = json!({"secretName": "demo-tls"}));
    world.settle();
    assert!(world.children.contains_key("Secret/demo-tls"));
    assert_eq!(world.condition("Degraded")["status"], "False", "{}", world.condition("Degraded"));
}

#[test]
fn secrets_that_a_spec_names_and_that_are_missing_are_named_with_what_belongs_into_them() {
    let of = |spec: Value| {
        let mut world = World::new(spec);
        world.start();
        let degraded = world.condition("Degraded");
        assert_eq!(degraded["reason"], "SecretNotFound");
        degraded["message"].as_str().unwrap_or_default().to_owned()
    };
    let bucket = json!({"bucket": "b", "region": "r", "credentialsSecret": "gone"});
    for (spec, field, keys) in [
        (
            json!({"proxy": {"remoteURL": "https://ghcr.io", "credentialsSecret": "gone"}}),
            "spec.proxy.credentialsSecret",
            "username and password",
        ),
        (json!({"tls": {"secretName": "gone"}}), "spec.tls.secretName", "tls.crt, tls.key and ca.crt"),
        (json!({"auth": {"htpasswdSecret": "gone"}}), "spec.auth.htpasswdSecret", "the key htpasswd"),
        (
            json!({"storage": {"s3": bucket}}),
            "spec.storage.s3.credentialsSecret",
            "access-key and secret-key",
        ),
    ] {
        let message = of(spec);
        assert!(message.contains(field) && message.contains(keys), "{message}");
    }
}
