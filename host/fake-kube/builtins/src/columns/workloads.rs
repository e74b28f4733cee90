//! Kinds that create pods, scale them or protect them. `template` adds the columns of their pod
//! templates.

use jiff::Timestamp;
use serde_json::Value;

use super::age::human;
use super::format::{NONE, condition, joined, labels, or_none, scalar};
use super::{AGE, NAME, Row, Table, boolean, integer, text};
use crate::json::Fields;

fn replicas(row: &Row<'_>) -> i64 {
    row.spec.integer("replicas").unwrap_or(0)
}

fn ready_of_desired(row: &Row<'_>) -> Value {
    format!("{}/{}", row.status.integer("readyReplicas").unwrap_or(0), replicas(row)).into()
}

pub(super) const STATEFUL_SETS: Table = Table {
    columns: &[NAME, text("Ready", "Number of the pod with ready state"), AGE],
    cells: |row| vec![row.name(), ready_of_desired(row), row.age()],
};

pub(super) const DEPLOYMENTS: Table = Table {
    columns: &[
        NAME,
        text("Ready", "Number of the pod with ready state"),
        text(
            "Up-to-date",
            "Total number of non-terminated pods targeted by this deployment that have the desired template spec.",
        ),
        text("Available", "Total number of available non-terminating pods targeted by this deployment."),
        AGE,
    ],
    cells: |row| {
        let (updated, available) = (row.count("updatedReplicas"), row.count("availableReplicas"));
        vec![row.name(), ready_of_desired(row), updated, available, row.age()]
    },
};

pub(super) const REPLICA_SETS: Table = Table {
    columns: &[
        NAME,
        integer("Desired", "Replicas is the number of desired pods."),
        integer("Current", "Replicas is the most recently observed number of non-terminating pods."),
        integer(
            "Ready",
            "The number of non-terminating pods targeted by this ReplicaSet with a Ready Condition.",
        ),
        AGE,
    ],
    cells: |row| {
        let (current, ready) = (row.count("replicas"), row.count("readyReplicas"));
        vec![row.name(), replicas(row).into(), current, ready, row.age()]
    },
};

pub(super) const DAEMON_SETS: Table = Table {
    columns: &[
        NAME,
        integer("Desired", "The total number of nodes that should be running the daemon pod."),
        integer("Current", "The number of nodes that are running at least 1 daemon pod and are supposed to."),
        integer(
            "Ready",
            "The number of nodes that should be running the daemon pod and have one that is ready.",
        ),
        integer("Up-to-date", "The total number of nodes that are running updated daemon pod."),
        integer(
            "Available",
            "The number of nodes that should be running the daemon pod and have one available.",
        ),
        text("Node Selector", "NodeSelector must be true for the pod to fit on a node."),
        AGE,
    ],
    cells: |row| {
        let mut cells = vec![row.name()];
        cells.extend(
            [
                "desiredNumberScheduled",
                "currentNumberScheduled",
                "numberReady",
                "updatedNumberScheduled",
                "numberAvailable",
            ]
            .map(|field| row.count(field)),
        );
        let nodes = labels(row.spec.path(&["template", "spec"]), "nodeSelector");
        cells.extend([nodes.into(), row.age()]);
        cells
    },
};

pub(super) const CONTROLLER_REVISIONS: Table = Table {
    columns: &[
        NAME,
        text("Controller", "Controller of the object"),
        text("Revision", "Revision indicates the revision of the state represented by Data."),
        AGE,
    ],
    cells: |row| {
        let owners = row.object.at("metadata").list("ownerReferences");
        let controller =
            owners.iter().find(|owner| owner.flag("controller")).map_or(NONE.to_owned(), |owner| {
                let kind = owner.text("kind").to_lowercase();
                let group = owner.text("apiVersion").split_once('/').map(|(group, _)| format!(".{group}"));
                format!("{kind}{}/{}", group.unwrap_or_default(), owner.text("name"))
            });
        vec![row.name(), controller.into(), row.object.integer("revision").unwrap_or(0).into(), row.age()]
    },
};

pub(super) const JOBS: Table = Table {
    columns: &[
        NAME,
        text("Status", "Status of the job."),
        text("Completions", "The number of pods which reached phase Succeeded, of those wanted."),
        text("Duration", "Time required to complete the job."),
        AGE,
    ],
    cells: |row| {
        let (completions, duration) = (completions(row).into(), duration(row).into());
        vec![row.name(), job_status(row).into(), completions, duration, row.age()]
    },
};

fn job_status(row: &Row<'_>) -> &'static str {
    if condition(row.status, "Complete") {
        "Complete"
    } else if condition(row.status, "Failed") {
        "Failed"
    } else if row.object.at("metadata").has("deletionTimestamp") {
        "Terminating"
    } else if condition(row.status, "Suspended") {
        "Suspended"
    } else if condition(row.status, "FailureTarget") {
        "FailureTarget"
    } else {
        "Running"
    }
}

fn completions(row: &Row<'_>) -> String {
    let succeeded = row.status.integer("succeeded").unwrap_or(0);
    let parallelism = row.spec.integer("parallelism").unwrap_or(0);
    match row.spec.integer("completions") {
        Some(completions) => format!("{succeeded}/{completions}"),
        None if parallelism > 1 => format!("{succeeded}/1 of {parallelism}"),
        None => format!("{succeeded}/1"),
    }
}

fn duration(row: &Row<'_>) -> String {
    let start = row.status.text("startTime");
    let end = Some(row.status.text("completionTime")).filter(|end| !end.is_empty()).unwrap_or(row.now);
    match (start.parse::<Timestamp>(), end.parse::<Timestamp>()) {
        (Ok(start), Ok(end)) => human(end.as_second() - start.as_second()),
        _ => String::new(),
    }
}

pub(super) const CRON_JOBS: Table = Table {
    columns: &[
        NAME,
        text("Schedule", "The schedule in Cron format, see https://en.wikipedia.org/wiki/Cron."),
        text("Timezone", "The time zone name for the given schedule."),
        boolean("Suspend", "This flag tells the controller to suspend subsequent executions."),
        integer("Active", "A list of pointers to currently running jobs."),
        text("Last Schedule", "Information when was the last time the job was successfully scheduled."),
        AGE,
    ],
    cells: |row| {
        let suspended = if row.spec.flag("suspend") { "True" } else { "False" };
        let last = row.status.text("lastScheduleTime");
        vec![
            row.name(),
            row.spec.text("schedule").into(),
            or_none(row.spec.text("timeZone")).into(),
            suspended.into(),
            row.status.list("active").len().into(),
            if last.is_empty() { NONE.into() } else { row.since(last).into() },
            row.age(),
        ]
    },
};

pub(super) const DISRUPTION_BUDGETS: Table = Table {
    columns: &[
        NAME,
        text("Min Available", "The minimum number of pods that must be available."),
        text("Max Unavailable", "The maximum number of pods that may be unavailable."),
        integer("Allowed Disruptions", "Calculated number of pods that may be disrupted at this time."),
        AGE,
    ],
    cells: |row| {
        let bound = |field| match row.spec.at(field) {
            Value::Null => "N/A".to_owned(),
            value => scalar(value),
        };
        let (minimum, maximum) = (bound("minAvailable").into(), bound("maxUnavailable").into());
        vec![row.name(), minimum, maximum, row.count("disruptionsAllowed"), row.age()]
    },
};

pub(super) const AUTOSCALERS: Table = Table {
    columns: &[
        NAME,
        text("Reference", "scaleTargetRef points to the target resource to scale."),
        text(
            "Targets",
            "metrics contains the specifications for which to use to calculate the desired replica count.",
        ),
        text("MinPods", "minReplicas is the lower limit for the number of replicas."),
        text("MaxPods", "maxReplicas is the upper limit for the number of replicas."),
        text("Replicas", "currentReplicas is current number of replicas of pods managed by this autoscaler."),
        AGE,
    ],
    cells: |row| {
        let target = row.spec.at("scaleTargetRef");
        let minimum = row.spec.integer("minReplicas").map_or("<unset>".to_owned(), |count| count.to_string());
        vec![
            row.name(),
            format!("{}/{}", target.text("kind"), target.text("name")).into(),
            targets(row).into(),
            minimum.into(),
            row.spec.integer("maxReplicas").unwrap_or(0).into(),
            row.count("currentReplicas"),
            row.age(),
        ]
    },
};

/// The current and the wanted value of each metric. `status.currentMetrics` has the same order as
/// the spec.
fn targets(row: &Row<'_>) -> String {
    let current = row.status.list("currentMetrics");
    let shown: Vec<String> = row
        .spec
        .list("metrics")
        .iter()
        .enumerate()
        .map(|(index, metric)| {
            let source = |metric: &Value| -> Value {
                let kind = metric.text("type");
                let field = kind.chars().take(1).flat_map(char::to_lowercase).chain(kind.chars().skip(1));
                metric.at(&field.collect::<String>()).clone()
            };
            let (spec, now) = (source(metric), current.get(index).map(source).unwrap_or_default());
            let (target, now) = (spec.at("target"), now.at("current").clone());
            let prefix = if metric.text("type") == "Resource" {
                format!("{}: ", spec.text("name"))
            } else {
                String::new()
            };
            let field =
                ["averageUtilization", "averageValue", "value"].into_iter().find(|field| target.has(field));
            let Some(field) = field else { return "<unset>".to_owned() };
            let percent = if field == "averageUtilization" { "%" } else { "" };
            let average = if field == "averageValue" && prefix.is_empty() { " (avg)" } else { "" };
            let seen = if now.has(field) {
                format!("{}{percent}", scalar(now.at(field)))
            } else {
                "<unknown>".to_owned()
            };
            format!("{prefix}{seen}/{}{percent}{average}", scalar(target.at(field)))
        })
        .collect();
    match shown.len() {
        0 => NONE.to_owned(),
        1 | 2 => joined(shown.iter().map(String::as_str)).replace(',', ", "),
        count => format!(
            "{} + {} more...",
            shown.iter().take(2).cloned().collect::<Vec<_>>().join(", "),
            count - 2
        ),
    }
}
