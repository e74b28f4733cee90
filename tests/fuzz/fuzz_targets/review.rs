//! Any bytes as an AdmissionReview: never a panic, and a rewritten object is not rewritten again.

#![no_main]

use libfuzzer_sys::fuzz_target;
use orascache_core::admission::review;
use orascache_core::contract::{Context, Outcome};
use serde_json::Value;

const CACHE: &str = r#"{"apiVersion":"cache.converged-computing.github.io/v1alpha1","kind":"OrasCache","metadata":{"name":"c","namespace":"n"},"spec":{}}"#;

fuzz_target!(|bytes: &[u8]| {
    // The host refuses what is not UTF-8.
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    let caches = [CACHE.to_owned()];
    let context = Context { objects: &caches, complete: true, ..Context::default() };
    let Ok(Outcome::Decided(verdict)) = review(text, &context) else { return };
    assert!(verdict.allowed || (verdict.patch.is_none() && !verdict.message.is_empty()));
    let Some(patch) = &verdict.patch else { return };
    // Duplicate members and very deep objects are read differently by other libraries.
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
        assert_eq!(second.patch, None, "rewritten twice");
    }
});
