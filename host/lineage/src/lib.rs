//! The graph of an artifact back to its sources, read from the registry alone.
//!
//! The manifest of an output names the artifacts that the step was made of, by digest. Their
//! manifests name theirs, and so on. [`trace`] follows them; [`text`](fn@text), [`json`](fn@json),
//! [`dot`](fn@dot) and [`svg`](fn@svg) show what it found.
//!
//! # Example
//!
//! ```
//! use oci_registry_client::{ArtifactReference, Client, Credentials, Endpoint, Manifest};
//! use oci_registry_client::{EMPTY_CONFIG, TransferPolicy, media_type};
//! use orascache_lineage::{Bounds, RegistrySource, text, trace};
//!
//! # async fn example() -> Result<(), Box<dyn std::error::Error>> {
//! let registry = test_registries::Embedded::start();
//! let endpoint: Endpoint = format!("http://{}", registry.host()).parse()?;
//! let client = Client::new(endpoint, Credentials::default(), TransferPolicy::default());
//! let reference: ArtifactReference = "flow/words:run-1".parse()?;
//! client.push_bytes(&reference.repository, EMPTY_CONFIG, media_type::EMPTY).await?;
//! let manifest = Manifest::of_layers(media_type::UNKNOWN_ARTIFACT, Vec::new(), Default::default());
//! client.push_manifest(&reference, &manifest).await?;
//!
//! let source = RegistrySource::new(client);
//! let graph = trace(&source, &registry.host(), &reference, Bounds::default()).await?;
//! assert!(text(&graph).starts_with("flow/words:run-1  sha256:"));
//! # Ok(())
//! # }
//! # tokio::runtime::Runtime::new().unwrap().block_on(example()).unwrap();
//! ```
//!
//! # Layout
//! - `graph` is what was found, and `input` reads how a manifest names its inputs;
//! - `search` decides which manifests to ask for next: a pure function of what was found so far;
//! - `trace` asks registries for them;
//! - `text`, `json`, `dot` and `svg` write a graph, with labels of `label`. The drawing has its
//!   places from `layers` (which box is in which column, and in which order) and `places` (where).

mod dot;
mod graph;
mod input;
mod json;
mod label;
mod layers;
mod places;
mod search;
mod svg;
mod text;
mod trace;

pub use dot::dot;
pub use graph::{Artifact, Bounds, Graph, Leaf, Node, Reason, State};
pub use json::json;
pub use search::{Question, Search};
pub use svg::svg;
pub use text::text;
pub use trace::{RegistrySource, Source, trace};
