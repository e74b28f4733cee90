//! Any bytes as an AdmissionReview: never a panic, and an injected pod is not injected again.

#![no_main]

use libfuzzer_sys::fuzz_target;
use orascache_contract::{Context, Outcome};
use orascache_core::admission::review;
use serde_json::Value;

const CACHE: &str = r#"{"apiVersion":"cache.converged-computing.github.io/v1alpha1","kind":"OrasCache","metadata":{"name":"c","namespace":"n"},"spec":{}}"#;

fuzz_target!(|bytes: &[u8]| {
    // The host refuses texts that are not UTF-8.
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    let context = Context { objects: vec![CACHE], complete: true, ..Context::default() };
    let Ok(Outcome::Decided(response)) = review(text, &context) else { return };
    if let Some(refusal) = response.refusal() {
        assert!(!refusal.message.is_empty());
    }
    let Some(patch) = response.patch() else { return };
    // Other libraries read duplicate members and very deep objects differently.
    let Ok(mut document) = serde_json::from_str::<Value>(text) else { return };
    if serde_json::to_string(&document).is_ok_and(|again| again.len() < text.len() / 2) {
        return;
    }
    let patch: json_patch::Patch = serde_json::from_str(patch).expect("a patch is JSON");
    let Some(object) = document.pointer_mut("/request/object") else { return };
    if json_patch::patch(object, &patch).is_err() {
        return;
    }
    if document["request"]["operation"] == "CREATE"
        && let Ok(Outcome::Decided(second)) = review(&document.to_string(), &context)
    {
        assert_eq!(second.patch(), None, "injected twice");
    }
});
