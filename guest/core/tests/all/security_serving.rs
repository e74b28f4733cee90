//! Security: who gets the key of a registry's certificate, its accounts, and the password for steps.

use crate::reviewing;
use crate::steps;
use crate::world::World;
use orascache_contract::Context;
use orascache_core::admission;
use serde_json::{Value, json};

/// A step of a cache with this spec, as it is after its review.
fn step(spec: &Value) -> Value {
    let mut cache: Value = serde_json::from_str(&reviewing::cache("shared")).expect("a cache");
    cache["spec"] = spec.clone();
    let context = Context { objects: vec![cache.to_string()], complete: true, ..Context::default() };
    let pod = steps::pod(&[]);
    let outcome = admission::review(&reviewing::wrap(&pod, None), &context).expect("a review");
    let response = reviewing::decided(outcome);
    assert_eq!(response.refusal(), None);
    reviewing::patched(&pod, &response)
}

fn items(list: &Value) -> &[Value] {
    list.as_array().map(Vec::as_slice).unwrap_or_default()
}

/// Names of the containers that mount a volume.
fn mounting<'p>(pod: &'p Value, volume: &str) -> Vec<&'p str> {
    let containers = items(&pod["spec"]["initContainers"]).iter().chain(items(&pod["spec"]["containers"]));
    let mounts =
        |container: &&Value| items(&container["volumeMounts"]).iter().any(|one| one["name"] == volume);
    containers.filter(mounts).filter_map(|container| container["name"].as_str()).collect()
}

#[test]
fn steps_get_the_authority_of_a_certificate_and_never_its_key() {
    for spec in [json!({"tls": {}}), json!({"tls": {"secretName": "mine"}}), json!({"tls": {}, "auth": {}})] {
        let pod = step(&spec);
        let volumes = items(&pod["spec"]["volumes"]).iter();
        let authority: Vec<&Value> = volumes.filter(|volume| volume["name"] == "orascache-ca").collect();
        let [authority] = authority[..] else { panic!("{pod:#}") };
        let mounted = json!([{"key": "ca.crt", "path": "ca.pem"}]);
        assert_eq!(authority["secret"]["items"], mounted, "without items, all keys would be mounted");
        let reader = if spec.get("auth").is_some() { "oras" } else { "app" };
        assert_eq!(mounting(&pod, "orascache-ca"), [reader]);
        assert!(!pod.to_string().contains("tls.key"), "{pod:#}");
    }
}

#[test]
fn a_cache_cannot_hand_the_key_of_a_certificate_to_steps_as_its_authority() {
    let mut cache: Value = serde_json::from_str(&reviewing::cache("shared")).expect("a cache");
    cache["spec"] = json!({"tls": {"secretName": "mine", "ca": "secret/mine/tls.key"}});
    let problems = orascache_core::validate::orascache(&cache.to_string()).expect("a cache");
    assert_eq!(problems.iter().map(|problem| problem.field).collect::<Vec<_>>(), ["spec.tls.ca"]);
}

#[test]
fn the_credential_proxy_alone_mounts_the_account_of_a_cache() {
    for auth in [json!({}), json!({"htpasswdSecret": "mine", "credentialsSecret": "steps"})] {
        let pod = step(&json!({"auth": auth}));
        assert_eq!(mounting(&pod, "orascache-credentials"), ["oras"]);
        // Neither the hashes nor other keys of the Secret.
        assert!(!pod.to_string().contains("htpasswd"), "{pod:#}");
    }
}

#[test]
fn registry_pods_mount_no_password_of_an_account() {
    let mut world = World::new(json!({"tls": {}, "auth": {}}));
    world.start();
    let template = &world.children["StatefulSet/demo"]["spec"]["template"]["spec"];
    let keys: Vec<Vec<&Value>> = items(&template["volumes"])
        .iter()
        .map(|volume| items(&volume["secret"]["items"]).iter().map(|item| &item["key"]).collect())
        .collect();
    assert_eq!(keys, [vec![], vec![&json!("tls.crt"), &json!("tls.key")], vec![&json!("htpasswd")]]);
}
