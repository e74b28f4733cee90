//! What the server does to objects of particular kinds.

#[path = "../common/mod.rs"]
mod common;

mod autoscalers;
mod ephemeral_containers;
mod services;
mod times;
