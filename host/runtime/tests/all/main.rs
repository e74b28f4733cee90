//! The integration tests of the runtime in one program: linking a program takes longer than running
//! most files of tests, and each would hold all libraries. A new file of tests is a module here.

mod guest;

mod calls;
mod fairness;
mod records;
mod security_compiled_cache;
mod security_redaction;
mod versions;
