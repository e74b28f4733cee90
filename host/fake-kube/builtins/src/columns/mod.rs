//! The columns that `kubectl get` shows for each kind.

mod access;
mod age;
mod core;
mod events;
mod format;
mod network;
mod pods;
mod storage;
mod template;
mod workloads;

use serde_json::Value;

use crate::autoscalers::autoscaler_to_v2;
use crate::catalogue::Resource;
use crate::json::Fields;

pub use age::age;

/// A column of a table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Column {
    /// The heading.
    pub name: &'static str,
    /// The JSON type of its cells, or `date`.
    pub type_: &'static str,
    /// `name` for the column with the name of the object, otherwise empty.
    pub format: &'static str,
    /// What it shows.
    pub description: &'static str,
    /// Columns above 0 are shown by `-o wide` only.
    pub priority: i32,
}

impl Column {
    const fn wide(mut self) -> Self {
        self.priority = 1;
        self
    }
}

const fn text(name: &'static str, description: &'static str) -> Column {
    Column { name, type_: "string", format: "", description, priority: 0 }
}

const fn integer(name: &'static str, description: &'static str) -> Column {
    Column { name, type_: "integer", format: "", description, priority: 0 }
}

const fn boolean(name: &'static str, description: &'static str) -> Column {
    Column { name, type_: "boolean", format: "", description, priority: 0 }
}

const NAME: Column = Column {
    name: "Name",
    type_: "string",
    format: "name",
    description: "Name must be unique within a namespace. Is required when creating resources, although some \
        resources may allow a client to request the generation of an appropriate name automatically. Name is \
        primarily intended for creation idempotence and configuration definition. Cannot be updated. More info: \
        https://kubernetes.io/docs/concepts/overview/working-with-objects/names#names",
    priority: 0,
};

const CREATED: &str = "CreationTimestamp is a timestamp representing the server time when this object was created. \
    It is not guaranteed to be set in happens-before order across separate operations. Clients may not set this \
    value. It is represented in RFC3339 form and is in UTC.\n\nPopulated by the system. Read-only. Null for lists. \
    More info: https://git.k8s.io/community/contributors/devel/sig-architecture/api-conventions.md#metadata";

const AGE: Column = text("Age", CREATED);
const CREATED_AT: Column =
    Column { name: "Created At", type_: "date", format: "", description: CREATED, priority: 0 };
const CONTAINERS: Column = text("Containers", "Names of each container in the template.");
const IMAGES: Column = text("Images", "Images referenced by each container in the template.");

/// The columns of a kind, without those of its pod template, and how their cells are made.
struct Table {
    columns: &'static [Column],
    cells: fn(&Row<'_>) -> Vec<Value>,
}

/// An object to show, and the current time.
struct Row<'a> {
    object: &'a Value,
    spec: &'a Value,
    status: &'a Value,
    now: &'a str,
}

impl Row<'_> {
    fn name(&self) -> Value {
        self.object.at("metadata").text("name").into()
    }

    fn age(&self) -> Value {
        self.since(self.object.at("metadata").text("creationTimestamp")).into()
    }

    fn since(&self, time: &str) -> String {
        age(time, self.now)
    }

    fn count(&self, status: &str) -> Value {
        self.status.integer(status).unwrap_or(0).into()
    }
}

/// The columns of a kind.
pub fn columns(resource: &Resource) -> Vec<Column> {
    [table(resource).columns, template::columns(resource)].concat()
}

/// The cells of an object, one for each column. `now` is RFC 3339.
pub fn cells(resource: &Resource, object: &Value, now: &str) -> Vec<Value> {
    let v2 = resource.is_autoscaler_v1().then(|| autoscaler_to_v2(object));
    let object = v2.as_ref().unwrap_or(object);
    let row = Row { object, spec: object.at("spec"), status: object.at("status"), now };
    let mut cells = (table(resource).cells)(&row);
    cells.extend(template::cells(resource, &row));
    cells
}

fn table(resource: &Resource) -> Table {
    match resource.group_kind() {
        ("", "Pod") => pods::PODS,
        ("", "PodTemplate") => pods::POD_TEMPLATES,
        ("", "ReplicationController") | ("apps", "ReplicaSet") => workloads::REPLICA_SETS,
        ("apps", "StatefulSet") => workloads::STATEFUL_SETS,
        ("apps", "Deployment") => workloads::DEPLOYMENTS,
        ("apps", "DaemonSet") => workloads::DAEMON_SETS,
        ("apps", "ControllerRevision") => workloads::CONTROLLER_REVISIONS,
        ("batch", "Job") => workloads::JOBS,
        ("batch", "CronJob") => workloads::CRON_JOBS,
        ("policy", "PodDisruptionBudget") => workloads::DISRUPTION_BUDGETS,
        ("autoscaling", "HorizontalPodAutoscaler") => workloads::AUTOSCALERS,
        ("", "Namespace") => core::NAMESPACES,
        ("", "Node") => core::NODES,
        ("", "Secret") => core::SECRETS,
        ("", "ConfigMap") => core::CONFIG_MAPS,
        ("", "ServiceAccount") => core::SERVICE_ACCOUNTS,
        ("", "ResourceQuota") => core::QUOTAS,
        ("coordination.k8s.io", "Lease") => core::LEASES,
        ("scheduling.k8s.io", "PriorityClass") => core::PRIORITY_CLASSES,
        ("", "Event") | ("events.k8s.io", "Event") => events::EVENTS,
        ("", "Service") => network::SERVICES,
        ("", "Endpoints") => network::ENDPOINTS,
        ("discovery.k8s.io", "EndpointSlice") => network::ENDPOINT_SLICES,
        ("networking.k8s.io", "Ingress") => network::INGRESSES,
        ("networking.k8s.io", "IngressClass") => network::INGRESS_CLASSES,
        ("networking.k8s.io", "NetworkPolicy") => network::POLICIES,
        ("", "PersistentVolumeClaim") => storage::CLAIMS,
        ("", "PersistentVolume") => storage::VOLUMES,
        ("storage.k8s.io", "StorageClass") => storage::CLASSES,
        ("rbac.authorization.k8s.io", "RoleBinding" | "ClusterRoleBinding") => access::ROLE_BINDINGS,
        ("admissionregistration.k8s.io", _) => access::WEBHOOKS,
        ("", "LimitRange")
        | ("apiextensions.k8s.io", _)
        | ("rbac.authorization.k8s.io", "Role" | "ClusterRole") => {
            Table { columns: &[NAME, CREATED_AT], cells: |row| vec![row.name(), created_at(row)] }
        }
        _ => Table { columns: &[NAME, AGE], cells: |row| vec![row.name(), row.age()] },
    }
}

fn created_at(row: &Row<'_>) -> Value {
    row.object.at("metadata").text("creationTimestamp").into()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn every_kind_has_a_cell_for_each_column() {
        for resource in crate::catalogue() {
            let object = json!({"metadata": {"name": "a"}});
            let cells = cells(resource, &object, "2026-11-23T20:10:19Z");
            assert_eq!(cells.len(), columns(resource).len(), "{}", resource.plural);
        }
    }
}
