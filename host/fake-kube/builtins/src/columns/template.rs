//! Columns that describe the pod template of a workload. Only `kubectl get -o wide` shows them.

use serde_json::Value;

use super::format::{containers, labels, selector};
use super::{CONTAINERS, Column, IMAGES, Row, text};
use crate::catalogue::Resource;
use crate::json::Fields;

const COLUMNS: [Column; 3] =
    [CONTAINERS.wide(), IMAGES.wide(), text("Selector", "Label selector for pods.").wide()];

/// Where a workload has its selector and its template.
struct Workload {
    /// The path in the spec of the object that has both.
    path: &'static [&'static str],
    /// Whether the selector is a column.
    has_selector: bool,
}

fn workload(resource: &Resource) -> Option<Workload> {
    match resource.group_kind() {
        ("apps", "StatefulSet") => Some(Workload { path: &[], has_selector: false }),
        ("", "ReplicationController")
        | ("apps", "ReplicaSet" | "Deployment" | "DaemonSet")
        | ("batch", "Job") => Some(Workload { path: &[], has_selector: true }),
        ("batch", "CronJob") => Some(Workload { path: &["jobTemplate", "spec"], has_selector: true }),
        _ => None,
    }
}

/// The columns, which come after those of the kind itself. None for kinds that are no workloads.
pub(super) fn columns(resource: &Resource) -> &'static [Column] {
    match workload(resource) {
        None => &[],
        Some(workload) if workload.has_selector => &COLUMNS,
        Some(_) => COLUMNS.split_last().map_or(&[], |(_selector, others)| others),
    }
}

/// A cell for each of the columns.
pub(super) fn cells(resource: &Resource, row: &Row<'_>) -> Vec<Value> {
    let Some(Workload { path, has_selector }) = workload(resource) else { return Vec::new() };
    let spec = row.spec.path(path);
    let mut cells = containers(spec.path(&["template", "spec"])).to_vec();
    if has_selector {
        cells.push(selector_of(spec).into());
    }
    cells
}

/// The selector of a workload. That of a replication controller is a plain map of labels.
fn selector_of(spec: &Value) -> String {
    let given = spec.at("selector");
    let is_map = given.as_object().is_some_and(|map| map.values().all(Value::is_string) && !map.is_empty());
    if is_map { labels(spec, "selector") } else { selector(given) }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    /// The cells that only `-o wide` shows, by the names of their columns.
    fn wide(group: &str, plural: &str, object: &Value) -> Vec<(&'static str, Value)> {
        let resource = crate::find(group, "v1", plural).unwrap();
        let cells = crate::cells(resource, object, "2026-11-23T20:10:19Z");
        let columns = crate::columns(resource).into_iter().zip(cells);
        columns.filter(|(column, _)| column.priority > 0).map(|(column, cell)| (column.name, cell)).collect()
    }

    #[test]
    fn workloads_show_the_containers_and_the_selector_of_their_pods() {
        let template = json!({"spec": {"containers": [
            {"name": "a", "image": "i:1"}, {"name": "b", "image": "j:2"},
        ]}});
        let (labels, set) = (json!({"app": "x"}), json!({"matchLabels": {"app": "x"}}));
        let spec = |selector: &Value| json!({"selector": selector, "template": template});
        let containers = || vec![("Containers", json!("a,b")), ("Images", json!("i:1,j:2"))];
        let with_selector = || [containers(), vec![("Selector", json!("app=x"))]].concat();
        assert_eq!(wide("apps", "statefulsets", &json!({"spec": spec(&set)})), containers());
        assert_eq!(wide("apps", "deployments", &json!({"spec": spec(&set)})), with_selector());
        assert_eq!(wide("", "replicationcontrollers", &json!({"spec": spec(&labels)})), with_selector());
        let cron_job = json!({"spec": {"jobTemplate": {"spec": spec(&set)}}});
        assert_eq!(wide("batch", "cronjobs", &cron_job), with_selector());
        assert_eq!(wide("", "configmaps", &json!({})), []);
    }
}
