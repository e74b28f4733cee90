//! Jobs for work on a registry whose pods are refused.

use crate::world::{NOW, World};
use orascache_contract::Kind;
use orascache_contract::time::rfc3339;
use serde_json::{Value, json};

const RETENTION: &str = "CronJob/demo-retention";

/// A cache with a run of retention that began at a time, and its Job.
fn world(began: u64) -> World {
    let mut world = World::new(json!({"retention": {"keepTags": 5}}));
    world.settle();
    let cron_job = world.children.get_mut(RETENTION).unwrap();
    let owner = cron_job["metadata"]["uid"].clone();
    cron_job["status"] = json!({"active": [{"kind": "Job", "name": "demo-retention-1", "uid": "job"}]});
    world.related.push(json!({"apiVersion": "batch/v1", "kind": "Job", "metadata": {
        "name": "demo-retention-1", "namespace": "lab", "uid": "job", "creationTimestamp": rfc3339(began),
        "ownerReferences": [{"apiVersion": "batch/v1", "kind": "CronJob", "name": "x", "uid": owner, "controller": true}],
    }}));
    world
}

fn pod_of(job: &str) -> Value {
    json!({"apiVersion": "v1", "kind": "Pod", "metadata": {
        "name": "p", "namespace": "lab", "uid": "pod",
        "ownerReferences": [{"apiVersion": "batch/v1", "kind": "Job", "name": "x", "uid": job, "controller": true}],
    }})
}

fn degraded(world: &mut World) -> (String, String) {
    world.settle();
    let text = |name: &str| world.condition("Degraded")[name].as_str().unwrap().to_owned();
    (text("reason"), text("message"))
}

fn is_told(world: &mut World) -> bool {
    degraded(world).0 == "PodsNotCreated"
}

#[test]
fn a_job_without_a_pod_is_told_after_a_minute_and_forgotten_when_the_pod_exists() {
    let mut world = world(NOW - 10);
    assert!(!is_told(&mut world));
    assert_eq!(world.plan().requeue_after, Some(50), "nothing else wakes the operator");
    world.now += 50;
    let (reason, message) = degraded(&mut world);
    assert_eq!(reason, "PodsNotCreated");
    insta::assert_snapshot!(message, @"Job demo-retention-1 gets no pod. A quota, a limit range, a policy or a webhook may refuse it: kubectl describe job demo-retention-1 shows why. spec.taskResources says what its pods ask for.");
    assert_eq!(world.condition("Ready")["status"], "True", "the registry works all the same");
    world.related.push(pod_of("job"));
    assert!(!is_told(&mut world));
}

#[test]
fn pods_of_other_jobs_do_not_count() {
    let mut world = world(NOW - 60);
    world.related.push(pod_of("another"));
    assert!(is_told(&mut world));
}

#[test]
fn a_run_that_ended_needs_no_pod() {
    let mut world = world(NOW - 60);
    world.children.get_mut(RETENTION).unwrap()["status"] = json!({"active": []});
    assert!(!is_told(&mut world));
}

#[test]
fn nothing_is_missed_where_pods_are_not_observed() {
    let pod = Kind::namespaced("v1", "Pod", "pods");
    let mut omitted = world(NOW - 60);
    omitted.omitted.push(pod.clone());
    assert!(!is_told(&mut omitted));
    let mut absent = world(NOW - 60);
    absent.absent.push(pod);
    assert!(!is_told(&mut absent));
}

#[test]
fn a_seed_without_pods_is_told_until_it_begins_ends_or_is_paused() {
    let mut world = World::new(json!({"seed": {"artifacts": [{"source": "docker.io/library/busybox:1"}]}}));
    world.settle();
    let key = world.children.keys().find(|key| key.starts_with("Job/")).unwrap().clone();
    world.children.get_mut(&key).unwrap()["metadata"]["creationTimestamp"] = rfc3339(NOW - 60).into();
    assert!(!is_told(&mut world), "its controller has not seen it");
    let condition = |kind: &str| json!({"conditions": [{"type": kind, "status": "True"}]});
    for (status, wanted) in [
        (json!({"startTime": rfc3339(NOW - 60), "active": 0}), true),
        (json!({"startTime": rfc3339(NOW - 60), "active": 1}), false),
        (json!({"startTime": rfc3339(NOW - 60), "succeeded": 1}), false),
        (json!({"startTime": rfc3339(NOW - 60), "failed": 1}), false),
        (condition("Complete"), false),
        (condition("Suspended"), false),
    ] {
        world.children.get_mut(&key).unwrap()["status"] = status.clone();
        assert_eq!(is_told(&mut world), wanted, "{status}");
    }
}
