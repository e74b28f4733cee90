//! The test guest as a component, and versions of it. `guest.wat` says what it does.

#![allow(dead_code, reason = "each test file and each benchmark uses a part of it")]

use orascache_contract::{Context, Observed};
use orascache_runtime::{CompiledCache, Engine, Guest, Limits};
use std::path::Path;
use std::sync::Arc;
use wit_component::{ComponentEncoder, StringEncoding, embed_component_metadata};
use wit_parser::Resolve;

/// The component. It is one of the release before, which has no interface `attendant`.
pub fn component() -> Vec<u8> {
    let mut resolve = Resolve::default();
    let wit = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../wit/released/0.3.0");
    let (package, _) = resolve.push_path(wit).expect("the WIT package");
    let world = resolve.select_world(&[package], Some("operator")).expect("the world");
    let mut module = wat::parse_str(include_str!("guest.wat")).expect("valid text");
    embed_component_metadata(&mut module, &resolve, world, StringEncoding::UTF8).expect("metadata");
    let encoder = ComponentEncoder::default().validate(true).module(&module).expect("a module of that world");
    { encoder }.encode().expect("a component")
}

/// The component with one text in place of another of the same length.
pub fn edited(component: &[u8], text: &str, other: &str) -> Vec<u8> {
    assert_eq!(text.len(), other.len(), "offsets in the component must not change");
    let mut edited = component.to_vec();
    let at = component.windows(text.len()).position(|window| window == text.as_bytes());
    let at = at.expect("the text is in the component");
    edited[at..at + text.len()].copy_from_slice(other.as_bytes());
    edited
}

/// The component in an engine of its own.
pub fn load(limits: Limits) -> Arc<Guest> {
    let engine = Engine::new(limits).expect("an engine");
    Arc::new(engine.load(&component(), &CompiledCache::none()).expect("it loads"))
}

/// What is observed of a primary with that text.
pub fn observed(primary: &str) -> Observed {
    Observed { primary: primary.into(), ..Observed::default() }
}

/// What reviews depend on beside their request.
pub fn context() -> Context {
    Context::default()
}
