//! HTTP: connections, paths, queries, bodies, answers.

pub mod accept;
pub mod decode;
mod document_paths;
mod handler;
pub mod path;
mod protobuf;
pub mod query;
pub mod reply;
mod resource_paths;
pub mod server;
