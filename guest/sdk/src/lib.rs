//! Helps to write a guest in a few lines: two traits, an export macro, and helpers for the objects
//! that guests make.
//!
//! A guest decides what should exist for the objects of one kind, its primaries, and which requests
//! may go on. It is a WebAssembly component that exports the world `rotating-operator` of `wit/` and imports
//! nothing. With this crate, a guest implements [`Reconciler`] and [`Admission`] and calls
//! [`export!`]; `examples/config_map.rs` is a complete guest. docs/writing-a-guest.md goes through
//! it step by step.
//!
//! ```
//! use orascache_guest_sdk::{Admission, Description, Error, Kind, Object, Observed, Plan, Reconciler, WatchedKind, json};
//!
//! const CONFIG_MAP: Kind = Kind::namespaced("v1", "ConfigMap", "configmaps");
//!
//! /// Every Note gets a ConfigMap with its text.
//! struct Notes;
//!
//! impl Reconciler for Notes {
//!     fn describe() -> Description {
//!         let primary = Kind::namespaced("lab.example.com/v1", "Note", "notes");
//!         let owned = vec![WatchedKind::whole(CONFIG_MAP)];
//!         Description { owned, ..Description::new(primary, "notes") }
//!     }
//!
//!     fn reconcile(observed: &Observed<String>) -> Result<Plan, Error> {
//!         let note = Object::parse("the Note", &observed.primary)?;
//!         let mut plan = Plan::default();
//!         let data = json!({"text": note["spec"]["text"]});
//!         let config_map = note.child(&CONFIG_MAP, note.name()).with("data", data);
//!         config_map.apply_unless_current(&Object::parse_all("ConfigMap", &observed.owned)?, &mut plan);
//!         Ok(plan)
//!     }
//! }
//!
//! // It reviews nothing.
//! impl Admission for Notes {}
//!
//! orascache_guest_sdk::export!(Notes);
//!
//! let primary = r#"{"apiVersion":"lab.example.com/v1","kind":"Note","metadata":{"name":"a"},"spec":{"text":"b"}}"#;
//! let plan = Notes::reconcile(&Observed { primary: primary.to_owned(), ..Observed::default() })?;
//! assert!(plan.apply[0].contains(r#""data":{"text":"b"}"#));
//! # Ok::<(), Error>(())
//! ```

#[doc(hidden)]
pub mod bindings;
mod child;
mod convert;
#[doc(hidden)]
pub mod exported;
mod guest;
mod object;
mod request;
mod status;

pub use child::Child;
pub use guest::{Admission, Reconciler};
#[doc(hidden)]
pub use guest::{Exports, assert_guest};
pub use object::{Object, parse};
pub use orascache_contract::digest::Digest;
pub use orascache_contract::{
    Account, AdmissionRule, ArtifactAnswer, ArtifactAspect, ArtifactFinding, ArtifactQuestion, AttendedKind,
    Certificate, Context, Credentials, Description, Error, Event, Failure, FailurePolicy, FailureReason,
    Generated, Kind, MatchCondition, Needs, ObjectPatch, ObjectRef, Observed, Operation, Outcome, Plan,
    RandomKey, Recipe, Refusal, Response, Rotation, RotationStep, Severity, Verb, Verdict, WatchedKind,
};
pub use request::Request;
pub use serde_json::{Value, json};
pub use status::Condition;

/// Makes a type that implements [`Reconciler`] and [`Admission`] what the component exports. A
/// component has one call of it. Built for other targets than `wasm32`, nothing is exported, so
/// that tests run natively.
#[macro_export]
macro_rules! export {
    ($guest:ty) => {
        #[cfg(target_arch = "wasm32")]
        #[allow(unsafe_code, reason = "the canonical ABI passes raw pointers")]
        const _: () = {
            type Exported = $crate::Exports<$guest>;
    $crate::bindings::export_bindings!(Exported with_types_in $crate::exported);
        };
        #[cfg(not(target_arch = "wasm32"))]
        const _: fn() = $crate::assert_guest::<$guest>;
    };
}
