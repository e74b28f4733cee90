//! What a layer of an artifact holds, both ways: directories become reproducible archives, and archives are unpacked
//! without leaving their directory.
//!
//! The conventions are those of the `oras` command line: a file is a layer as it is; a directory is a gzip-compressed
//! tar archive whose entries begin with the layer's title, announced by annotations ([`annotation`]).
//!
//! [`pack`] makes a [`Layer`], whose bytes can be read as often as they are needed. [`Staging`] takes layers from
//! outside, none of which is trusted, and puts them in place once all have arrived whole.

pub mod annotation;

mod beneath;
mod digest;
mod limits;
mod link;
mod pack;
mod title;
mod unpack;

pub use limits::{Limits, MAX_DEPTH, MAX_ENTRY_NAME};
pub use pack::{Layer, PackError, PackOptions, pack};
pub use unpack::{Staging, UnpackError, Unpacked};
