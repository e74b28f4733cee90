//! Bindings generated from `wit/`. Arguments are borrowed: objects are copied into the guest, never cloned.

#![allow(missing_docs, reason = "the documentation stands in the WIT package")]

wasmtime::component::bindgen!({
    path: "../../wit",
    world: "operator",
    ownership: Borrowing { duplicate_if_necessary: true },
});
