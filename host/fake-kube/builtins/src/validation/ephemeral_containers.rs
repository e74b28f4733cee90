//! Ephemeral containers, which are added to a running pod through `pods/ephemeralcontainers`.

use fake_kube_apimachinery::status::Cause;
use serde_json::Value;

use super::causes::not_found;
use super::containers;
use crate::json::{Fields, is_empty};

/// Fields of containers that ephemeral containers cannot have, in the order of the Go type.
const FORBIDDEN: [&str; 8] = [
    "ports",
    "resources",
    "resizePolicy",
    "restartPolicy",
    "livenessProbe",
    "readinessProbe",
    "startupProbe",
    "lifecycle",
];

/// Validates the ephemeral containers of a pod spec.
pub(super) fn all(spec: &Value, path: &str, causes: &mut Vec<Cause>) {
    let volumes: Vec<&str> = spec.list("volumes").iter().map(|volume| volume.text("name")).collect();
    let others: Vec<&str> = ["containers", "initContainers"]
        .iter()
        .flat_map(|list| spec.list(list))
        .map(|container| container.text("name"))
        .collect();
    let mut seen = others.clone();
    for (index, container) in spec.list("ephemeralContainers").iter().enumerate() {
        let path = format!("{path}.ephemeralContainers[{index}]");
        containers::name(container, &seen, &path, causes);
        seen.push(container.text("name"));
        containers::container(container, &volumes, &path, causes);
        let target = container.text("targetContainerName");
        if !target.is_empty() && !others.contains(&target) {
            causes.push(not_found(format!("{path}.targetContainerName"), target));
        }
        let cannot = "cannot be set for an Ephemeral Container";
        for field in FORBIDDEN.into_iter().filter(|field| !is_empty(container.at(field))) {
            causes.push(Cause::forbidden(format!("{path}.{field}"), cannot));
        }
        for (mount_index, mount) in container.list("volumeMounts").iter().enumerate() {
            for field in ["subPath", "subPathExpr"] {
                if !mount.text(field).is_empty() {
                    let field = format!("{path}.volumeMounts[{mount_index}].{field}");
                    causes.push(Cause::forbidden(field, cannot));
                }
            }
        }
    }
}

/// Validates that containers were only added.
pub(super) fn additions(new: &Value, old: &Value, causes: &mut Vec<Cause>) {
    for before in old.list("ephemeralContainers") {
        let name = before.text("name");
        let now = new.list("ephemeralContainers").iter().find(|now| now.text("name") == name);
        let what = match now {
            None => "removed",
            Some(now) if now != before => "changed",
            Some(_) => continue,
        };
        let sentence = format!("existing ephemeral containers {name:?} may not be {what}\n");
        causes.push(Cause::forbidden("spec.ephemeralContainers", &sentence));
    }
}

#[cfg(test)]
mod tests {
    use crate::{find, validate_ephemeral_containers_update};
    use serde_json::{Value, json};

    fn pod(ephemeral: Value) -> Value {
        let resource = find("", "v1", "pods").expect("pods are built in");
        let mut pod = json!({"metadata": {"name": "p", "namespace": "n"}, "spec": {
            "containers": [{"name": "c", "image": "i"}], "ephemeralContainers": ephemeral,
        }});
        crate::default(resource, &mut pod);
        pod
    }

    fn complaints(new: Value, old: Value) -> Vec<String> {
        let causes = validate_ephemeral_containers_update(&pod(new), &pod(old));
        causes.into_iter().map(|cause| format!("{}: {}", cause.field, cause.message)).collect()
    }

    #[test]
    fn containers_are_only_added() {
        let (one, two) = (json!({"name": "one", "image": "i"}), json!({"name": "two", "image": "i"}));
        assert_eq!(complaints(json!([two, one]), json!([one])), [""; 0]);
        assert_eq!(
            complaints(json!([{"name": "one", "image": "j"}]), json!([one, two])),
            [
                "spec.ephemeralContainers: Forbidden: existing ephemeral containers \"one\" may not be changed\n",
                "spec.ephemeralContainers: Forbidden: existing ephemeral containers \"two\" may not be removed\n",
            ]
        );
    }

    #[test]
    fn names_targets_and_fields_are_checked() {
        let wrong = json!([{
            "name": "c", "image": "i", "targetContainerName": "none", "ports": [{"containerPort": 1}],
        }]);
        assert_eq!(
            complaints(wrong, json!([])),
            [
                "spec.ephemeralContainers[0].name: Duplicate value: \"c\"",
                "spec.ephemeralContainers[0].targetContainerName: Not found: \"none\"",
                "spec.ephemeralContainers[0].ports: Forbidden: cannot be set for an Ephemeral Container",
            ]
        );
    }
}
