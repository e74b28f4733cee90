//! Path elements: how members and list items are named.

use crate::schema::{ListType, Schema};
use serde_json::{Map, Value};

/// The element of a named member.
pub(super) fn field(name: &str) -> String {
    format!("f:{name}")
}

/// The element of a list item, or `None` when the item lacks a key.
pub(super) fn list_item(schema: &Schema, item: &Value) -> Option<String> {
    match &schema.list_type {
        ListType::Atomic => None,
        ListType::Set => Some(format!("v:{item}")),
        ListType::Map(keys) => {
            let mut key = Map::new();
            for name in keys {
                key.insert(name.clone(), item.get(name).cloned().or_else(|| default_of_key(schema, name))?);
            }
            Some(format!("k:{}", Value::Object(key)))
        }
    }
}

/// The default of a key field. Among the built-in kinds only `protocol` of ports has one.
fn default_of_key(schema: &Schema, name: &str) -> Option<Value> {
    let declared = schema.items.as_ref()?.properties.get(name).and_then(|property| property.default.clone());
    declared.or_else(|| (name == "protocol").then(|| Value::from("TCP")))
}

/// A path as conflicts show it: `.spec.containers[name="c"].image`.
pub(super) fn display(path: &[String]) -> String {
    let mut text = String::new();
    for element in path {
        match element.split_once(':') {
            Some(("f", name)) => {
                text.push('.');
                text.push_str(name);
            }
            Some(("k", key)) => {
                let parts: Vec<String> = match serde_json::from_str::<Map<String, Value>>(key) {
                    Ok(key) => key.iter().map(|(name, value)| format!("{name}={value}")).collect(),
                    Err(_) => vec![key.to_owned()],
                };
                text.push_str(&format!("[{}]", parts.join(",")));
            }
            Some(("v", value)) => text.push_str(&format!("[={value}]")),
            Some((_, index)) => text.push_str(&format!("[{index}]")),
            None => text.push_str(element),
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::display;

    #[test]
    fn paths_are_displayed_as_by_the_api_server() {
        let path = ["f:spec", "f:ports", r#"k:{"port":5000,"protocol":"TCP"}"#, "f:name"].map(str::to_owned);
        assert_eq!(display(&path), r#".spec.ports[port=5000,protocol="TCP"].name"#);
        let path = ["f:metadata", "f:finalizers", r#"v:"a/b""#].map(str::to_owned);
        assert_eq!(display(&path), r#".metadata.finalizers[="a/b"]"#);
    }
}
