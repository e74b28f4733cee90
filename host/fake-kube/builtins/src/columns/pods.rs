//! Pods and pod templates.

use serde_json::Value;

use super::format::{condition, containers, labels, or_none};
use super::{AGE, CONTAINERS, IMAGES, NAME, Row, Table, text};
use crate::json::Fields;

pub(super) const PODS: Table = Table {
    columns: &[
        NAME,
        text("Ready", "The aggregate readiness state of this pod for accepting traffic."),
        text("Status", "The aggregate status of the containers in this pod."),
        text(
            "Restarts",
            "The number of times the containers in this pod have been restarted and when the last container in this \
             pod has restarted.",
        ),
        AGE,
        text("IP", "podIP address allocated to the pod. Routable at least within the cluster. Empty if not yet allocated.")
            .wide(),
        text("Node", "NodeName indicates in which node this pod is scheduled.").wide(),
        text(
            "Nominated Node",
            "nominatedNodeName is set only when this pod preempts other pods on the node, but it cannot be scheduled \
             right away as preemption victims receive their graceful termination periods.",
        )
        .wide(),
        text("Readiness Gates", "If specified, all readiness gates will be evaluated for pod readiness.").wide(),
    ],
    cells: pod,
};

pub(super) const POD_TEMPLATES: Table = Table {
    columns: &[NAME, CONTAINERS, IMAGES, text("Pod Labels", "The labels for the pod template.")],
    cells: |row| {
        let template = row.object.at("template");
        let [names, images] = containers(template.at("spec"));
        vec![row.name(), names, images, labels(template.at("metadata"), "labels").into()]
    },
};

fn pod(row: &Row<'_>) -> Vec<Value> {
    let summary = Summary::of(row);
    let ip = match row.status.list("podIPs").first() {
        Some(first) => first.text("ip"),
        None => row.status.text("podIP"),
    };
    vec![
        row.name(),
        format!("{}/{}", summary.ready, summary.total).into(),
        summary.reason.into(),
        summary.restarts.into(),
        row.age(),
        or_none(ip).into(),
        or_none(row.spec.text("nodeName")).into(),
        or_none(row.status.text("nominatedNodeName")).into(),
        readiness_gates(row).into(),
    ]
}

fn readiness_gates(row: &Row<'_>) -> String {
    let gates = row.spec.list("readinessGates");
    if gates.is_empty() {
        return or_none("");
    }
    let open = gates.iter().filter(|gate| condition(row.status, gate.text("conditionType"))).count();
    format!("{open}/{}", gates.len())
}

/// One line about all containers of a pod.
struct Summary {
    ready: usize,
    total: usize,
    reason: String,
    restarts: String,
}

/// Restarts of some containers, and the time of the last one.
#[derive(Default)]
struct Restarts<'a> {
    count: i64,
    last: &'a str,
}

impl<'a> Restarts<'a> {
    fn add(&mut self, container: &'a Value) {
        self.count += container.integer("restartCount").unwrap_or(0);
        let finished = container.path(&["lastState", "terminated"]).text("finishedAt");
        self.last = self.last.max(finished);
    }

    fn show(&self, row: &Row<'_>) -> String {
        if self.count == 0 || self.last.is_empty() {
            return self.count.to_string();
        }
        format!("{} ({} ago)", self.count, row.since(self.last))
    }
}

impl Summary {
    fn of(row: &Row<'_>) -> Self {
        let (spec, status) = (row.spec, row.status);
        let sidecars: Vec<&str> = spec
            .list("initContainers")
            .iter()
            .filter(|container| container.text("restartPolicy") == "Always")
            .map(|container| container.text("name"))
            .collect();
        let mut reason = [status.text("reason"), status.text("phase")]
            .into_iter()
            .find(|reason| !reason.is_empty())
            .unwrap_or_default()
            .to_owned();
        let gated = status.list("conditions").iter().any(|condition| {
            condition.text("type") == "PodScheduled" && condition.text("reason") == "SchedulingGated"
        });
        if gated {
            reason = "SchedulingGated".to_owned();
        }
        let mut ready = 0;
        let mut restarts = Restarts::default();
        let mut sidecar_restarts = Restarts::default();
        let mut initializing = false;
        let init_total = spec.list("initContainers").len();
        for (index, container) in status.list("initContainerStatuses").iter().enumerate() {
            let sidecar = sidecars.contains(&container.text("name"));
            restarts.add(container);
            if sidecar {
                sidecar_restarts.add(container);
            }
            let terminated = container.path(&["state", "terminated"]);
            if !terminated.is_null() && terminated.integer("exitCode").unwrap_or(0) == 0 {
                continue;
            }
            if sidecar && container.flag("started") {
                ready += usize::from(container.flag("ready"));
                continue;
            }
            let waiting = container.path(&["state", "waiting"]).text("reason");
            reason = if !terminated.is_null() {
                format!("Init:{}", termination(terminated))
            } else if !waiting.is_empty() && waiting != "PodInitializing" {
                format!("Init:{waiting}")
            } else {
                format!("Init:{index}/{init_total}")
            };
            initializing = true;
            break;
        }
        if !initializing || condition(status, "Initialized") {
            restarts = sidecar_restarts;
            let mut running = false;
            for container in status.list("containerStatuses").iter().rev() {
                restarts.add(container);
                let terminated = container.path(&["state", "terminated"]);
                let waiting = container.path(&["state", "waiting"]).text("reason");
                if !waiting.is_empty() {
                    reason = waiting.to_owned();
                } else if !terminated.is_null() {
                    reason = termination(terminated);
                } else if container.flag("ready") && !container.path(&["state", "running"]).is_null() {
                    running = true;
                    ready += 1;
                }
            }
            if reason == "Completed" && running {
                reason = if condition(status, "Ready") { "Running" } else { "NotReady" }.to_owned();
            }
        }
        let finished = matches!(status.text("phase"), "Succeeded" | "Failed");
        if row.object.at("metadata").has("deletionTimestamp") {
            if status.text("reason") == "NodeLost" {
                reason = "Unknown".to_owned();
            } else if !finished {
                reason = "Terminating".to_owned();
            }
        }
        let total = spec.list("containers").len() + sidecars.len();
        Self { ready, total, reason, restarts: restarts.show(row) }
    }
}

fn termination(terminated: &Value) -> String {
    let reason = terminated.text("reason");
    match terminated.integer("signal").unwrap_or(0) {
        _ if !reason.is_empty() => reason.to_owned(),
        0 => format!("ExitCode:{}", terminated.integer("exitCode").unwrap_or(0)),
        signal => format!("Signal:{signal}"),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn show(object: Value) -> Vec<String> {
        let now = "2026-11-23T20:10:19Z";
        let resource = crate::find("", "v1", "pods").unwrap();
        let cells = crate::cells(resource, &object, now);
        cells.iter().take(4).map(|cell| cell.as_str().unwrap_or_default().to_owned()).collect()
    }

    #[test]
    fn the_status_column_names_what_the_containers_do() {
        let pod = |status: Value| {
            json!({
                "metadata": {"name": "p"},
                "spec": {"containers": [{"name": "c"}], "initContainers": [{"name": "i"}]},
                "status": status,
            })
        };
        for (status, ready, word) in [
            (json!({"phase": "Pending"}), "0/1", "Pending"),
            (
                json!({"phase": "Running", "containerStatuses": [{"name": "c", "ready": true, "state": {"running": {}}}]}),
                "1/1",
                "Running",
            ),
            (
                json!({"phase": "Pending", "containerStatuses": [{"state": {"waiting": {"reason": "ErrImagePull"}}}]}),
                "0/1",
                "ErrImagePull",
            ),
            (
                json!({"phase": "Failed", "containerStatuses": [{"state": {"terminated": {"exitCode": 3}}}]}),
                "0/1",
                "ExitCode:3",
            ),
            (
                json!({"phase": "Pending", "initContainerStatuses": [{"state": {"running": {}}}]}),
                "0/1",
                "Init:0/1",
            ),
            (
                json!({"phase": "Succeeded", "containerStatuses": [{"state": {"terminated": {"reason": "Completed"}}}]}),
                "0/1",
                "Completed",
            ),
        ] {
            assert_eq!(show(pod(status)), ["p", ready, word, "0"]);
        }
    }

    #[test]
    fn restarts_show_how_long_ago_the_last_one_was() {
        let pod = json!({
            "metadata": {"name": "p", "deletionTimestamp": "2026-11-23T20:10:19Z"},
            "spec": {"containers": [{"name": "c"}]},
            "status": {"phase": "Running", "containerStatuses": [{
                "restartCount": 2, "lastState": {"terminated": {"finishedAt": "2026-11-23T20:07:19Z"}},
            }]},
        });
        assert_eq!(show(pod), ["p", "0/1", "Terminating", "2 (3m ago)"]);
    }
}
