//! Migrations in a cluster: the fake API with simulated controllers, this operator's decisions, live
//! registries, and the agent that copies between them.

mod lab;

mod back;
mod forward;
mod security_refused;
