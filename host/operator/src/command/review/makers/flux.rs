//! MiniClusters of the Flux operator: an indexed Job whose containers are written in a form of
//! their own.

use super::{Made, Maker};
use serde_json::{Value, json};

/// API group of the Flux operator.
pub(super) const GROUP: &str = "flux-framework.org";

/// The Job of a MiniCluster.
pub(super) fn job(maker: &Maker<'_>) -> Option<Made> {
    let spec = maker.object.get("spec")?;
    let given = spec.get("containers")?.as_array()?;
    let containers = given.iter().enumerate().map(|(position, container)| {
        // A single container runs Flux, whatever it says.
        let runs_flux = given.len() == 1 || container.get("runFlux") == Some(&Value::Bool(true));
        let has_command =
            container.get("command").and_then(Value::as_str).is_some_and(|text| !text.is_empty());
        let mut made = json!({"name": container.get("name"), "image": container.get("image")});
        if let Some(members) = made.as_object_mut() {
            if runs_flux {
                members.insert("name".to_owned(), maker.name.into());
                members.insert("command".to_owned(), script("wait", position));
            } else if has_command {
                members.insert("command".to_owned(), script("start", position));
            }
            if let Some(folder) = container.get("workingDir") {
                members.insert("workingDir".to_owned(), folder.clone());
            }
        }
        made
    });
    let containers: Vec<Value> = containers.collect();
    let pod =
        |field: &str| spec.get("pod").and_then(|pod| pod.get(field)).cloned().unwrap_or_else(|| json!({}));
    let size = spec.get("size").cloned().unwrap_or_else(|| json!(1));
    let object = maker.job(&json!({
        "metadata": {"labels": spec.get("jobLabels").cloned().unwrap_or_else(|| json!({}))},
        "spec": {
            "completions": size,
            "parallelism": size,
            "completionMode": "Indexed",
            "template": {
                "metadata": {"labels": pod("labels"), "annotations": pod("annotations")},
                "spec": {"restartPolicy": "OnFailure", "containers": containers},
            },
        },
    }));
    let annotations = "spec.pod.annotations".to_owned();
    Some(Made { pointer: "/spec".to_owned(), annotations, object, unknown: None })
}

/// The command of a container: a script that the Flux operator writes.
fn script(name: &str, position: usize) -> Value {
    json!(["/bin/bash", format!("/flux_operator/{name}-{position}.sh")])
}
