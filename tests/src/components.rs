//! Versions of a component, made by exchanging text in it: they are valid, and behave differently in
//! one place.

use crate::cluster::compiled;
use orascache_runtime::{CallLimits, Engine, Guest, Limits};
use std::sync::Arc;
use std::time::Duration;

/// The component with one text in place of another of the same length, wherever it occurs.
///
/// # Panics
/// When the lengths differ, or the text does not occur.
pub fn edited(component: &[u8], text: &str, other: &str) -> Vec<u8> {
    assert_eq!(text.len(), other.len(), "offsets in the component must not change");
    let mut edited = component.to_vec();
    let mut found = 0;
    let mut at = 0;
    while let Some(window) = edited.get_mut(at..at + text.len()) {
        if window == text.as_bytes() {
            window.copy_from_slice(other.as_bytes());
            found += 1;
        }
        at += 1;
    }
    assert!(found > 0, "{text:?} is not in the component");
    edited
}

/// Loads several components into one engine, as a running operator does. Calls are stopped soon.
pub fn load_all<const N: usize>(components: [&[u8]; N]) -> [Arc<Guest>; N] {
    let calls = CallLimits { deadline: Duration::from_millis(300), running: 8, waiting: 64 };
    let limits = Limits { review: calls, reconcile: calls, ..Limits::default() };
    let engine = Engine::new(limits).expect("an engine");
    let load = |bytes: &[u8]| engine.load(bytes, &compiled()).expect("the component loads");
    components.map(|bytes| Arc::new(load(bytes)))
}
