//! The OrasCache module as a component: `wit/` in front, [`orascache_core`] behind, conversions only.
//!
//! Built for `wasm32-unknown-unknown` it has no imports at all. It also compiles natively, where it exports
//! nothing, so that ordinary tools check it.

#[cfg(target_arch = "wasm32")]
mod allocator;
mod convert;

/// Bindings generated from `wit/`.
#[allow(
    unsafe_code,
    reason = "the canonical ABI is spoken through raw pointers; wit-bindgen generates that code"
)]
#[allow(missing_docs, reason = "the documentation stands in the WIT package")]
#[allow(clippy::all, reason = "generated")]
mod bindings {
    wit_bindgen::generate!({ path: "../../wit", world: "operator" });

    #[cfg(target_arch = "wasm32")]
    export!(Component with_types_in self);
    #[cfg(target_arch = "wasm32")]
    use super::Component;
}

use bindings::exports::orascache::operator::{admission, reconciler, types};

/// Implements the exported interfaces.
#[cfg_attr(not(target_arch = "wasm32"), allow(dead_code, reason = "exported on wasm32 only"))]
struct Component;

impl reconciler::Guest for Component {
    fn describe() -> reconciler::Description {
        convert::description(orascache_core::describe())
    }

    fn reconcile(observed: reconciler::Observed) -> Result<reconciler::Plan, types::Error> {
        let failures: Vec<_> = observed.failures.into_iter().map(convert::failure).collect();
        orascache_core::reconcile(&orascache_core::contract::Observed {
            primary: &observed.primary,
            owned: &observed.owned,
            related: &observed.related,
            failures: &failures,
            now: observed.now,
        })
        .map(convert::plan)
        .map_err(convert::error)
    }
}

impl admission::Guest for Component {
    fn review(
        review: types::Object,
        context: admission::Context,
    ) -> Result<admission::Outcome, types::Error> {
        let context = orascache_core::contract::Context {
            objects: &context.objects,
            complete: context.complete,
            settings: &context.settings,
            now: context.now,
        };
        orascache_core::admission::review(&review, &context).map(convert::outcome).map_err(convert::error)
    }

    fn check_settings(settings: String) -> Result<(), types::Error> {
        orascache_core::admission::check_settings(&settings).map_err(convert::error)
    }
}
