//! The API of OrasCache: the names that users, pods and clusters know, the grammar of references,
//! the sentences about invalid caches, and (behind the feature `schema`) the typed resource from
//! which the CRD is generated.
//!
//! ```
//! use orascache_api::reference::Reference;
//!
//! let reference = Reference::parse("flow/words:run-1").unwrap();
//! assert_eq!((reference.repository, reference.tag), ("flow/words", Some("run-1")));
//! ```

pub mod duration;
pub mod endpoint;
pub mod flags;
pub mod names;
pub mod pattern;
pub mod range;
pub mod reference;
pub mod reuse;
pub mod schedule;
pub mod sentences;
pub mod steps;
pub mod template;

#[cfg(feature = "schema")]
pub mod orascache;
#[cfg(feature = "schema")]
pub mod spec;
