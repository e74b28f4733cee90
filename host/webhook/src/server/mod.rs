//! Serves reviews over TLS.
//!
//! A request passes these stages: its connection is admitted to the connection table, its body
//! arrives within bounds of memory and time, it takes a slot, and the reviewer decides. A slot is
//! taken after the body has arrived, so that clients that never finish a body hold no slots.

mod arriving_bodies;
mod body;
mod connection;
mod connection_table;
mod deadline;
mod drain;
mod error_log;
mod handler;
mod http2_requests;
mod hyper_connection;
mod in_place;
mod limits;
mod listener;
mod load_shedder;
mod paths;
mod review_response;
mod timers;
mod tls;

pub use limits::ServerLimits;
pub use listener::{Server, ServerOptions, StartError};
pub use paths::{MUTATE_PATH, VALIDATE_PATH};
