//! Defaults of webhook configurations.

use serde_json::{Value, json};

use super::service_reference;
use crate::json::{items, set_default};

/// The defaults of every webhook of a configuration.
pub(super) fn webhooks(object: &mut Value, mutating: bool) {
    for webhook in items(object, "webhooks") {
        if let Some(client_config) = webhook.get_mut("clientConfig") {
            service_reference(client_config);
        }
        set_default(webhook, "failurePolicy", "Fail");
        set_default(webhook, "matchPolicy", "Equivalent");
        set_default(webhook, "namespaceSelector", json!({}));
        set_default(webhook, "objectSelector", json!({}));
        set_default(webhook, "timeoutSeconds", 10);
        if mutating {
            set_default(webhook, "reinvocationPolicy", "Never");
        }
        for rule in items(webhook, "rules") {
            set_default(rule, "scope", "*");
        }
    }
}
