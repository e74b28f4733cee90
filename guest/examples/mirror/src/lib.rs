//! An example guest: a `ConfigMapMirror` names ConfigMaps of its namespace, and gets a copy of each under another name.
//!
//! This file speaks the WIT package; [`mirror`] decides. Copy the folder to write a guest of your own:
//! docs/writing-a-guest.md goes through it step by step.

mod mirror;

/// Bindings generated from the WIT package. In a copy of this folder, `path` names where the package lies there.
#[allow(
    unsafe_code,
    reason = "the canonical ABI is spoken through raw pointers; wit-bindgen generates that code"
)]
#[allow(missing_docs, reason = "the documentation stands in the WIT package")]
#[allow(clippy::all, reason = "generated")]
mod bindings {
    wit_bindgen::generate!({ path: "../../../wit", world: "operator" });

    #[cfg(target_arch = "wasm32")]
    export!(Component with_types_in self);
    #[cfg(target_arch = "wasm32")]
    use super::Component;
}

use bindings::exports::orascache::operator::{admission, reconciler, types};

/// Implements the exported interfaces.
#[cfg_attr(not(target_arch = "wasm32"), allow(dead_code, reason = "exported on wasm32 only"))]
struct Component;

/// Name of a kind in a namespace.
fn kind(api_version: &str, kind: &str, plural: &str) -> types::Kind {
    types::Kind {
        api_version: api_version.into(),
        kind: kind.into(),
        plural: plural.into(),
        namespaced: true,
    }
}

impl reconciler::Guest for Component {
    fn describe() -> reconciler::Description {
        let config_maps = kind("v1", "ConfigMap", "configmaps");
        reconciler::Description {
            primary: kind("lab.example.com/v1", "ConfigMapMirror", "configmapmirrors"),
            // The copies are ours; the sources, and whatever takes a copy's name, are somebody else's.
            owned: vec![config_maps.clone()],
            related: vec![config_maps],
            field_manager: "configmap-mirror".into(),
        }
    }

    fn reconcile(observed: reconciler::Observed) -> Result<reconciler::Plan, types::Error> {
        mirror::reconcile(&observed).map_err(types::Error::InvalidInput)
    }
}

/// The world has admission in it; a guest that reviews nothing allows everything.
impl admission::Guest for Component {
    fn review(
        review: types::Object,
        _context: admission::Context,
    ) -> Result<admission::Outcome, types::Error> {
        let review: serde_json::Value = serde_json::from_str(&review)
            .map_err(|error| types::Error::InvalidInput(format!("the review is no JSON: {error}")))?;
        let uid = review.pointer("/request/uid").and_then(serde_json::Value::as_str);
        Ok(admission::Outcome::Decided(admission::Verdict {
            uid: uid.unwrap_or_default().to_owned(),
            allowed: true,
            code: 200,
            message: String::new(),
            warnings: Vec::new(),
            patch: None,
            audit: Vec::new(),
        }))
    }

    fn check_settings(settings: String) -> Result<(), types::Error> {
        if settings.is_empty() {
            return Ok(());
        }
        Err(types::Error::InvalidInput("a mirror has no settings: remove them".into()))
    }
}
