//! The OrasCache operator: an engine for components without imports, the command line around it, and the
//! composition with the generic controller. What should exist for a cache is decided in the component.

pub mod admission;
pub mod cli;
pub mod command;
pub mod engine;
pub mod leader;
pub mod operator;
pub mod output;
pub mod record;
pub mod replay;
pub mod settings;
pub mod swap;
pub mod version;
pub mod webhooks;
