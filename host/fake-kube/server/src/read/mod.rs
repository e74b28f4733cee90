//! Reads: objects, lists, watches, and the shapes that they come in.

pub mod list;
mod pages;
pub mod select;
pub mod shape;
pub mod table;
pub mod watch;
