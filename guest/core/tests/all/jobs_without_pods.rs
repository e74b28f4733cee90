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
    let owner = &world.children[RETENTION]["metadata"]["uid"];
    let job = json!({
        "apiVersion": "batch/v1", "kind": "Job",
        "metadata": {
            "name": "demo-retention-1", "namespace": "lab", "uid": "job",
            "ownerReferences": [{"apiVersion": "batch/v1", "kind": "CronJob", "name": "x", "uid": owner, "controller": true}],
        },
        // As a controller leaves it whose pods are refused.
        "status": {"startTime": rfc3339(began)},
    });
    world.related.push(job);
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
    insta::assert_snapshot!(message, @"Job demo-retention-1 gets no pod, and no later run begins before it ends. A quota, a limit range, a policy or a webhook may refuse the pod: kubectl describe job demo-retention-1 shows why. spec.taskResources says what it asks for. The registry works all the same.");
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
fn a_run_that_needs_no_pod_is_not_told() {
    let condition = |kind: &str, status: &str| json!({"conditions": [{"type": kind, "status": status}]});
    for (more, wanted) in [
        (json!({}), true),
        (json!({"active": 0}), true),
        // It was paused, and goes on.
        (condition("Suspended", "False"), true),
        (condition("Suspended", "True"), false),
        (condition("Complete", "True"), false),
        (json!({"active": 1}), false),
        (json!({"succeeded": 1}), false),
        // Its pod was deleted, and the next one has to wait.
        (json!({"failed": 1}), false),
        (json!({"startTime": null}), false),
    ] {
        let mut world = world(NOW - 60);
        let status = world.related[0]["status"].as_object_mut().unwrap();
        status.extend(more.as_object().unwrap().clone());
        assert_eq!(is_told(&mut world), wanted, "{more}");
    }
    let mut deleted = world(NOW - 60);
    deleted.related[0]["metadata"]["deletionTimestamp"] = rfc3339(NOW).into();
    assert!(!is_told(&mut deleted));
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
fn a_seed_without_pods_is_told() {
    let mut world = World::new(json!({"seed": {"artifacts": [{"source": "docker.io/library/busybox:1"}]}}));
    world.settle();
    let key = world.children.keys().find(|key| key.starts_with("Job/")).unwrap().clone();
    assert!(!is_told(&mut world), "its controller has not seen it");
    world.children.get_mut(&key).unwrap()["status"] = json!({"startTime": rfc3339(NOW - 60)});
    assert!(is_told(&mut world));
}
