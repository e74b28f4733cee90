//! Unpacking: layers from outside become files and directories.

mod cursor;
mod error;
mod extract;
mod modes;
mod place;
mod remove;
mod source;
mod staging;

#[cfg(test)]
mod tests;

pub use error::UnpackError;
pub use staging::Staging;

/// What a layer held.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Unpacked {
    /// Files and links, without directories.
    pub files: u64,
    /// Bytes of the files' content. What several hard links name counts once.
    pub bytes: u64,
}
