//! Answers as JSON in one notation for all languages: names as in the WIT package, a variant as an
//! object with its case and payload, and no member for an absent value.

use orascache_controller::contract::{DecideError, Description, Kind, ObjectRef, Plan, Severity};
use orascache_operator::engine::Outcome;
use serde_json::{Map, Value, json};

/// Reads what a program printed, and converts it to this notation.
pub fn parsed(text: &str) -> Value {
    let value = serde_json::from_str(text).unwrap_or_else(|error| panic!("{error}: {text}"));
    uniform(value)
}

fn uniform(value: Value) -> Value {
    match value {
        Value::Array(items) => items.into_iter().map(uniform).collect(),
        Value::Object(mut members) => {
            // The JavaScript bindings call the payload of a variant `val`, the Python bindings
            // `payload`.
            let payload = members.remove("val").or_else(|| members.remove("payload"));
            if let (Some(payload), Some(Value::String(tag))) = (payload, members.get("tag")) {
                return json!({tag: uniform(payload)});
            }
            let present = members.into_iter().filter(|(_, value)| !value.is_null());
            present.map(|(name, value)| (kebab(&name), uniform(value))).collect::<Map<_, _>>().into()
        }
        other => other,
    }
}

/// Converts `requeueAfter` and `requeue_after` to the form in WIT, `requeue-after`.
fn kebab(name: &str) -> String {
    let mut kebab = String::new();
    for character in name.chars() {
        if character == '_' {
            kebab.push('-');
        } else if character.is_ascii_uppercase() {
            kebab.push('-');
            kebab.push(character.to_ascii_lowercase());
        } else {
            kebab.push(character);
        }
    }
    kebab
}

/// The answer of our host to `describe`.
pub fn described(description: &Description) -> Value {
    json!({"ok": {
        "primary": kind(&description.primary),
        "owned": description.owned.iter().map(kind).collect::<Vec<_>>(),
        "related": description.related.iter().map(kind).collect::<Vec<_>>(),
        "field-manager": description.field_manager,
    }})
}

/// The answer of our host to `reconcile`.
pub fn planned(plan: Result<Plan, DecideError>) -> Value {
    result(plan, |plan| {
        let events = plan.events.iter().map(|event| {
            let severity = match event.severity {
                Severity::Normal => "normal",
                Severity::Warning => "warning",
            };
            json!({"severity": severity, "reason": event.reason, "action": event.action, "note": event.note})
        });
        let generate = plan.generate.iter();
        let generate = generate.map(|one| json!({"secret": one.secret, "key": one.key, "bytes": one.bytes}));
        uniform(json!({
            "generate": generate.collect::<Vec<_>>(),
            "apply": plan.apply,
            "delete": plan.delete.iter().map(reference).collect::<Vec<_>>(),
            "status": plan.status,
            "events": events.collect::<Vec<_>>(),
            "requeue-after": plan.requeue_after,
        }))
    })
}

/// The answer of our host to `review`.
pub fn reviewed(outcome: Result<Outcome, DecideError>) -> Value {
    result(outcome, |outcome| match outcome {
        Outcome::Need(references) => json!({"need": references.iter().map(reference).collect::<Vec<_>>()}),
        Outcome::Decided(verdict) => uniform(json!({"decided": {
            "uid": verdict.uid,
            "allowed": verdict.allowed,
            "code": verdict.code,
            "message": verdict.message,
            "warnings": verdict.warnings,
            "patch": verdict.patch,
            "audit": verdict.audit,
        }})),
    })
}

fn result<T>(result: Result<T, DecideError>, to_json: impl FnOnce(T) -> Value) -> Value {
    match result {
        Ok(value) => json!({"ok": to_json(value)}),
        Err(DecideError::InvalidInput(sentence)) => json!({"err": {"invalid-input": sentence}}),
        Err(DecideError::Internal(sentence)) => json!({"err": {"internal": sentence}}),
        Err(DecideError::Stopped(sentence)) => json!({"err": {"stopped": sentence}}),
    }
}

fn kind(kind: &Kind) -> Value {
    json!({
        "api-version": kind.api_version, "kind": kind.kind, "plural": kind.plural, "namespaced": kind.namespaced,
    })
}

fn reference(reference: &ObjectRef) -> Value {
    uniform(json!({
        "kind": kind(&reference.kind), "namespace": reference.namespace, "name": reference.name, "uid": reference.uid,
    }))
}
