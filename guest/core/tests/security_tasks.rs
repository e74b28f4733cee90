//! Security of the pods for retention, seeds and exports.

mod world;

use serde_json::{Value, json};
use world::World;

fn everything() -> Value {
    json!({
        "retention": {"keepTags": 5},
        "seed": {"artifacts": [{"source": "docker.io/library/busybox:1"}], "secret": "hub"},
        "export": {"destination": "registry.example.org/lab", "secret": "lab"},
    })
}

/// The pod templates of all Jobs and CronJobs.
fn templates(world: &World) -> Vec<Value> {
    let of = |child: &Value| {
        let spec = match child["kind"].as_str()? {
            "Job" => &child["spec"],
            "CronJob" => &child["spec"]["jobTemplate"]["spec"],
            _ => return None,
        };
        Some(spec["template"].clone())
    };
    world.children.values().filter_map(of).collect()
}

#[test]
fn security_pods_are_restricted() {
    let mut world = World::new(everything());
    world.settle();
    let templates = templates(&world);
    assert_eq!(templates.len(), 3);
    for template in templates {
        let pod = &template["spec"];
        assert_eq!(pod["automountServiceAccountToken"], false);
        assert_eq!(pod["securityContext"]["runAsNonRoot"], true);
        assert_eq!(pod["securityContext"]["seccompProfile"]["type"], "RuntimeDefault");
        let container = &pod["containers"][0]["securityContext"];
        let wanted = json!({
            "allowPrivilegeEscalation": false, "capabilities": {"drop": ["ALL"]}, "readOnlyRootFilesystem": true,
        });
        assert_eq!(*container, wanted);
    }
}

#[test]
fn security_neither_service_nor_policy_takes_these_pods_for_the_registry() {
    let mut world = World::new(everything());
    world.settle();
    let selector = &world.children["Service/demo"]["spec"]["selector"];
    for template in templates(&world) {
        let labels = template["metadata"]["labels"].as_object().unwrap();
        let is_selected =
            selector.as_object().unwrap().iter().all(|(key, value)| labels.get(key) == Some(value));
        assert!(!is_selected, "{labels:?}");
    }
}

/// A Secret may hold a password without a host. Who may write caches, and may not read Secrets, could
/// send it anywhere: only the key whose credentials are bound to hosts is mounted.
#[test]
fn security_only_credentials_that_are_bound_to_hosts_are_mounted() {
    let mut world = World::new(everything());
    world.settle();
    let volumes: Vec<Value> =
        templates(&world).iter().filter_map(|template| template["spec"].get("volumes").cloned()).collect();
    assert_eq!(volumes.len(), 2);
    for volume in volumes {
        let items = json!([{"key": ".dockerconfigjson", "path": ".dockerconfigjson"}]);
        assert_eq!(volume[0]["secret"]["items"], items, "{volume}");
    }
}

#[test]
fn security_nothing_is_copied_where_a_registry_is_not_allowed() {
    let mut world = World::new(everything());
    world.related = vec![world::secret("hub"), world::secret("lab")];
    world.settings = r#"{"allowedRegistries":["docker.io"]}"#.to_owned();
    world.settle();
    assert_eq!(templates(&world).len(), 1, "retention concerns the cache alone");
    let degraded = world.condition("Degraded");
    assert_eq!(degraded["reason"], "RegistryNotAllowed");
    let message = degraded["message"].as_str().unwrap();
    assert!(message.starts_with("spec.export.destination names registry.example.org, which"), "{message}");
    assert_eq!(world.condition("Ready")["status"], "True");
    world.settings = r#"{"allowedRegistries":["docker.io","*.example.org"]}"#.to_owned();
    world.settle();
    assert_eq!(templates(&world).len(), 3);
}
