//! Retention, seeds and exports: their Jobs and CronJobs over the life of a cache.

use crate::world;
use crate::world::World;
use serde_json::{Value, json};

fn world(spec: Value) -> World {
    let mut world = World::new(spec);
    world.settle();
    world
}

/// The names of the children of a kind.
fn names(world: &World, kind: &str) -> Vec<String> {
    let of_kind = world.children.values().filter(|child| child["kind"] == kind);
    of_kind.map(|child| child["metadata"]["name"].as_str().unwrap().to_owned()).collect()
}

/// The words of the only container of a Job or CronJob.
fn words(world: &World, key: &str) -> Vec<String> {
    let spec = &world.children[key]["spec"];
    let spec = spec.get("jobTemplate").map_or(spec, |template| &template["spec"]);
    let command = spec["template"]["spec"]["containers"][0]["command"].as_array().unwrap();
    command.iter().map(|word| word.as_str().unwrap().to_owned()).collect()
}

fn seeds(sources: &[&str]) -> Value {
    let artifacts: Vec<Value> = sources.iter().map(|source| json!({"source": source})).collect();
    json!({"seed": {"artifacts": artifacts}})
}

const REGISTRY: &str = "http://demo-0.demo.lab.svc:5000";

#[test]
fn retention_is_a_cron_job_that_the_registry_lets_delete() {
    let mut world = world(json!({"retention": {"keepTags": 5, "maxAge": "30d", "patterns": ["run-*"]}}));
    let collection = "--collection=http://demo-0.demo.lab.svc:5002";
    let key = "--collection-key=/etc/orascache/collection/key";
    let wanted = ["orascache-agent", "prune", "--keep-tags=5", "--max-age=30d", "--tags=run-*"];
    let wanted = [&wanted[..], &[collection, REGISTRY, key]].concat();
    assert_eq!(words(&world, "CronJob/demo-retention"), wanted);
    let deletes = |world: &World| {
        let container = &world.children["StatefulSet/demo"]["spec"]["template"]["spec"]["containers"][0];
        let variables = container["env"].as_array().unwrap();
        let name = "REGISTRY_STORAGE_DELETE_ENABLED";
        variables.iter().find(|variable| variable["name"] == name).unwrap()["value"] == "true"
    };
    assert!(deletes(&world));
    world.edit(|spec| *spec = json!({}));
    world.settle();
    assert!(names(&world, "CronJob").is_empty() && !deletes(&world));
}

#[test]
fn another_list_of_seeds_is_another_job() {
    let mut world = world(seeds(&["docker.io/library/busybox:1"]));
    let [first] = names(&world, "Job").try_into().unwrap();
    assert_eq!(world.settle(), 0, "the same list is the same Job");
    world.edit(|spec| *spec = seeds(&["docker.io/library/busybox:1", "ghcr.io/lab/words:2"]));
    world.settle();
    let [second] = names(&world, "Job").try_into().unwrap();
    assert_ne!(first, second);
    let job = format!("Job/{second}");
    assert_eq!(world.children[&job]["spec"]["completions"], 2);
    let copies = ["docker.io/library/busybox:1", &format!("{REGISTRY}/library/busybox:1")];
    let more = ["ghcr.io/lab/words:2", &format!("{REGISTRY}/lab/words:2")];
    let start = ["orascache-agent", "copy", "--by-index", "--patience=600"];
    assert_eq!(words(&world, &job), [start.as_slice(), &copies, &more].concat());
    world.edit(|spec| *spec = json!({"deploy": false, "seed": spec["seed"]}));
    world.settle();
    assert!(names(&world, "Job").is_empty(), "there is no registry to copy into");
}

#[test]
fn an_export_keeps_the_names_of_its_repositories() {
    let export = json!({"destination": "registry.example.org/lab", "repositories": ["flow/*", "words"]});
    let mut world = world(json!({"export": export}));
    let lab = "registry.example.org/lab";
    let pairs = [&format!("{REGISTRY}/flow/*"), lab, &format!("{REGISTRY}/words"), &format!("{lab}/words")];
    assert_eq!(
        words(&world, "CronJob/demo-export"),
        [["orascache-agent", "copy", "--all-tags"].as_slice(), &pairs].concat()
    );
    world.edit(|spec| {
        *spec = json!({"export": {"destination": "registry.example.org", "tags": ["release-*"]}})
    });
    world.settle();
    let wanted = ["orascache-agent", "copy", "--tags=release-*", REGISTRY, "registry.example.org"];
    assert_eq!(words(&world, "CronJob/demo-export"), wanted);
}

#[test]
fn the_status_counts_seeds_and_names_runs() {
    let mut spec = seeds(&["docker.io/library/busybox:1", "ghcr.io/lab/words:2"]);
    spec["retention"] = json!({"keepTags": 5});
    let mut world = world(spec);
    let [name] = names(&world, "Job").try_into().unwrap();
    let seeds = json!({"artifacts": 2, "copied": 0, "skipped": 0, "job": name});
    assert_eq!(world.cache["status"]["seed"], seeds);
    assert_eq!(world.cache["status"].get("retention"), None);
    let job = format!("Job/{name}");
    let failed = json!([{"type": "Failed", "status": "True"}]);
    world.children.get_mut(&job).unwrap()["status"] =
        json!({"succeeded": 1, "failedIndexes": "1", "conditions": failed});
    let (first, second) = ("2026-11-29T03:00:00Z", "2026-11-30T03:00:00Z");
    let runs = |world: &mut World, status: Value| {
        world.children.get_mut("CronJob/demo-retention").unwrap()["status"] = status;
        world.settle();
        world.condition("Degraded")["message"].as_str().unwrap().to_owned()
    };
    let active = json!([{"name": "x"}]);
    let message =
        runs(&mut world, json!({"lastScheduleTime": second, "lastSuccessfulTime": first, "active": active}));
    assert!(message.contains(&format!("kubectl logs {}", job.to_lowercase())), "{message}");
    assert!(!message.contains("CronJob"), "it runs: {message}");
    let seeds = json!({"artifacts": 2, "copied": 1, "skipped": 0, "failed": "1", "job": name});
    assert_eq!(world.cache["status"]["seed"], seeds);
    assert_eq!(world.cache["status"]["retention"], json!({"lastStarted": second, "lastSucceeded": first}));
    let message = runs(&mut world, json!({"lastScheduleTime": second, "lastSuccessfulTime": first}));
    assert!(message.contains("The run of CronJob demo-retention that began at 2026-11-30"), "{message}");
    let message = runs(&mut world, json!({"lastScheduleTime": first, "lastSuccessfulTime": second}));
    assert!(!message.contains("CronJob"), "{message}");
    assert_eq!(world.condition("Ready")["status"], "True", "the registry works all the same");
    // What is not asked for any more is not told any more.
    world.edit(|spec| *spec = json!({}));
    world.settle();
    assert_eq!((world.cache["status"].get("seed"), world.cache["status"].get("retention")), (None, None));
}

#[test]
fn long_names_are_cut_and_stay_unique() {
    let spec = || {
        let mut spec = seeds(&["docker.io/library/busybox:1"]);
        spec["retention"] = json!({"keepTags": 5});
        spec
    };
    let mut all = Vec::new();
    for end in ["a", "b"] {
        let mut world = World::new(spec());
        world.cache["metadata"]["name"] = format!("{}{end}", "x".repeat(51)).into();
        let plan = world.plan();
        world.execute(&plan);
        for name in [names(&world, "Job"), names(&world, "CronJob")].concat() {
            assert!(name.len() <= 52 && name.starts_with("xxx"), "{name}");
            all.push(name);
        }
    }
    all.sort();
    all.dedup();
    assert_eq!(all.len(), 4);
}

#[test]
fn a_secret_that_is_missing_is_named() {
    let mut spec = seeds(&["docker.io/library/busybox:1"]);
    spec["seed"]["secret"] = "hub".into();
    let mut world = world(spec);
    let message = world.condition("Degraded")["message"].as_str().unwrap().to_owned();
    assert!(message.contains("hub") && message.contains(".dockerconfigjson"), "{message}");
    world.related.push(world::secret("hub"));
    world.settle();
    assert_eq!(world.condition("Degraded")["status"], "False");
}

#[test]
fn work_that_the_registry_does_not_admit_is_refused() {
    let problems = |spec: Value| -> Vec<String> {
        let cache = World::new(spec).cache.to_string();
        let problems = orascache_core::validate::orascache(&cache).expect("a cache");
        problems.into_iter().map(|problem| format!("{}: {}", problem.field, problem.message)).collect()
    };
    let retention = json!({"keepTags": 5});
    let export = json!({"destination": "ghcr.io/lab"});
    let found = problems(json!({"readOnly": true, "retention": retention, "export": export}));
    assert!(
        found.iter().any(|one| one.starts_with("spec.retention: this writes into the registry")),
        "{found:?}"
    );
    assert!(!found.iter().any(|one| one.starts_with("spec.export")), "{found:?}");
    let mut spec = json!({"auth": {"htpasswdSecret": "accounts"}, "tls": {}, "export": export});
    let found = problems(spec.clone());
    assert!(
        found.iter().any(|one| one.starts_with("spec.export: the Jobs that this asks for have no account")),
        "{found:?}"
    );
    spec["auth"]["credentialsSecret"] = "step-account".into();
    assert_eq!(problems(spec), [""; 0]);
    assert_eq!(problems(json!({"auth": {}, "tls": {}, "export": export, "retention": retention})), [""; 0]);
}
