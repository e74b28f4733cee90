//! Bindings generated from `wit/`. [`export!`](crate::export) uses them; guests use the types of
//! the contract.

#![allow(unsafe_code, reason = "the canonical ABI passes raw pointers; wit-bindgen generates that code")]
#![allow(missing_docs, reason = "the documentation is in the WIT package")]
#![allow(clippy::all, reason = "generated")]

wit_bindgen::generate!({
    path: "../../wit",
    world: "rotating-operator",
    pub_export_macro: true,
    export_macro_name: "export_bindings",
    default_bindings_module: "orascache_guest_sdk::bindings",
});
