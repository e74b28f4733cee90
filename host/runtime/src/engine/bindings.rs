//! Bindings generated from `wit/`. Arguments are borrowed: text is copied into the guest's memory
//! once, and nowhere else.

#![allow(missing_docs, reason = "the WIT package documents these items")]

wasmtime::component::bindgen!({
    path: "../../wit",
    world: "rotating-operator",
    ownership: Borrowing { duplicate_if_necessary: true },
    // A guest that runs for long has to make way for other tasks: see `turns`.
    exports: { default: async },
});
