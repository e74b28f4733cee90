//! What the status says of runs of retention, seeds and exports that ended.

use crate::world;
use crate::world::{NOW, World};
use orascache_contract::time::rfc3339;
use serde_json::{Value, json};

fn world(spec: Value) -> World {
    let mut world = World::new(spec);
    world.settle();
    world
}

fn everything() -> Value {
    json!({
        "retention": {"keepTags": 5},
        "seed": {"artifacts": [{"source": "docker.io/library/busybox:1"}, {"source": "ghcr.io/lab/words:2"}]},
        "export": {"destination": "registry.example.org/lab"},
    })
}

const RETENTION: &str = "CronJob/demo-retention";
const EXPORT: &str = "CronJob/demo-export";

/// What the agent leaves.
fn message(numbers: &Value) -> String {
    format!("orascache: this and that was done\n{numbers}")
}

fn status(world: &World, member: &str) -> Value {
    world.cache["status"].get(member).cloned().unwrap_or_default()
}

/// Settles the world, and demands that the same input leads to no further write.
fn settle(world: &mut World) {
    world.settle();
    assert!(world.plan().status.is_none(), "the status is written once");
}

#[test]
fn the_numbers_of_the_last_run_are_in_the_status_and_outlive_its_pod() {
    let mut world = world(everything());
    let numbers = json!({"deletedTags": 12, "deletedManifests": 10, "keptTags": 40, "freedBytes": 7, "bytesReferenced": 5_u64 << 32});
    world.run_of(RETENTION, "first", NOW - 60, &message(&numbers));
    world.run_of(EXPORT, "first", NOW - 50, &message(&json!({"copied": 3, "skipped": 7, "failed": 1})));
    settle(&mut world);
    let wanted = json!({
        "lastFinished": rfc3339(NOW - 60), "deletedTags": 12, "deletedManifests": 10, "keptTags": 40, "freedBytes": 7,
    });
    assert_eq!(status(&world, "retention"), wanted);
    assert_eq!(status(&world, "bytesReferenced"), json!(5_u64 << 32));
    let export = json!({"lastFinished": rfc3339(NOW - 50), "copied": 3, "skipped": 7, "failed": 1});
    assert_eq!(status(&world, "export"), export);
    // The pods go with their Jobs, and the CronJob tells when it ran.
    world.related.clear();
    world.children.get_mut(RETENTION).unwrap()["status"] = json!({"lastSuccessfulTime": rfc3339(NOW - 60)});
    settle(&mut world);
    let mut told = wanted;
    told["lastSucceeded"] = rfc3339(NOW - 60).into();
    assert_eq!((status(&world, "retention"), status(&world, "export")), (told, export));
    assert_eq!(status(&world, "bytesReferenced"), json!(5_u64 << 32));
    world.edit(|spec| *spec = json!({}));
    world.settle();
    for member in ["retention", "export", "seed", "bytesReferenced"] {
        assert_eq!(status(&world, member), Value::Null, "{member} is not asked for any more");
    }
}

#[test]
fn a_run_that_ended_later_replaces_the_numbers_and_an_older_one_does_not() {
    let mut world = world(everything());
    let of = |tags: i64| json!({"deletedTags": tags, "deletedManifests": 0, "keptTags": 4, "bytesReferenced": tags});
    world.run_of(RETENTION, "second", NOW - 60, &message(&of(2)));
    settle(&mut world);
    world.run_of(RETENTION, "first", NOW - 90, &message(&of(1)));
    settle(&mut world);
    assert_eq!(status(&world, "retention")["deletedTags"], 2);
    // A run that failed has no sum, and the older one stays.
    world.run_of(RETENTION, "third", NOW - 30, &message(&json!({"deletedTags": 3, "deletedManifests": 0})));
    settle(&mut world);
    let wanted = json!({"lastFinished": rfc3339(NOW - 30), "deletedTags": 3, "deletedManifests": 0});
    assert_eq!((status(&world, "retention"), status(&world, "bytesReferenced")), (wanted, json!(2)));
}

#[test]
fn a_run_that_has_not_ended_tells_nothing() {
    let mut world = world(everything());
    world.run_of(RETENTION, "first", NOW - 60, &message(&json!({"deletedTags": 1})));
    let pod = world.related.last_mut().unwrap();
    pod["status"]["containerStatuses"][0]["state"] = json!({"running": {"startedAt": rfc3339(NOW - 60)}});
    settle(&mut world);
    assert_eq!(status(&world, "retention"), Value::Null);
}

#[test]
fn seeds_that_were_there_already_are_told_from_copied_ones() {
    let mut world = world(everything());
    let job = world.children.keys().find(|key| key.starts_with("Job/")).unwrap().clone();
    let name = job.trim_start_matches("Job/").to_owned();
    assert_eq!(status(&world, "seed"), json!({"artifacts": 2, "copied": 0, "skipped": 0, "job": name}));
    let uid = world.children[&job]["metadata"]["uid"].clone();
    let one = |what: &str| json!({"copied": i64::from(what == "copied"), "skipped": i64::from(what == "skipped"), "failed": 0});
    world.related.push(world::ended_pod("a", &uid, NOW - 60, &message(&one("copied"))));
    world.related.push(world::ended_pod("b", &uid, NOW - 60, &message(&one("skipped"))));
    world.children.get_mut(&job).unwrap()["status"] = json!({"succeeded": 2});
    settle(&mut world);
    let wanted = json!({"artifacts": 2, "copied": 1, "skipped": 1, "job": name});
    assert_eq!(status(&world, "seed"), wanted);
    world.related.clear();
    settle(&mut world);
    assert_eq!(status(&world, "seed"), wanted, "the pods are gone");
    // Another list has another Job, which begins anew.
    world.edit(|spec| spec["seed"]["artifacts"][0]["source"] = "docker.io/library/busybox:2".into());
    world.settle();
    let job = world.children.keys().find(|key| key.starts_with("Job/")).unwrap().clone();
    world.children.get_mut(&job).unwrap()["status"] = json!({"succeeded": 1});
    settle(&mut world);
    let wanted = json!({"artifacts": 2, "copied": 1, "skipped": 0, "job": job.trim_start_matches("Job/")});
    assert_eq!(status(&world, "seed"), wanted);
}

#[test]
fn a_spec_that_is_invalid_for_a_while_loses_no_numbers() {
    let mut world = world(everything());
    world.run_of(RETENTION, "first", NOW - 60, &message(&json!({"deletedTags": 1, "deletedManifests": 1})));
    settle(&mut world);
    let before = status(&world, "retention");
    world.edit(|spec| spec["replicas"] = json!(-1));
    world.settle();
    assert_eq!(world.condition("Degraded")["reason"], "InvalidSpec");
    assert_eq!(status(&world, "retention"), before);
}

#[test]
fn a_registry_that_deletes_by_itself_has_no_numbers_of_runs() {
    let mut world = world(json!({"retention": {"keepTags": 5}}));
    let numbers = json!({"deletedTags": 1, "deletedManifests": 1, "keptTags": 1, "bytesReferenced": 1});
    world.run_of(RETENTION, "first", NOW - 60, &message(&numbers));
    settle(&mut world);
    assert_eq!(status(&world, "bytesReferenced"), 1);
    world.edit(|spec| spec["flavor"] = "zot".into());
    world.settle();
    settle(&mut world);
    assert_eq!((status(&world, "retention"), status(&world, "bytesReferenced")), (Value::Null, Value::Null));
}
