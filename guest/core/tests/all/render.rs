//! Snapshots of the plans for a new cache, for each spec in `caches/`: the first one, and the second
//! one, which makes the registry pods.

use crate::world::World;
use serde_json::Value;

#[test]
fn objects_and_status_of_every_cache() {
    insta::glob!("../caches", "*.json", |path| {
        let spec: Value = serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap();
        let mut world = World::new(spec);
        let mut plan = world.plan();
        world.execute(&plan);
        let second = world.plan();
        plan.apply.extend(second.apply);
        plan.status = second.status.or(plan.status);
        plan.events.extend(second.events);
        let parse = |text: &String| serde_json::from_str::<Value>(text).unwrap();
        let document = serde_json::json!({
            "generate": plan.generate.iter().map(|generated| serde_json::json!({
                "secret": parse(&generated.secret), "recipe": generated.recipe,
            })).collect::<Vec<_>>(),
            "apply": plan.apply.iter().map(parse).collect::<Vec<_>>(),
            "status": plan.status.as_ref().map(parse),
            "events": plan.events.iter().map(|event| format!("{:?} {}: {}", event.severity, event.reason, event.note)).collect::<Vec<_>>(),
        });
        insta::assert_yaml_snapshot!(document);
    });
}
