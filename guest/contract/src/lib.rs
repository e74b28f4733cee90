//! The values that cross the boundary between a host and its guest, as plain Rust.
//!
//! `wit/` is the contract; this crate says the same in Rust, once, for everybody: the core, the
//! component, the Kubewarden policy, the controller, the runtime, the webhook server and the
//! records. Only the two sets of generated bindings are converted to and from it: in
//! `guest/sdk` (the guest's side) and in `host/runtime` (the host's side).
//!
//! Objects are JSON text. The values that carry many of them are generic over the text's type:
//! a guest owns [`String`]s, a host shares [`Arc<str>`](std::sync::Arc).
//!
//! ```
//! use orascache_contract::{Kind, Plan};
//!
//! const CONFIG_MAP: Kind = Kind::namespaced("v1", "ConfigMap", "configmaps");
//!
//! let mut plan = Plan::default();
//! assert!(plan.is_empty());
//! plan.apply.push(r#"{"apiVersion":"v1","kind":"ConfigMap"}"#.to_owned());
//! assert!(!plan.is_empty());
//! assert_eq!(CONFIG_MAP.plural, "configmaps");
//! ```

mod admission;
mod artifact;
mod description;
pub mod digest;
mod error;
mod failure;
mod kind;
pub mod merge;
mod observed;
mod plan;
pub mod time;

pub use admission::{Context, Needs, Outcome, Refusal, Response, Verdict};
pub use artifact::{ArtifactAnswer, ArtifactAspect, ArtifactFinding, ArtifactQuestion};
pub use description::{
    AdmissionRule, AttendedKind, Description, FailurePolicy, MatchCondition, Operation, WatchedKind,
};
pub use error::{Error, GuestError};
pub use failure::{Failure, FailureReason, Verb};
pub use kind::{Kind, ObjectRef};
pub use observed::Observed;
pub use plan::{
    Account, Certificate, Credentials, Event, Generated, ObjectPatch, Plan, RandomKey, Recipe, Rotation,
    RotationStep, Severity,
};
