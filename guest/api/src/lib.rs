//! The API of OrasCache: the names that users, pods and clusters know, and (behind the feature `schema`)
//! the typed resource from which the CRD is generated.

pub mod names;
pub mod reference;
pub mod steps;

#[cfg(feature = "schema")]
pub mod orascache;
