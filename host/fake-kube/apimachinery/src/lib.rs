//! What Kubernetes API objects mean, as pure functions: schemas, pruning, defaulting, validation,
//! patches, server-side apply and OpenAPI documents. No IO, no clock.
//!
//! Objects are [`serde_json::Value`]s. [`schema::Schema`] is the one type tree that everything else walks,
//! made from a CRD's OpenAPI schema or from the published types of the built-in kinds.

pub mod builtin_schema;
pub mod cel;
pub mod defaulting;
pub mod jsonpath;
pub mod managed_fields;
pub mod match_condition;
pub mod openapi_v3;
pub mod patch;
pub mod quantity;
pub mod schema;
pub mod selector;
pub mod status;
pub mod type_check;
pub mod unknown_fields;
pub mod validation;
