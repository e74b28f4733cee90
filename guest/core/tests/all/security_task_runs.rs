//! Numbers of runs come from pods, which anybody in the namespace may make, and whose containers write
//! what they like.

use crate::world::{NOW, World, ended_pod};
use serde_json::{Value, json};

const CRON_JOB: &str = "CronJob/demo-retention";
const NUMBERS: &str = r#"{"deletedTags":1,"deletedManifests":1,"keptTags":1,"bytesReferenced":1}"#;

fn retaining() -> World {
    let mut world = World::new(json!({"retention": {"keepTags": 5}}));
    world.settle();
    world
}

/// The retention of the status after a run that ended then with this message.
fn told(at: u64, message: &str) -> Value {
    let mut world = retaining();
    world.run_of(CRON_JOB, "first", at, message);
    world.settle();
    assert!(world.plan().status.is_none(), "the status is written once: {message}");
    world.cache["status"].get("retention").cloned().unwrap_or_default()
}

#[test]
fn security_numbers_come_from_pods_of_the_caches_own_jobs_alone() {
    let ours = |change: &dyn Fn(&mut Value, &mut Value)| {
        let mut world = retaining();
        world.run_of(CRON_JOB, "first", NOW - 60, NUMBERS);
        let (jobs, pods) = world.related.split_at_mut(1);
        change(&mut jobs[0], &mut pods[0]);
        world.settle();
        world.cache["status"].get("retention").is_some()
    };
    assert!(ours(&|_, _| {}));
    assert!(!ours(&|job, _| job["metadata"]["ownerReferences"][0]["uid"] = "another".into()));
    assert!(!ours(&|job, _| job["metadata"]["ownerReferences"][0]["controller"] = false.into()));
    assert!(!ours(&|job, _| job["metadata"]["namespace"] = "other".into()));
    assert!(!ours(&|job, _| job["kind"] = "ReplicaSet".into()));
    assert!(!ours(&|_, pod| pod["metadata"]["ownerReferences"][0]["controller"] = false.into()));
    assert!(!ours(&|_, pod| pod["metadata"]["ownerReferences"] = json!([])));
    assert!(!ours(&|_, pod| pod["metadata"]["namespace"] = "other".into()));
    assert!(!ours(&|_, pod| pod["status"]["containerStatuses"][0]["name"] = "sidecar".into()));
    // A pod that names the CronJob itself is none of its runs.
    let mut world = retaining();
    let uid = world.children[CRON_JOB]["metadata"]["uid"].clone();
    world.related.push(ended_pod("x", &uid, NOW - 60, NUMBERS));
    world.settle();
    assert_eq!(world.cache["status"].get("retention"), None);
}

#[test]
fn security_a_message_that_is_no_numbers_is_ignored() {
    assert_ne!(told(NOW - 60, NUMBERS), Value::Null);
    let long = format!("{}{NUMBERS}", " ".repeat(500));
    let deep = "[".repeat(500);
    let many = format!("{{\"deletedTags\":{}}}", "9".repeat(30));
    for message in [
        "",
        "\n",
        "done",
        "[]",
        "{}",
        "null",
        "{\"deletedTags\":1",
        "{\"deletedTags\":-1}",
        "{\"deletedTags\":1.5}",
        "{\"deletedTags\":\"1\"}",
        "{\"deletedTags\":[1]}",
        "{\"password\":1}",
        &format!("{NUMBERS}\nthe last line counts"),
        &long,
        &deep,
        &many,
    ] {
        assert_eq!(told(NOW - 60, message), Value::Null, "{message}");
    }
    // Of others, only what is known gets into the status.
    let told = told(NOW - 60, r#"{"deletedTags":1,"note":"x","copied":5,"keptTags":"many"}"#);
    let members: Vec<&String> = told.as_object().unwrap().keys().collect();
    assert_eq!(members, ["deletedTags", "lastFinished"]);
}

#[test]
fn security_a_time_in_the_future_does_not_keep_later_runs_out() {
    assert_ne!(told(NOW + 60, NUMBERS), Value::Null, "clocks differ a little");
    assert_eq!(told(NOW + 3600, NUMBERS), Value::Null);
    let mut world = retaining();
    world.cache["status"]["retention"] = json!({"lastFinished": "2999-01-01T00:00:00Z", "deletedTags": 7});
    world.run_of(CRON_JOB, "first", NOW - 60, NUMBERS);
    world.settle();
    assert_eq!(world.cache["status"]["retention"]["deletedTags"], 1);
}

#[test]
fn security_a_written_status_that_is_garbage_is_not_copied() {
    let mut world = retaining();
    world.cache["status"]["retention"] = json!({"lastStarted": "x".repeat(5000), "deletedTags": "many"});
    world.cache["status"]["bytesReferenced"] = "much".into();
    world.settle();
    let status = &world.cache["status"];
    assert_eq!((status.get("retention"), status.get("bytesReferenced")), (None, None));
}
