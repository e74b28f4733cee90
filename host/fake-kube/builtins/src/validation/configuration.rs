//! Config maps and secrets.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use fake_kube_apimachinery::status::Cause;
use serde_json::Value;

use super::causes::{immutable, invalid, too_long};
use super::names;
use crate::json::Fields;

/// core/v1 `MaxSecretSize`: the bytes of data that one object may hold.
const SIZE_LIMIT: usize = 1024 * 1024;
const LOCKED: &str = "field is immutable when `immutable` is set";

fn keys(object: &Value, field: &str, causes: &mut Vec<Cause>) {
    for (key, _) in object.entries(field) {
        let wrong = names::config_key(key);
        causes.extend(wrong.iter().map(|wrong| invalid(format!("{field}[{key}]"), key, wrong)));
    }
}

fn decoded_size(value: &Value) -> Option<usize> {
    STANDARD.decode(value.as_str().unwrap_or_default()).ok().map(|bytes| bytes.len())
}

/// Validates that the values of a field are base64, and returns the size of those that are.
fn binary(object: &Value, field: &str, causes: &mut Vec<Cause>) -> usize {
    let mut total = 0;
    for (key, value) in object.entries(field) {
        match decoded_size(value) {
            Some(size) => total += size,
            None => causes.push(invalid(format!("{field}[{key}]"), key, "must be base64, with padding")),
        }
    }
    total
}

pub(super) fn config_map(object: &Value, causes: &mut Vec<Cause>) {
    keys(object, "data", causes);
    keys(object, "binaryData", causes);
    let mut size = binary(object, "binaryData", causes);
    for (key, value) in object.entries("data") {
        size += value.as_str().map_or(0, str::len);
        if object.at("binaryData").get(key).is_some() {
            causes.push(invalid(format!("data[{key}]"), key, "duplicate of key present in binaryData"));
        }
    }
    if size > SIZE_LIMIT {
        causes.push(too_long(String::new(), SIZE_LIMIT));
    }
}

pub(super) fn config_map_update(new: &Value, old: &Value, causes: &mut Vec<Cause>) {
    locked(new, old, &["data", "binaryData"], causes);
}

fn locked(new: &Value, old: &Value, fields: &[&str], causes: &mut Vec<Cause>) {
    if !old.flag("immutable") {
        return;
    }
    if !new.flag("immutable") {
        causes.push(Cause::forbidden("immutable", LOCKED));
    }
    for field in fields.iter().filter(|field| new.at(field) != old.at(field)) {
        causes.push(Cause::forbidden(*field, LOCKED));
    }
}

pub(super) fn secret(object: &Value, causes: &mut Vec<Cause>) {
    keys(object, "data", causes);
    if binary(object, "data", causes) > SIZE_LIMIT {
        causes.push(too_long("data".to_owned(), SIZE_LIMIT));
    }
    let data = object.at("data");
    let mut require = |key: &str| {
        if data.get(key).is_none() {
            causes.push(Cause::required(format!("data[{key}]"), ""));
        }
    };
    match object.text("type") {
        "kubernetes.io/dockercfg" => require(".dockercfg"),
        "kubernetes.io/dockerconfigjson" => require(".dockerconfigjson"),
        "kubernetes.io/ssh-auth" => require("ssh-privatekey"),
        "kubernetes.io/tls" => {
            require("tls.crt");
            require("tls.key");
        }
        "kubernetes.io/basic-auth" if data.get("username").is_none() && data.get("password").is_none() => {
            require("username");
            require("password");
        }
        "kubernetes.io/service-account-token" => {
            const NAME: &str = "kubernetes.io/service-account.name";
            if object.path(&["metadata", "annotations"]).text(NAME).is_empty() {
                causes.push(Cause::required(format!("metadata.annotations[{NAME}]"), ""));
            }
        }
        _ => {}
    }
    for key in [".dockercfg", ".dockerconfigjson"] {
        let used = object.text("type").strip_prefix("kubernetes.io/") == key.strip_prefix('.');
        let Some(value) = data.get(key).filter(|_| used) else {
            continue;
        };
        let bytes = STANDARD.decode(value.as_str().unwrap_or_default()).unwrap_or_default();
        if let Err(error) = serde_json::from_slice::<Value>(&bytes) {
            let field = format!("data[{key}]");
            causes.push(invalid(field, "<secret contents redacted>", &error.to_string()));
        }
    }
}

pub(super) fn secret_update(new: &Value, old: &Value, causes: &mut Vec<Cause>) {
    causes.extend(immutable("type", new.at("type"), old.at("type")));
    locked(new, old, &["data"], causes);
}
