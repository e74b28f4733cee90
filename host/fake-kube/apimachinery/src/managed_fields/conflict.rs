//! The error for an apply that would change fields of other managers.

use super::entries::{Key, Operation};
use super::item;
use crate::status::{ApiError, Cause};
use serde_json::json;
use std::collections::BTreeMap;

/// One cause per contested field (apimachinery `managedfields/internal/conflict.go`).
pub(super) fn error(conflicts: &[(Key, String, Vec<String>)]) -> ApiError {
    let causes: Vec<Cause> = conflicts
        .iter()
        .map(|(key, time, path)| Cause {
            reason: "FieldManagerConflict",
            message: format!("conflict with {}", describe(key, time)),
            field: item::display(path),
        })
        .collect();
    let message = match causes.as_slice() {
        [one] => format!("Apply failed with 1 conflict: {}: {}", one.message, one.field),
        many => {
            let mut by_manager: BTreeMap<String, Vec<String>> = BTreeMap::new();
            for (key, time, path) in conflicts {
                by_manager.entry(describe(key, time)).or_default().push(format!("- {}", item::display(path)));
            }
            let parts: Vec<String> = by_manager
                .iter()
                .map(|(manager, paths)| format!("conflicts with {manager}:\n{}", paths.join("\n")))
                .collect();
            format!("Apply failed with {} conflicts: {}", many.len(), parts.join("\n"))
        }
    };
    let causes: Vec<_> = causes
        .iter()
        .map(|cause| json!({"reason": cause.reason, "message": cause.message, "field": cause.field}))
        .collect();
    ApiError { code: 409, reason: "Conflict".into(), message, details: json!({"causes": causes}) }
}

fn describe(key: &Key, time: &str) -> String {
    let mut text = format!("{:?}", key.manager);
    if !key.subresource.is_empty() {
        text.push_str(&format!(" with subresource {:?}", key.subresource));
    }
    if key.operation == Operation::Update {
        text.push_str(&format!(" using {}", key.api_version));
        if !time.is_empty() {
            text.push_str(&format!(" at {time}"));
        }
    }
    text
}
