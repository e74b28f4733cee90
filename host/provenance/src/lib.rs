//! Who made an artifact of what.
//!
//! The agent writes it into annotations of the manifest that it pushes: a [`StepRecord`]. Where the
//! registry knows referrers, it also pushes a statement about the artifact, for tools that know
//! in-toto and SLSA and not OrasCache: a [`Statement`].
//!
//! A statement has no signature. It is worth what the right to push into the repository is worth,
//! as the annotations are.
//!
//! # Example
//!
//! ```
//! use oci_registry_client::{ArtifactReference, Digest};
//! use orascache_provenance::{StepRecord, StepRun, statement};
//!
//! let output: ArtifactReference = "flow/count:run-1".parse().unwrap();
//! let record = StepRecord { image: Some("busybox:1.37".to_owned()), ..StepRecord::default() };
//! let run = StepRun { registry: "cache-0.cache.lab.svc:5000", outputs: &[output.clone()], agent: "0.1.0" };
//! let statement = statement(&output, &Digest::of(b"the manifest"), &record, &run);
//!
//! let text = serde_json::to_value(&statement).unwrap();
//! assert_eq!(text["subject"][0]["name"], "flow/count:run-1");
//! assert_eq!(text["predicate"]["buildDefinition"]["externalParameters"]["image"], "busybox:1.37");
//! ```
//!
//! # Layout
//! - `record` reads annotations, and `statement` makes a statement of what they say: pure
//!   functions;
//! - `package_url` names artifacts of registries in statements;
//! - `referrer` pushes statements, and finds them.

mod package_url;
mod record;
mod referrer;
mod statement;

pub use record::StepRecord;
pub use referrer::{Attestation, PushedStatement, attestations, push};
pub use statement::{BUILD_TYPE, BUILDER, Statement, StepRun, statement};
