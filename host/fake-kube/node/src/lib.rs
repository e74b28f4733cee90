#![cfg_attr(target_os = "linux", doc = include_str!("../README.md"))]
#![cfg(target_os = "linux")]

mod backoff;
mod container;
mod context;
mod environment;
mod expand;
mod fields;
mod folders;
mod images;
mod launch;
mod messages;
mod names;
mod node;
mod objects;
mod options;
mod pod;
mod probe;
mod process;
mod record;
mod shared;
mod supervised;
mod volumes;

pub mod helper;

pub use backoff::Backoff;
pub use images::{ImageFolder, ImageFolderError};
pub use node::Node;
pub use options::{NodeOptions, pods_that_end};
