//! What Kubernetes API objects mean, as pure functions: schemas, defaults, validation, patches,
//! server-side apply, selectors and OpenAPI documents. No input or output, no clock.
//!
//! Objects are [`serde_json::Value`]s. [`schema::Schema`] is the type tree that all functions walk.
//! It is made from the OpenAPI schema of a CRD, or from the published types of the built-in kinds
//! ([`builtin_schema`]).
//!
//! ```
//! use fake_kube_apimachinery::{builtin_schema, patch};
//! use serde_json::json;
//!
//! let schema = builtin_schema::schema("", "v1", "Pod").ok_or("Pods are built in")?;
//! let pod = json!({"spec": {"containers": [{"name": "c", "image": "one"}]}});
//! let change = json!({"spec": {"containers": [{"name": "c", "image": "two"}, {"name": "d"}]}});
//! let patched = patch::strategic_merge(&schema, &pod, &change).map_err(|refused| refused.message)?;
//! assert_eq!(patched["spec"]["containers"], json!([{"name": "c", "image": "two"}, {"name": "d"}]));
//! # Ok::<(), String>(())
//! ```
//!
//! # What it does not do
//! - Messages follow a kube-apiserver 1.36 as far as they were recorded or are known from its
//!   source. Go's JSON decoder and CEL are worded approximately.
//! - CEL is evaluated by `kube-cel`: there are no cost limits, and rules are not type-checked.
//! - Managed fields are not converted between versions of a kind.

pub mod builtin_schema;
pub mod cel;
pub mod defaulting;
pub mod jsonpath;
pub mod managed_fields;
pub mod match_condition;
pub mod openapi_v3;
pub mod patch;
pub mod quantity;
mod ratcheting;
pub mod schema;
pub mod selector;
pub mod status;
pub mod times;
pub mod type_check;
pub mod unknown_fields;
pub mod validation;
mod values;
