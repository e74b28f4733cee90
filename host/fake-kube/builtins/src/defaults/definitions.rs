//! Defaults of custom resource definitions.

use serde_json::Value;

use super::service_reference;
use crate::json::{Fields, ensure, existing, set_default, set_default_text};

/// The names that are made from the kind, and the conversion strategy.
pub(super) fn definition(object: &mut Value) {
    let Some(spec) = ensure(object, "spec") else { return };
    if let Some(names) = ensure(spec, "names") {
        let kind = names.text("kind").to_owned();
        if !kind.is_empty() {
            set_default_text(names, "singular", &kind.to_lowercase());
            set_default_text(names, "listKind", &format!("{kind}List"));
        }
    }
    if let Some(conversion) = ensure(spec, "conversion") {
        set_default(conversion, "strategy", "None");
    }
    if let Some(client_config) = existing(spec, &["conversion", "webhook", "clientConfig"]) {
        service_reference(client_config);
    }
}
