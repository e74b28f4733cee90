//! What the status says about registry pods that are not ready: a snapshot for each file in
//! `symptoms/`, at the start, half a minute later, and after the progress deadline. The files hold
//! what the kubelet, the scheduler and the volume controller write.

use crate::world::World;
use orascache_contract::{Event, Plan};
use serde_json::{Value, json};
use std::fmt::Write;

/// A pod as the host shows it: its identity and its status.
fn pod(world: &World, ordinal: usize, status: &Value) -> Value {
    json!({
        "apiVersion": "v1", "kind": "Pod",
        "metadata": {
            "name": format!("demo-{ordinal}"), "namespace": "lab", "uid": format!("pod-{ordinal}"),
            "ownerReferences": [{
                "apiVersion": "apps/v1", "kind": "StatefulSet", "name": "demo", "controller": true,
                "uid": world.children["StatefulSet/demo"]["metadata"]["uid"],
            }],
        },
        "status": status,
    })
}

fn quota(described: &Value) -> Value {
    json!({
        "apiVersion": "v1", "kind": "ResourceQuota",
        "metadata": {"name": described["name"], "namespace": "lab", "uid": "q"},
        "spec": described["spec"], "status": described["status"],
    })
}

/// A started cache with the symptoms of one file.
fn world_with(symptoms: &Value) -> World {
    let mut world = World::new(symptoms["spec"].clone());
    world.start();
    let pods = symptoms["pods"].as_array().unwrap();
    for (ordinal, status) in pods.iter().enumerate() {
        let mut pod = pod(&world, ordinal, status);
        if symptoms["foreign"] == true {
            pod["metadata"]["ownerReferences"][0]["uid"] = "another".into();
        }
        if symptoms["deleted"] == true {
            pod["metadata"]["deletionTimestamp"] = "2026-11-24T12:02:00Z".into();
        }
        world.related.push(pod);
    }
    world.related.extend(symptoms["quotas"].as_array().into_iter().flatten().map(quota));
    if let Some(claim) = symptoms.get("claim") {
        world.children.get_mut("PersistentVolumeClaim/demo-data").unwrap()["status"] = claim.clone();
    }
    counted(&mut world, pods.len(), 0, pods.len());
    world
}

/// Has the StatefulSet count its pods.
fn counted(world: &mut World, pods: usize, ready: usize, updated: usize) {
    let set = world.children.get_mut("StatefulSet/demo").unwrap();
    set["status"] = json!({
        "observedGeneration": set["metadata"]["generation"], "replicas": pods, "readyReplicas": ready,
        "updatedReplicas": updated,
    });
}

fn described(world: &World, plan: &Plan) -> String {
    let mut text = String::new();
    let mut said = String::new();
    for kind in ["Ready", "Progressing", "Degraded"] {
        let found = world.condition(kind);
        let line = |name: &str| found[name].as_str().unwrap().to_owned();
        writeln!(text, "{kind}={} {}", line("status"), line("reason")).unwrap();
        if !line("message").is_empty() && line("message") != said {
            said = line("message");
            writeln!(text, "    {said}").unwrap();
        }
    }
    let events: Vec<String> =
        plan.events.iter().map(|event| format!("{:?} {}", event.severity, event.reason)).collect();
    writeln!(text, "events: {}", events.join(", ")).unwrap();
    text
}

#[test]
fn every_symptom() {
    insta::glob!("../symptoms", "*.json", |path| {
        let symptoms: Value = serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap();
        let mut world = world_with(&symptoms);
        let (mut text, mut last) = (String::new(), String::new());
        let start = world.now;
        for (after, what) in
            [(0, "at once"), (30, "after 30 s"), (301, "after 5 minutes"), (601, "after the deadline")]
        {
            world.now = start + after;
            let plan = world.plan();
            world.execute(&plan);
            let now = described(&world, &plan);
            let shown = if now == last { "nothing new\n" } else { now.as_str() };
            writeln!(text, "{what}:\n{shown}").unwrap();
            last = now;
            let again = world.plan();
            assert!(
                again.status.is_none() && again.events.is_empty(),
                "{what}: a repeat is no news: {again:#?}"
            );
        }
        insta::assert_snapshot!(text);
    });
}

#[test]
fn a_pod_that_takes_its_time_is_looked_at_again_when_its_time_is_over() {
    let run = json!([{"name": "registry", "state": {"running": {"startedAt": "2026-11-24T12:02:39Z"}}}]);
    let mut world = world_with(&json!({"spec": {}, "pods": [{"containerStatuses": run}]}));
    assert_eq!(world.plan().requeue_after, Some(150));
    world.now += 150;
    let plan = world.plan();
    assert_eq!((plan.events.len(), plan.requeue_after), (1, Some(600)), "now the deadline counts");
    let mut world = world_with(&json!({"spec": {}, "deleted": true, "pods": [ready_status()]}));
    world.related[0]["metadata"]["deletionTimestamp"] = "2026-11-24T12:03:09Z".into();
    assert_eq!(world.plan().requeue_after, Some(45), "the grace period, and some more");
    let mut world = world_with(&json!({"spec": {}, "pods": [], "quotas": []}));
    assert_eq!(world.plan().requeue_after, Some(15), "a start looks like that for a moment");
    world.edit(|spec| spec["progressDeadlineSeconds"] = 5.into());
    assert_eq!(world.plan().requeue_after, Some(5));
}

fn ready_status() -> Value {
    json!({
        "phase": "Running",
        "conditions": [{"type": "Ready", "status": "True"}],
        "containerStatuses": [{
            "name": "registry", "ready": true, "image": "registry:3",
            "imageID": format!("docker.io/library/registry@sha256:{}", "a".repeat(64)),
            "state": {"running": {"startedAt": "2026-11-24T12:02:45Z"}},
        }],
    })
}

fn image_error(words: &str) -> Value {
    let reason = if words.starts_with("Back-off") { "ImagePullBackOff" } else { "ErrImagePull" };
    json!({"containerStatuses": [{
        "name": "registry", "ready": false, "image": "registry:nope",
        "state": {"waiting": {"reason": reason, "message": words}},
    }]})
}

/// Replaces the observed pods.
fn observe(world: &mut World, statuses: &[Value]) {
    world.related.retain(|object| object["kind"] != "Pod");
    let pods: Vec<Value> =
        statuses.iter().enumerate().map(|(ordinal, status)| pod(world, ordinal, status)).collect();
    world.related.extend(pods);
    let ready = statuses.iter().filter(|status| status["conditions"][0]["status"] == "True").count();
    counted(world, statuses.len(), ready, statuses.len());
}

fn step(world: &mut World, seconds: u64) -> Vec<Event> {
    world.now += seconds;
    let plan = world.plan();
    world.execute(&plan);
    plan.events
}

fn reasons(events: &[Event]) -> Vec<&str> {
    events.iter().map(|event| event.reason.as_ref()).collect()
}

#[test]
fn a_fault_that_passes_leaves_the_cache_ready_and_not_degraded() {
    let mut world = World::new(json!({}));
    world.start();
    observe(&mut world, &[image_error("not found")]);
    assert_eq!(reasons(&step(&mut world, 1)), ["ImagePullFailed"]);
    assert_eq!(world.condition("Degraded")["status"], "False");
    assert_eq!(reasons(&step(&mut world, 600)), ["ImagePullFailed"], "Degraded says it once more");
    assert_eq!(world.condition("Degraded")["status"], "True");
    observe(&mut world, &[ready_status()]);
    assert_eq!(reasons(&step(&mut world, 60)), ["RegistryReady"]);
    assert_eq!(world.condition("Degraded")["status"], "False");
    assert_eq!(world.condition("Progressing")["status"], "False");
    assert!(world.cache["status"].get("lastProgressTime").is_none());
    assert!(world.plan().is_empty());
}

#[test]
fn an_edit_of_the_spec_begins_a_new_deadline() {
    let mut world = World::new(json!({"image": "registry:nope", "progressDeadlineSeconds": 60}));
    world.start();
    observe(&mut world, &[image_error("not found")]);
    step(&mut world, 1);
    step(&mut world, 60);
    assert_eq!(world.condition("Degraded")["status"], "True");
    world.edit(|spec| spec["image"] = "registry:3".into());
    step(&mut world, 1);
    counted(&mut world, 1, 0, 1);
    observe(&mut world, &[image_error("not found")]);
    step(&mut world, 58);
    assert_eq!(world.condition("Degraded")["status"], "False", "{}", world.cache["status"]);
    step(&mut world, 2);
    assert_eq!(world.condition("Degraded")["status"], "True");
}

#[test]
fn a_roll_out_that_brings_pods_up_to_date_is_not_overdue() {
    let spec = json!({"replicas": 3, "storage": {"size": "1Gi", "accessModes": ["ReadWriteMany"]}});
    let mut world = World::new(spec);
    world.settle();
    world.edit(|spec| spec["image"] = "registry:3".into());
    step(&mut world, 1);
    for updated in 1..=3 {
        counted(&mut world, 3, 2, updated);
        step(&mut world, 599);
        assert_eq!(world.condition("Degraded")["status"], "False", "{updated}");
    }
    counted(&mut world, 3, 2, 2);
    step(&mut world, 600);
    assert_eq!(
        world.condition("Degraded")["reason"],
        "ProgressDeadlineExceeded",
        "going back is no progress"
    );
}

#[test]
fn a_cache_stays_ready_while_a_roll_out_fails_and_other_pods_serve() {
    let spec = json!({"replicas": 2, "storage": {"size": "1Gi", "accessModes": ["ReadWriteMany"]}});
    let mut world = World::new(spec);
    world.settle();
    let since = world.condition("Ready")["lastTransitionTime"].clone();
    world.edit(|spec| spec["image"] = "registry:nope".into());
    step(&mut world, 5);
    assert_eq!(world.condition("Ready")["status"], "True");
    observe(&mut world, &[ready_status(), image_error("not found")]);
    for seconds in [5, 700] {
        step(&mut world, seconds);
        let ready = world.condition("Ready");
        assert_eq!((&ready["status"], &ready["reason"]), (&json!("True"), &json!("RegistryPartlyReady")));
        assert_eq!((&ready["lastTransitionTime"], &ready["observedGeneration"]), (&since, &json!(2)));
        assert_eq!(world.condition("Progressing")["reason"], "ImagePullFailed");
    }
    assert_eq!(world.condition("Degraded")["reason"], "ImagePullFailed");
    observe(&mut world, &[image_error("not found"), image_error("not found")]);
    step(&mut world, 5);
    assert_eq!(world.condition("Ready")["status"], "False");
}

#[test]
fn the_words_of_a_pull_error_stay_while_the_node_waits() {
    let mut world = World::new(json!({"image": "registry:nope"}));
    world.start();
    observe(&mut world, &[image_error("failed to resolve registry:nope: not found")]);
    step(&mut world, 1);
    assert!(world.condition("Ready")["message"].as_str().unwrap().contains("not found"));
    observe(&mut world, &[image_error("Back-off pulling image \"registry:nope\"")]);
    let plan = world.plan();
    assert!(plan.status.is_none() && plan.events.is_empty(), "{:?}", plan.status);
}

#[test]
fn artifacts_that_went_with_their_pod_are_reported_once() {
    let mut world = World::new(json!({}));
    world.start();
    observe(&mut world, &[ready_status()]);
    assert_eq!(reasons(&step(&mut world, 1)), ["RegistryReady"], "the first pod has lost nothing");
    assert_eq!(world.cache["status"]["registryPodUID"], "pod-0");
    observe(&mut world, &[image_error("not found")]);
    world.related.last_mut().unwrap()["metadata"]["uid"] = "second".into();
    let events = step(&mut world, 100);
    assert_eq!(reasons(&events), ["ImagePullFailed", "ArtifactsLost"]);
    assert_eq!(world.cache["status"]["artifactsLostAt"], "2026-11-24T12:04:20Z");
    // The pod that has no artifacts is replaced too.
    world.related.last_mut().unwrap()["metadata"]["uid"] = "third".into();
    assert!(step(&mut world, 1).is_empty());
    observe(&mut world, &[ready_status()]);
    world.related.last_mut().unwrap()["metadata"]["uid"] = "third".into();
    assert_eq!(reasons(&step(&mut world, 1)), ["RegistryReady"]);
    let ready = world.condition("Ready");
    assert!(ready["message"].as_str().unwrap().contains("last at 2026-11-24T12:04:20Z"), "{ready}");
    assert!(world.plan().is_empty());
}

#[test]
fn a_cache_with_storage_loses_nothing_with_its_pod() {
    let mut world = World::new(json!({"storage": {"size": "1Gi"}}));
    world.start();
    for uid in ["first", "second"] {
        observe(&mut world, &[ready_status()]);
        world.related.last_mut().unwrap()["metadata"]["uid"] = uid.into();
        assert!(!reasons(&step(&mut world, 1)).contains(&"ArtifactsLost"));
        assert!(world.cache["status"].get("registryPodUID").is_none());
    }
}

#[test]
fn the_status_has_what_runs_and_where() {
    let mut world = World::new(json!({"storage": {"size": "1Gi", "storageClassName": "fast"}}));
    world.start();
    world.children.get_mut("PersistentVolumeClaim/demo-data").unwrap()["status"] =
        json!({"phase": "Bound", "capacity": {"storage": "2Gi"}});
    observe(&mut world, &[ready_status()]);
    step(&mut world, 1);
    let status = &world.cache["status"];
    assert_eq!(status["url"], "http://demo-0.demo.lab.svc:5000");
    assert_eq!(status["imageDigest"], format!("sha256:{}", "a".repeat(64)));
    assert_eq!(
        status["claim"],
        json!({"name": "demo-data", "phase": "Bound", "capacity": "2Gi", "storageClassName": "fast"})
    );
    assert_eq!((&status["replicas"], &status["updatedReplicas"]), (&json!(1), &json!(1)));
    world.edit(|spec| spec["deploy"] = false.into());
    world.settle();
    for gone in ["url", "imageDigest", "claim", "lastProgressTime"] {
        assert!(world.cache["status"].get(gone).is_none(), "{gone}");
    }
}

#[test]
fn fields_that_somebody_added_stay_and_are_named() {
    let mut world = World::new(json!({}));
    world.settle();
    assert!(
        world.cache["status"]["conditions"]
            .as_array()
            .unwrap()
            .iter()
            .all(|one| one["type"] != "ForeignFields")
    );
    let set = world.children.get_mut("StatefulSet/demo").unwrap();
    set["spec"]["template"]["spec"]["containers"]
        .as_array_mut()
        .unwrap()
        .push(json!({"name": "mesh", "image": "mesh:1"}));
    set["metadata"]["managedFields"] = json!([
        {"manager": "kubectl-edit", "operation": "Update", "fieldsV1": {"f:spec": {"f:template": {
            "f:metadata": {"f:annotations": {".": {}, "f:kubectl.kubernetes.io/restartedAt": {}}},
            "f:spec": {
                "f:containers": {
                    "k:{\"name\":\"mesh\"}": {".": {}, "f:image": {}, "f:name": {}},
                    "k:{\"name\":\"registry\"}": {"f:image": {}, "f:env": {"k:{\"name\":\"DEBUG\"}": {".": {}, "f:value": {}}}},
                },
                "f:hostAliases": {},
            },
        }}}},
        {"manager": "orascache", "operation": "Apply", "fieldsV1": {"f:spec": {"f:paused": {}}}},
    ]);
    let plan = world.plan();
    assert!(plan.apply.is_empty(), "they stay");
    assert_eq!(reasons(&plan.events), ["FieldsOfOthers"]);
    world.execute(&plan);
    let found = world.condition("ForeignFields");
    assert_eq!((&found["status"], &found["reason"]), (&json!("True"), &json!("FieldsOfOthers")));
    assert_eq!(
        found["message"],
        "StatefulSet demo has fields that others set, and they stay: \
         spec.template.spec.containers[name=mesh] (manager kubectl-edit), \
         spec.template.spec.containers[name=registry].env[name=DEBUG] (manager kubectl-edit), \
         spec.template.spec.hostAliases (manager kubectl-edit)."
    );
    assert_eq!(world.condition("Ready")["status"], "True");
    assert!(world.plan().is_empty());
    world.children.get_mut("StatefulSet/demo").unwrap()["metadata"]
        .as_object_mut()
        .unwrap()
        .remove("managedFields");
    step(&mut world, 1);
    assert_eq!(world.condition("ForeignFields")["status"], "False");
}

#[test]
fn of_many_fields_of_others_some_are_named_and_the_others_counted() {
    let mut world = World::new(json!({}));
    world.settle();
    let fields: serde_json::Map<String, Value> =
        (0..100).map(|one| (format!("f:x{one:02}"), json!({}))).collect();
    world.children.get_mut("StatefulSet/demo").unwrap()["metadata"]["managedFields"] = json!([
        {"manager": "mesh\u{1b}\n", "operation": "Apply", "fieldsV1": {"f:spec": fields}},
        {"manager": "mesh\u{1b}\n", "operation": "Update", "fieldsV1": {"f:spec": {"f:x00": {}}}},
    ]);
    step(&mut world, 1);
    let found = world.condition("ForeignFields");
    let message = found["message"].as_str().unwrap();
    assert!(message.contains("spec.x07 (manager mesh), and 92 more."), "{message}");
    assert_eq!(message.matches("spec.x00").count(), 1, "a field of one manager is named once");
}
