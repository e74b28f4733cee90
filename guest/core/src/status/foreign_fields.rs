//! Fields of the StatefulSet that others set. They stay, as server-side apply has it.

use crate::desired::Child;
use crate::diagnosis::quoted;
use crate::json::Json;
use crate::observed::Object;
use orascache_api::names::FIELD_MANAGER;

/// How many fields are named.
const NAMED: usize = 8;
/// The annotation by which `kubectl rollout restart` restarts pods.
const RESTARTED_AT: &str = "f:kubectl.kubernetes.io/restartedAt";

/// Fields in the spec of an observed child that the wanted child does not have, each with its
/// manager, as a list for a message. `None` where there are no such fields.
pub(crate) fn foreign_fields(wanted: &Child<'_>, observed: &Object<'_>) -> Option<String> {
    let entries = observed.metadata("managedFields").and_then(Json::as_array)?;
    let spec = wanted.object.get("spec");
    let mut found = Found::default();
    for entry in entries {
        let text = |member| entry.get(member).and_then(Json::as_str).unwrap_or_default();
        let manager = text("manager");
        if manager == FIELD_MANAGER && text("operation") == "Apply" {
            continue;
        }
        let Some(fields) = entry.get("fieldsV1").and_then(|fields| fields.get("f:spec")) else { continue };
        found.walk(fields, spec, "spec", manager);
    }
    if found.more > 0 {
        found.named.push(format!("and {} more", found.more));
    }
    (!found.named.is_empty()).then(|| found.named.join(", "))
}

/// The fields that were found.
#[derive(Default)]
struct Found {
    named: Vec<String>,
    /// How many others there are.
    more: usize,
}

impl Found {
    fn add(&mut self, path: &str, manager: &str) {
        let text = format!("{} (manager {})", quoted(path), quoted(manager));
        if self.named.contains(&text) {
            return;
        }
        if self.named.len() < NAMED {
            self.named.push(text);
        } else {
            self.more += 1;
        }
    }

    /// Collects the paths of managed fields that are not wanted; of an item or object that is not
    /// wanted its own path alone.
    fn walk(&mut self, fields: &Json<'_>, wanted: Option<&Json<'_>>, path: &str, manager: &str) {
        let Json::Object(members) = fields else { return };
        for (element, below) in members {
            let (path, wanted) = if let Some(name) = element.strip_prefix("f:") {
                (format!("{path}.{name}"), wanted.and_then(|wanted| wanted.get(name)))
            } else if let Some(Ok(key)) = element.strip_prefix("k:").map(Json::parse) {
                let items = wanted.and_then(Json::as_array).unwrap_or_default();
                (format!("{path}[{}]", display(&key)), items.iter().find(|item| is_item(item, &key)))
            } else {
                continue;
            };
            match wanted {
                None if element == RESTARTED_AT || is_restart(below) => {}
                None => self.add(&path, manager),
                Some(_) => self.walk(below, wanted, &path, manager),
            }
        }
    }
}

/// Whether annotations are nothing but the one of a restart.
fn is_restart(annotations: &Json<'_>) -> bool {
    match annotations {
        Json::Object(members) => {
            members.iter().any(|(name, _)| name == RESTARTED_AT)
                && members.iter().all(|(name, _)| name == RESTARTED_AT || name == ".")
        }
        _ => false,
    }
}

/// Whether an item has this key. Members with defaults, as the protocol of a port, may be absent.
fn is_item(item: &Json<'_>, key: &Json<'_>) -> bool {
    let Json::Object(members) = key else { return false };
    members.iter().all(|(name, value)| item.get(name).is_none_or(|found| found == value))
        && members.iter().any(|(name, _)| item.get(name).is_some())
}

/// As in `name=sidecar`.
fn display(key: &Json<'_>) -> String {
    let Json::Object(members) = key else { return String::new() };
    let parts: Vec<String> = members
        .iter()
        .map(|(name, value)| {
            format!("{name}={}", value.as_str().map_or_else(|| value.to_text(), str::to_owned))
        })
        .collect();
    parts.join(",")
}
