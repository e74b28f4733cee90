//! An upgrade of the operator never restarts a registry without storage: that would empty it.
//!
//! `template_revisions/<number>` has the StatefulSets as a version with that revision of the
//! defaults rendered them for the specs in `caches/`. Those of revision 1 are of the last version
//! that wrote no stamps. A folder is never changed. A new revision gets a new one.

use crate::world;
use crate::world::World;
use serde_json::{Value, json};
use std::path::Path;

const SET: &str = "StatefulSet/demo";
const REVISION: &str = "cache.converged-computing.github.io/template-revision";
const GENERATION: &str = "cache.converged-computing.github.io/applied-generation";
const HASH: &str = "cache.converged-computing.github.io/applied-hash";
const WITHOUT_STORAGE: [&str; 3] = ["minimal", "literal-secret", "placed"];
const WITH_STORAGE: [&str; 3] = ["shared", "generated-secret", "existing-claim"];

fn read(path: String) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests").join(path);
    std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

fn rendered(revision: &str, fixture: &str) -> Value {
    serde_saphyr::from_str(&read(format!("template_revisions/{revision}/{fixture}.yaml"))).unwrap()
}

/// A cache whose registry pods are ready, as a version with that revision left them.
fn left_by(revision: &str, fixture: &str) -> World {
    let mut world = World::new(serde_json::from_str(&read(format!("caches/{fixture}.json"))).unwrap());
    for name in ["mysecret", "oras-env"] {
        world.related.push(world::secret(name));
    }
    world.related.push(world::claim("scratch", "ReadWriteOnce"));
    world.put(rendered(revision, fixture));
    world.roll_out();
    world
}

fn template(world: &World) -> Value {
    world.children[SET]["spec"]["template"].clone()
}

fn annotation<'w>(world: &'w World, name: &str) -> &'w Value {
    &world.children[SET]["metadata"]["annotations"][name]
}

fn deletion(template: &Value) -> Value {
    let variables = template["spec"]["containers"][0]["env"].as_array().unwrap();
    let is_it = |variable: &&Value| variable["name"] == "REGISTRY_STORAGE_DELETE_ENABLED";
    variables.iter().find(is_it).unwrap()["value"].clone()
}

/// Carries plans out until they are empty. No plan may change the pod template.
fn settle_without_restart(world: &mut World) {
    let before = template(world);
    for _ in 0..8 {
        let plan = world.plan();
        if plan.is_empty() {
            return;
        }
        for text in &plan.apply {
            let object: Value = serde_json::from_str(text).unwrap();
            if object["kind"] == "StatefulSet" {
                let mut applied = json!({"kind": "StatefulSet", "spec": object["spec"]});
                world::add_defaults(&mut applied);
                assert_eq!(applied["spec"]["template"], before, "the plan restarts the registry");
            }
        }
        assert!(plan.delete.is_empty(), "{:?}", plan.delete);
        world.execute(&plan);
        assert_eq!(world.condition("Ready")["status"], "True", "{}", world.condition("Ready"));
        assert_eq!(template(world), before);
    }
    panic!("no fixpoint: {:#?}", world.plan());
}

#[test]
fn a_registry_without_storage_is_not_restarted() {
    // What revision 3 changes concerns retention alone, so that other templates are those of revision 2.
    for (revision, fixtures, reason, stamp) in [
        ("1", &WITHOUT_STORAGE[..], "DefaultsWait", "1"),
        ("2", &WITHOUT_STORAGE, "AsExpected", "3"),
        ("2", &["retention"], "DefaultsWait", "2"),
        ("3", &["minimal", "literal-secret", "placed", "retention"], "AsExpected", "3"),
    ] {
        for fixture in fixtures {
            let mut world = left_by(revision, fixture);
            settle_without_restart(&mut world);
            let progressing = world.condition("Progressing");
            assert_eq!(progressing["reason"], reason, "{revision} {fixture}");
            assert_eq!(progressing["status"], "False");
            assert_eq!(world.condition("Degraded")["status"], "False");
            assert_eq!(annotation(&world, REVISION), stamp);
            assert_eq!(annotation(&world, GENERATION), "1");
            // Everything else is as a new cache has it.
            assert!(world.children.contains_key("NetworkPolicy/demo"));
        }
    }
}

#[test]
fn the_message_says_what_waits_and_why() {
    let mut world = left_by("1", "minimal");
    settle_without_restart(&mut world);
    insta::assert_snapshot!(world.condition("Progressing")["message"].as_str().unwrap(), @"Defaults of this version of the operator wait for the next edit of the spec, because they restart the registry, which has no storage and loses its artifacts.");
}

#[test]
fn a_spec_without_the_defaults_of_the_crd_is_the_same_spec() {
    for (revision, stamp) in [("1", "1"), ("2", "3"), ("3", "3")] {
        let mut world = left_by(revision, "minimal");
        world.cache["spec"] = json!({});
        settle_without_restart(&mut world);
        world.cache["spec"] = json!({"delete": false, "networkPolicy": {"enabled": true}});
        settle_without_restart(&mut world);
        assert_eq!(annotation(&world, REVISION), stamp);
    }
}

#[test]
fn the_next_edit_of_the_spec_applies_the_new_defaults() {
    for fixture in WITHOUT_STORAGE {
        let mut world = left_by("1", fixture);
        settle_without_restart(&mut world);
        assert_eq!(deletion(&template(&world)), "true");
        // Any field will do, so that nobody has to know which one belongs to the pods.
        world.edit(|spec| spec["networkPolicy"] = json!({"allowedNamespaces": ["team"]}));
        world.settle();
        assert_eq!(deletion(&template(&world)), "false", "{fixture}");
        assert_eq!(annotation(&world, REVISION), "3");
        assert_eq!(annotation(&world, GENERATION), "2");
        assert_eq!(world.condition("Progressing")["reason"], "AsExpected");
    }
}

#[test]
fn an_edit_that_no_version_has_applied_is_applied_with_the_new_defaults() {
    // The operator was down when the spec was edited.
    let mut world = left_by("1", "minimal");
    world.edit(|spec| spec["image"] = "registry:3".into());
    world.settle();
    assert_eq!(template(&world)["spec"]["containers"][0]["image"], "registry:3");
    assert_eq!(deletion(&template(&world)), "false");
}

#[test]
fn a_registry_with_storage_gets_the_new_defaults_at_once() {
    for fixture in WITH_STORAGE {
        let mut world = left_by("1", fixture);
        world.settle();
        assert_eq!(deletion(&template(&world)), "false", "{fixture}");
        assert_eq!(annotation(&world, REVISION), "3");
        assert_eq!(world.condition("Progressing")["reason"], "AsExpected");
    }
}

#[test]
fn a_hand_edit_is_taken_back_to_the_older_defaults() {
    let mut world = left_by("1", "minimal");
    settle_without_restart(&mut world);
    let before = template(&world);
    for (field, value) in [("image", json!("evil")), ("env", json!([])), ("livenessProbe", json!(null))] {
        let set = world.children.get_mut(SET).unwrap();
        set["spec"]["template"]["spec"]["containers"][0][field] = value;
        world.settle();
        assert_eq!(template(&world), before, "{field}");
    }
    assert_eq!(world.condition("Progressing")["reason"], "DefaultsWait");
}

#[test]
fn a_hand_edit_before_the_upgrade_is_taken_back_too() {
    let mut world = left_by("1", "minimal");
    let before = template(&world);
    world.children.get_mut(SET).unwrap()["spec"]["template"]["spec"]["containers"][0]["image"] =
        "evil".into();
    world.settle();
    assert_eq!(template(&world), before);
}

#[test]
fn stamps_that_were_removed_are_written_again() {
    for (revision, fixture) in [("1", "minimal"), ("2", "retention"), ("3", "minimal"), ("3", "retention")] {
        let mut world = left_by(revision, fixture);
        settle_without_restart(&mut world);
        let stamped = world.children[SET]["metadata"]["annotations"].clone();
        for names in [&[REVISION][..], &[GENERATION], &[HASH], &[REVISION, GENERATION, HASH]] {
            let annotations = &mut world.children.get_mut(SET).unwrap()["metadata"]["annotations"];
            for name in names {
                annotations.as_object_mut().unwrap().remove(*name).unwrap();
            }
            settle_without_restart_but_ready(&mut world);
            assert_eq!(world.children[SET]["metadata"]["annotations"], stamped, "{revision} {names:?}");
        }
    }
}

/// A removed digest makes the StatefulSet count as changed until it is written again.
fn settle_without_restart_but_ready(world: &mut World) {
    let before = template(world);
    world.settle();
    assert_eq!(template(world), before);
    assert_eq!(world.condition("Ready")["status"], "True");
}

#[test]
fn defaults_of_a_later_version_stay_after_a_downgrade() {
    let mut world = World::new(json!({}));
    world.settle();
    let set = world.children.get_mut(SET).unwrap();
    set["metadata"]["annotations"][REVISION] = "999".into();
    set["metadata"]["annotations"][HASH] = "0123456789abcdef".into();
    set["spec"]["template"]["spec"]["containers"][0]["livenessProbe"]["periodSeconds"] = 30.into();
    settle_without_restart(&mut world);
    assert_eq!(annotation(&world, REVISION), "999");
    assert_eq!(world.condition("Progressing")["reason"], "DefaultsWait");
    world.edit(|spec| spec["delete"] = true.into());
    world.settle();
    assert_eq!(annotation(&world, REVISION), "3");
    assert_eq!(deletion(&template(&world)), "true");
}

#[test]
fn a_stamp_that_changes_alone_leaves_the_cache_ready() {
    let mut world = World::new(json!({}));
    world.settle();
    world.edit(|spec| spec["networkPolicy"] = json!({"allowedNamespaces": ["team"]}));
    let plan = world.plan();
    world.execute(&plan);
    assert_eq!(world.condition("Ready")["status"], "True");
    assert_eq!(annotation(&world, GENERATION), "2");
}

/// The words of `prune` in the CronJob of a cache.
fn prune(world: &World) -> String {
    world.children["CronJob/demo-retention"]["spec"]["jobTemplate"]["spec"]["template"]["spec"]["containers"]
        [0]["command"]
        .to_string()
}

#[test]
fn retention_asks_for_no_collection_that_an_older_template_cannot_make() {
    let mut world = left_by("2", "retention");
    settle_without_restart(&mut world);
    assert!(!prune(&world).contains("--collection"), "{}", prune(&world));
    world.edit(|spec| spec["progressDeadlineSeconds"] = 60.into());
    world.settle();
    assert!(prune(&world).contains("--collection"), "{}", prune(&world));
    assert_eq!(template(&world)["spec"]["initContainers"][0]["name"], "oras-install");
}

#[test]
fn a_zot_without_storage_does_not_delete_by_itself_before_its_spec_is_edited() {
    // What revision 2 made of a zot with retention: clients may delete, and zot does not.
    let mut world = World::new(json!({"flavor": "zot", "delete": true}));
    world.settle();
    world.cache["spec"] = json!({"flavor": "zot", "retention": {"keepTags": 5}});
    let annotations = &mut world.children.get_mut(SET).unwrap()["metadata"]["annotations"];
    annotations.as_object_mut().unwrap().remove(HASH).unwrap();
    settle_without_restart_but_ready(&mut world);
    assert!(prune(&world).contains("--keep-tags=5"));
    world.edit(|spec| spec["progressDeadlineSeconds"] = 60.into());
    world.settle();
    assert!(!world.children.contains_key("CronJob/demo-retention"), "zot deletes by itself");
}

#[test]
fn another_image_of_the_agent_does_not_restart_a_registry_without_storage() {
    let image = |world: &World| template(world)["spec"]["initContainers"][0]["image"].clone();
    let mut world = left_by("3", "retention");
    settle_without_restart(&mut world);
    let before = image(&world);
    world.settings = r#"{"agentImage":"example.org/agent:2"}"#.to_owned();
    settle_without_restart(&mut world);
    assert_eq!(image(&world), before);
    assert_eq!(world.condition("Progressing")["reason"], "DefaultsWait");
    // Hand edits are taken back to that image.
    let pod = &mut world.children.get_mut(SET).unwrap()["spec"]["template"]["spec"];
    pod["containers"][0]["command"] = json!(["evil"]);
    world.settle();
    assert_eq!(template(&world)["spec"]["containers"][0]["command"][1], "supervise-registry");
    assert_eq!(image(&world), before);
    world.edit(|spec| spec["progressDeadlineSeconds"] = 60.into());
    world.settle();
    assert_eq!(image(&world), "example.org/agent:2");
    // With storage there is nothing to lose.
    let mut world = World::new(json!({"storage": {"size": "1Gi"}, "retention": {"keepTags": 5}}));
    world.settle();
    world.settings = r#"{"agentImage":"example.org/agent:2"}"#.to_owned();
    world.settle();
    assert_eq!(image(&world), "example.org/agent:2");
}
