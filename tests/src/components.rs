//! Versions of a component for tests. A text in the component's bytes is replaced by another text
//! of the same length: the result is valid, and differs in one behaviour.

use orascache_operator::engine::{CompiledCache, Engine, Guest, Limits};
use std::sync::Arc;
use std::time::Duration;

/// Replaces every occurrence of a text in a component by another text of the same length.
///
/// # Panics
/// When the lengths differ, or the text does not occur.
pub fn edited(component: &[u8], text: &str, other: &str) -> Vec<u8> {
    assert_eq!(text.len(), other.len(), "both texts must have the same length");
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

/// Loads several components into one engine, as a running operator does. The deadline of a call is
/// short, since some components never return.
pub fn load_all<const N: usize>(components: [&[u8]; N]) -> [Arc<Guest>; N] {
    let limits = Limits {
        instances: 16,
        call: Duration::from_millis(300),
        tick: Duration::from_millis(50),
        ..Limits::default()
    };
    let engine = Engine::new(limits).expect("an engine");
    let load = |bytes: &[u8]| engine.load(bytes, &CompiledCache::none()).expect("the component loads");
    components.map(|bytes| Arc::new(load(bytes)))
}
