//! The controller against an API server in this process.

mod attending;
mod errors;
mod events;
mod generate;
mod handle;
mod leadership;
mod namespaces;
mod patch;
mod postponed;
mod questions;
mod quiescence;
mod rotate;
mod script;
mod security_adopt;
mod security_attending;
mod security_children;
mod security_memory;
mod security_overreach;
mod settings;
mod watches;
mod world;
mod writes;
