//! Reads: objects, lists and watches, in the shape that the client asks for.

pub mod include;
pub mod list;
mod pages;
pub mod select;
pub mod shape;
pub mod table;
pub mod watch;
