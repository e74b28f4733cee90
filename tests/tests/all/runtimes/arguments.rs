//! Arguments of calls as JSON, in the form that the programs in `guest/packages/*/tests` read: that
//! of the types for TypeScript.

use super::answers::kebab;
use orascache_contract::{Context, Observed};
use serde_json::{Value, json};
use std::sync::Arc;

/// The argument of `reconcile`.
pub fn observed(observed: &Observed) -> Value {
    lowered(json!({
        "primary": observed.primary.as_ref(),
        "owned": texts(&observed.owned),
        "related": texts(&observed.related),
        "absent": observed.absent,
        "omitted": observed.omitted,
        "failures": observed.failures,
        "answers": observed.answers,
        "settings": observed.settings.as_ref(),
        "now": observed.now,
    }))
}

/// The second argument of `review`.
pub fn context(context: &Context) -> Value {
    lowered(json!({
        "objects": texts(&context.objects),
        "complete": context.complete,
        "answers": context.answers,
        "settings": context.settings.as_ref(),
        "now": context.now,
    }))
}

fn texts(texts: &[Arc<str>]) -> Vec<&str> {
    texts.iter().map(AsRef::as_ref).collect()
}

/// Converts the JSON form of the contract's types. Absent values are left out, and cases have their
/// names of the WIT package.
fn lowered(value: Value) -> Value {
    match value {
        Value::Array(items) => items.into_iter().map(lowered).collect(),
        Value::Object(members) => {
            let present = members.into_iter().filter(|(_, value)| !value.is_null());
            let member = |(name, value): (String, Value)| {
                let value = match (name.as_str(), value) {
                    ("aspect", Value::String(case)) => kebab(&case).into(),
                    ("reason" | "finding", variant) => tagged(variant),
                    (_, other) => lowered(other),
                };
                (name, value)
            };
            Value::Object(present.map(member).collect())
        }
        other => other,
    }
}

/// A variant as an object with the name of its case and, where there is one, the payload.
fn tagged(variant: Value) -> Value {
    match variant {
        Value::Object(members) => {
            let (case, payload) = members.into_iter().next().expect("a variant has a case");
            json!({"tag": kebab(&case), "val": payload})
        }
        Value::String(case) => json!({"tag": kebab(&case)}),
        other => panic!("{other} is no variant"),
    }
}
