//! Files and directories as layers of OCI artifacts. Directories become reproducible archives, and
//! archives are unpacked without leaving their directory.
//!
//! The conventions are those of the `oras` command line. A file is a layer as it is. A directory is
//! a gzip-compressed tar archive, the names of whose entries begin with the title of the layer.
//! Annotations say which is which ([`annotation`]). Archives that are compressed with Zstandard are
//! read too, and written where [`Compression::Zstd`] is asked for.
//!
//! [`pack()`] makes a [`Layer`], whose bytes can be read as often as needed. [`Staging`] unpacks
//! layers, none of which is trusted, and moves them into place when all have arrived completely.
//! [`check_all`] finds what is in two of several pulls.
//!
//! # Example
//!
//! A directory becomes a layer, and the layer becomes a directory again:
//!
//! ```
//! use oci_archive::{Limits, PackOptions, Staging, pack};
//!
//! let (from, to) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
//! std::fs::write(from.path().join("en.txt"), "hello").unwrap();
//! let layer = pack(from.path(), "words", &PackOptions::default()).unwrap();
//!
//! let staging = Staging::create(to.path()).unwrap();
//! staging.directory("words", None, layer.size, &Limits::default(), layer.open(0).unwrap()).unwrap();
//! staging.place().unwrap();
//! assert_eq!(std::fs::read(to.path().join("words/en.txt")).unwrap(), b"hello");
//! ```

pub mod annotation;

mod beneath;
mod digest;
mod limits;
mod link;
mod pack;
mod title;
mod unpack;

pub use limits::{Limits, MAX_DEPTH, MAX_ENTRY_NAME};
pub use pack::{Compression, Layer, PackError, PackOptions, pack};
pub use unpack::{Conflict, SamePath, Staging, StagingFolder, UnpackError, Unpacked, check_all};
