//! Unpacking: layers, none of which is trusted, become files and directories.

mod conflicts;
mod cursor;
mod error;
mod extract;
mod folder;
mod liveness;
mod modes;
mod mount;
mod place;
mod place_all;
mod remove;
mod source;
mod staging;

#[cfg(test)]
mod tests;

pub use conflicts::{Conflict, check_all};
pub use error::UnpackError;
pub use folder::StagingFolder;
pub use place::SamePath;
pub use staging::Staging;

/// What a layer holds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Unpacked {
    /// Files and links, without directories.
    pub files: u64,
    /// Bytes of the files' content. A file with several hard links counts once.
    pub bytes: u64,
}
