//! The list of images for clusters that reach no other registry.

use deploy_manifests::{ManifestOptions, objects};
use orascache_core::describe;
use serde_json::Value;

/// The strings of a value that name a registry of the project.
fn images_in(value: &Value, found: &mut Vec<String>) {
    match value {
        Value::String(text) if text.contains("ghcr.io/") || text.starts_with("m.test/") => {
            found.push(text.clone());
        }
        Value::Array(items) => items.iter().for_each(|item| images_in(item, found)),
        Value::Object(members) => {
            let data = members.iter().filter(|(name, _)| *name != "description");
            data.for_each(|(_, member)| images_in(member, found));
        }
        _ => {}
    }
}

#[test]
fn the_list_has_every_image_that_the_objects_name() {
    for registry in [None, Some("m.test/k8s".to_owned())] {
        let options = ManifestOptions { registry, ..ManifestOptions::default() };
        let mut found = Vec::new();
        objects(&options, &describe())
            .expect("usable options")
            .iter()
            .for_each(|object| images_in(object, &mut found));
        found.sort();
        found.dedup();
        let mut listed = options.images();
        listed.sort();
        assert_eq!(found, listed);
    }
}
