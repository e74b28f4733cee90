//! What Kubernetes API objects mean, as pure functions: schemas, pruning, defaulting, validation,
//! patches, server-side apply and OpenAPI documents. No IO, no clock.

pub mod status;
