//! The integration tests of the fake API server in one program: linking a program takes longer than
//! running most files of tests, and each would hold all libraries. A new file of tests is a module
//! here.

mod common;

mod access;
mod fairness;
mod faults;
mod kinds;
mod kubectl;
mod logs;
mod reading;
mod replay;
mod sequences;
mod webhooks;
mod writing;
