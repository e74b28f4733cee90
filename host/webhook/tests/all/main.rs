//! The integration tests of the webhook server in one program: linking a program takes longer than
//! running most files of tests, and each would hold all libraries. A new file of tests is a module
//! here.

mod common;

mod load;
mod requests;
mod rotation;
mod security_client_certificate;
mod security_log;
