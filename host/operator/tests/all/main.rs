//! The integration tests of the operator in one program: linking a program takes longer than
//! running most files of tests, and each would hold all libraries. A new file of tests is a module
//! here.

#[cfg(target_os = "linux")]
mod dev_cluster;

mod cli;
#[cfg(target_os = "linux")]
mod dev;
#[cfg(target_os = "linux")]
mod engines;
#[cfg(target_os = "linux")]
mod migrate;
mod replay;
