//! Runs the registry container of a rendered StatefulSet as a process.

use serde_json::Value;
use std::collections::BTreeMap;
use std::path::Path;
use tempfile::TempDir;
use test_registries::DockerRegistry;

use crate::world::World;

/// Contents of Secrets by their names: keys and values.
pub type Secrets = BTreeMap<&'static str, BTreeMap<&'static str, String>>;

/// A registry pod, with a folder for each of its mounts.
pub struct Pod {
    pub registry: DockerRegistry,
    secrets: TempDir,
}

impl Pod {
    /// Runs the registry of a cache with this spec, with its data in a folder. `None` where
    /// docker-registry is not installed.
    pub fn run(spec: Value, secrets: &Secrets, data: &Path) -> Option<Self> {
        let mut world = World::new(spec);
        world.start();
        let spec = &world.children["StatefulSet/demo"]["spec"]["template"]["spec"];
        let mounted = tempfile::tempdir().expect("a folder");
        let mut folders = BTreeMap::new();
        for mount in items(&spec["containers"][0]["volumeMounts"]) {
            let volume = items(&spec["volumes"]).iter().find(|volume| volume["name"] == mount["name"]);
            let volume = volume.expect("the volume of the mount");
            let folder = match &volume["secret"] {
                Value::Null => data.to_owned(),
                secret => write(secret, secrets, &mounted.path().join(text(&volume["name"]))),
            };
            folders.insert(text(&mount["mountPath"]).to_owned(), folder);
        }
        let variables = items(&spec["containers"][0]["env"]).iter().map(|variable| {
            let mut value = match &variable["valueFrom"]["secretKeyRef"] {
                Value::Null => text(&variable["value"]).to_owned(),
                source => secrets[text(&source["name"])][text(&source["key"])].clone(),
            };
            for (path, folder) in &folders {
                if value.strip_prefix(path).is_some_and(|rest| rest.is_empty() || rest.starts_with('/')) {
                    value = value.replacen(path, &folder.display().to_string(), 1);
                }
            }
            (text(&variable["name"]).to_owned(), value)
        });
        let registry = DockerRegistry::with_variables(variables.collect())?;
        Some(Pod { registry, secrets: mounted })
    }

    /// Replaces a file of a mounted Secret, as the kubelet does when the Secret changes.
    pub fn replace(&self, volume: &str, key: &str, content: &str) {
        let folder = self.secrets.path().join(volume);
        let new = folder.join("new");
        std::fs::write(&new, content).expect("a file");
        std::fs::rename(new, folder.join(key)).expect("the file");
    }
}

/// Writes the mounted keys of a Secret into a folder.
fn write(volume: &Value, secrets: &Secrets, folder: &Path) -> std::path::PathBuf {
    std::fs::create_dir(folder).expect("a folder");
    for item in items(&volume["items"]) {
        let value = &secrets[text(&volume["secretName"])][text(&item["key"])];
        std::fs::write(folder.join(text(&item["path"])), value).expect("a file");
    }
    folder.to_owned()
}

fn items(list: &Value) -> &[Value] {
    list.as_array().expect("a list")
}

fn text(value: &Value) -> &str {
    value.as_str().expect("a string")
}
