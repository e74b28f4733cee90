//! An upgrade meets the objects of earlier versions, and a downgrade those of later ones.
//! `earlier_versions/` has the objects.

use crate::world;
use crate::world::{World, is_settled};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

const SET: &str = "StatefulSet/demo";
/// What this version rolls out anew. They have storage, so that nothing is lost. The first two have
/// several pods, which are now spread over nodes; the last one has retention, which now gives space
/// back. Anything that joins them belongs into the change log.
const ROLLED_OUT: [&str; 3] = ["992f479/generated-secret.yaml", "992f479/shared.yaml", COLLECTED];
/// The registry of a cache whose garbage is collected now. It gets a key for that, once.
const COLLECTED: &str = "b23529c/tasks.yaml";

struct Earlier {
    name: String,
    spec: Value,
    objects: Vec<Value>,
    secrets: Vec<Value>,
}

/// All files of all versions.
fn earlier_versions() -> Vec<Earlier> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/earlier_versions");
    let entries = |path: &Path| -> Vec<PathBuf> {
        std::fs::read_dir(path).unwrap().map(|entry| entry.unwrap().path()).collect()
    };
    let files = entries(&root).into_iter().filter(|path| path.is_dir()).flat_map(|folder| entries(&folder));
    let all: Vec<Earlier> = files
        .map(|path| {
            let document: Value = serde_saphyr::from_str(&std::fs::read_to_string(&path).unwrap()).unwrap();
            let list = |member: &str| document[member].as_array().unwrap().clone();
            Earlier {
                name: path.strip_prefix(&root).unwrap().display().to_string(),
                spec: document["spec"].clone(),
                objects: list("objects"),
                secrets: list("secrets"),
            }
        })
        .collect();
    assert!(all.len() >= 19, "{}", all.len());
    all
}

/// A cache as that version left it. Its registry pods are ready.
fn left_by(earlier: &Earlier) -> World {
    let mut world = World::new(earlier.spec.clone());
    // Secrets and claims that the specs name.
    for name in ["mysecret", "oras-env", "bucket-keys", "pull"] {
        world.related.push(world::secret(name));
    }
    world.related.push(world::claim("scratch", "ReadWriteOnce"));
    apply(&mut world, earlier);
    world
}

/// What that version applies.
fn apply(world: &mut World, earlier: &Earlier) {
    for object in earlier.objects.iter().chain(&earlier.secrets) {
        let mut object = object.clone();
        if object["kind"] == "Secret" {
            object.as_object_mut().unwrap().remove("data");
        }
        world.put(object);
    }
    world.roll_out();
}

/// Carries plans out until they are empty, and counts the writes to each child.
fn writes(world: &mut World, name: &str) -> BTreeMap<String, usize> {
    let mut counts = BTreeMap::new();
    for _ in 0..8 {
        world.roll_out();
        let plan = world.plan();
        if is_settled(&plan) {
            return counts;
        }
        assert!(plan.delete.is_empty(), "{name}: {:?}", plan.delete);
        for generated in &plan.generate {
            let is_key = generated.secret.contains(r#""name":"demo-collection""#);
            let is_new = !world.children.contains_key("Secret/demo-collection");
            assert!(name == COLLECTED && is_key && is_new, "{name}: a Secret is generated again");
        }
        for text in &plan.apply {
            let object: Value = serde_json::from_str(text).unwrap();
            let key = format!("{}/{}", object["kind"], object["metadata"]["name"]);
            *counts.entry(key).or_default() += 1;
        }
        world.execute(&plan);
    }
    panic!("{name}: no fixpoint: {:#?}", world.plan());
}

fn template(world: &World) -> Value {
    world.children[SET]["spec"]["template"].clone()
}

#[test]
fn an_upgrade_writes_each_child_once_at_most_and_restarts_what_has_storage_alone() {
    let mut restarted = Vec::new();
    for earlier in earlier_versions() {
        let name = &earlier.name;
        let mut world = left_by(&earlier);
        let before = template(&world);
        let counts = writes(&mut world, name);
        assert!(counts.values().all(|count| *count == 1), "{name}: {counts:?}");
        restarted.extend((template(&world) != before).then(|| name.clone()));
    }
    restarted.sort();
    assert_eq!(restarted, ROLLED_OUT);
}

#[test]
fn a_downgrade_and_another_upgrade_do_not_fight() {
    for earlier in earlier_versions() {
        let name = &earlier.name;
        let mut world = left_by(&earlier);
        writes(&mut world, name);
        let settled = world.children.clone();
        // The earlier version leads again, and applies what it wants.
        apply(&mut world, &earlier);
        let before = template(&world);
        let counts = writes(&mut world, name);
        assert!(counts.values().all(|count| *count == 1), "{name}: {counts:?}");
        assert!(
            template(&world) == before || ROLLED_OUT.contains(&name.as_str()),
            "{name}: the pods restart"
        );
        for (key, child) in &settled {
            assert_eq!(world.children[key]["spec"], child["spec"], "{name}: {key}");
            assert_eq!(
                world.children[key]["metadata"]["labels"], child["metadata"]["labels"],
                "{name}: {key}"
            );
        }
    }
}

#[test]
fn fields_of_a_later_version_change_nothing_and_are_left_alone() {
    let mut world = World::new(json!({}));
    world.settle();
    // The CRD of the later version is installed, and this version leads again.
    world.cache["spec"]["fieldOfALaterVersion"] = json!({"deep": [1, 2]});
    world.cache["status"]["fieldOfALaterVersion"] = json!("kept");
    world.cache["status"]["conditions"].as_array_mut().unwrap().push(json!({
        "type": "OfALaterVersion", "status": "True", "reason": "Kept", "message": "",
        "lastTransitionTime": "2026-11-30T00:00:00Z", "observedGeneration": 1,
    }));
    assert!(world.plan().is_empty(), "{:#?}", world.plan());
}
