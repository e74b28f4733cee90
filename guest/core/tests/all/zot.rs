//! The configuration of zot, compared with the examples that its project publishes: zot does not start
//! with a key that it does not know. No test starts zot itself.

use crate::world::World;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

const ANNOTATION: &str = "cache.converged-computing.github.io/zot-configuration";

fn files(folder: &str) -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests").join(folder);
    let entries = std::fs::read_dir(folder).expect("a folder");
    let files: Vec<PathBuf> = entries.map(|entry| entry.expect("a file").path()).collect();
    files.into_iter().filter(|file| file.extension().is_some_and(|extension| extension == "json")).collect()
}

fn read(file: &Path) -> Value {
    serde_json::from_str(&std::fs::read_to_string(file).expect("a file")).expect("JSON")
}

/// The pod template of a cache with this spec.
fn template(spec: Value) -> Value {
    let mut world = World::new(spec);
    world.start();
    world.children["StatefulSet/demo"]["spec"]["template"].clone()
}

fn configuration(template: &Value) -> Value {
    let text = template["metadata"]["annotations"][ANNOTATION].as_str().expect("a configuration");
    serde_json::from_str(text).expect("JSON")
}

/// The paths of all values, with their types. Repositories are patterns of a user's choice.
fn paths(value: &Value, path: &str, found: &mut BTreeMap<String, &'static str>) {
    match value {
        Value::Object(members) => {
            for (key, value) in members {
                let key = if path == ".http.accessControl.repositories" { "*" } else { key };
                paths(value, &format!("{path}.{key}"), found);
            }
        }
        Value::Array(items) => items.iter().for_each(|item| paths(item, &format!("{path}[]"), found)),
        Value::String(_) => drop(found.insert(path.to_owned(), "string")),
        Value::Bool(_) => drop(found.insert(path.to_owned(), "boolean")),
        _ => drop(found.insert(path.to_owned(), "other")),
    }
}

#[test]
fn every_rendered_key_is_one_that_the_published_examples_have_with_a_value_of_the_same_type() {
    let mut known = BTreeMap::new();
    for example in files("zot_examples") {
        paths(&read(&example), "", &mut known);
    }
    let mut rendered = BTreeMap::new();
    for cache in files("caches") {
        if cache.file_name().is_some_and(|name| name.to_string_lossy().starts_with("zot")) {
            paths(&configuration(&template(read(&cache))), "", &mut rendered);
        }
    }
    assert!(rendered.len() > 20, "{rendered:?}");
    for (path, kind) in rendered {
        assert_eq!(known.get(&path), Some(&kind), "{path}");
    }
}

#[test]
fn the_configuration_is_a_file_where_zot_is_told_to_read_it() {
    let template = template(json!({"image": "zot:2"}));
    let container = &template["spec"]["containers"][0];
    let file = container["args"][1].as_str().expect("a file");
    let (folder, name) = file.rsplit_once('/').expect("a path");
    let mounts = container["volumeMounts"].as_array().expect("mounts");
    let mount = mounts.iter().find(|mount| mount["mountPath"] == folder).expect("a mount");
    let volumes = template["spec"]["volumes"].as_array().expect("volumes");
    let volume = volumes.iter().find(|volume| volume["name"] == mount["name"]).expect("a volume");
    let item = &volume["downwardAPI"]["items"][0];
    assert_eq!(item["path"], name);
    assert_eq!(item["fieldRef"]["fieldPath"], format!("metadata.annotations['{ANNOTATION}']"));
}

#[test]
fn clients_may_do_what_the_spec_says() {
    let rights = |spec: Value| {
        let mut whole = json!({"flavor": "zot"});
        whole.as_object_mut().expect("a spec").extend(spec.as_object().expect("a spec").clone());
        configuration(&template(whole))["http"]["accessControl"]["repositories"]["**"].clone()
    };
    let proxy = json!({"remoteURL": "https://ghcr.io"});
    for (spec, wanted) in [
        (json!({}), json!({"anonymousPolicy": ["read", "create", "update"]})),
        (json!({"delete": true}), json!({"anonymousPolicy": ["read", "create", "update", "delete"]})),
        (json!({"readOnly": true, "delete": true}), json!({"anonymousPolicy": ["read"]})),
        (json!({"proxy": proxy}), json!({"anonymousPolicy": ["read"]})),
        (json!({"auth": {}}), json!({"defaultPolicy": ["read", "create", "update"]})),
    ] {
        assert_eq!(rights(spec.clone()), wanted, "{spec}");
    }
}

#[test]
fn the_keys_of_a_bucket_are_no_part_of_the_configuration() {
    let bucket = json!({"bucket": "b", "region": "r", "credentialsSecret": "keys"});
    let template = template(json!({"flavor": "zot", "storage": {"s3": bucket}}));
    assert!(!configuration(&template).to_string().contains("keys"));
    let variables = template["spec"]["containers"][0]["env"].as_array().expect("variables");
    assert!(variables.iter().all(|variable| variable["valueFrom"]["secretKeyRef"]["name"] == "keys"));
    assert_eq!(variables.len(), 2);
}

/// The rules for tags of a zot with this retention.
fn rules(retention: Value) -> Value {
    let configuration = configuration(&template(json!({"flavor": "zot", "retention": retention})));
    let storage = &configuration["storage"];
    assert_eq!((&storage["gc"], &storage["gcInterval"]), (&json!(true), &json!("24h")));
    let [policy] = &storage["retention"]["policies"].as_array().expect("policies")[..] else { panic!() };
    assert_eq!(policy["repositories"], json!(["**"]));
    assert_eq!((&policy["deleteUntagged"], &policy["deleteReferrers"]), (&json!(true), &json!(true)));
    policy["keepTags"].clone()
}

#[test]
fn retention_keeps_what_one_rule_keeps_and_counts_keys_by_themselves() {
    let key = json!(["^key-[0-9a-f]{64}$"]);
    let hour = "3600s";
    assert_eq!(
        rules(json!({"keepTags": 5})),
        json!([
            {"mostRecentlyPushedCount": 5, "patterns": key, "pushedWithin": hour},
            {"mostRecentlyPushedCount": 5, "pushedWithin": hour},
        ])
    );
    let month = "2592000s";
    assert_eq!(
        rules(json!({"maxAge": "30d", "unusedSince": "7d", "patterns": ["run-*", "v1.?"]})),
        json!([
            {"patterns": key, "pulledWithin": "604800s", "pushedWithin": month},
            {"patterns": ["^run-.*$", r"^v1\..$"], "pulledWithin": "604800s", "pushedWithin": month},
            // What no pattern chooses is kept.
            {"patterns": [".*"]},
        ])
    );
}

#[test]
fn manifests_without_a_tag_stay_as_long_as_tags_and_a_day_at_least() {
    for (age, delay) in [("30d", "2592000s"), ("1h", "86400s")] {
        let spec = json!({"flavor": "zot", "retention": {"maxAge": age}});
        assert_eq!(configuration(&template(spec))["storage"]["retention"]["delay"], delay);
    }
}

#[test]
fn clients_of_a_zot_with_retention_may_not_delete_and_there_is_no_job() {
    let mut world = World::new(json!({"flavor": "zot", "retention": {"keepTags": 5}}));
    world.settle();
    let template = &world.children["StatefulSet/demo"]["spec"]["template"];
    let rights = &configuration(template)["http"]["accessControl"]["repositories"]["**"];
    assert_eq!(rights["anonymousPolicy"], json!(["read", "create", "update"]));
    assert!(!world.children.contains_key("CronJob/demo-retention"), "zot deletes by itself");
}
