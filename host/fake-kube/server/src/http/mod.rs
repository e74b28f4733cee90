//! HTTP: connections, access, paths, queries, bodies, answers.

pub mod accept;
mod access;
mod call;
pub mod decode;
mod document_paths;
mod handler;
mod large;
pub mod listener;
mod log_paths;
pub mod path;
mod protobuf;
pub mod query;
pub mod reply;
mod resource_paths;
pub mod tls;
