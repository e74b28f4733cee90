//! What the server does to objects of particular kinds.

mod autoscalers;
mod ephemeral_containers;
mod services;
mod times;
