//! The controller against an API server in this process.

mod children;
mod errors;
mod generate;
mod handle;
mod overreach;
mod patch;
mod questions;
mod quiescence;
mod script;
mod settings;
mod watches;
mod world;
mod writes;
