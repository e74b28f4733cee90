//! The integration tests of the manifests in one program: linking a program takes longer than
//! running most files of tests, and each would hold all libraries. A new file of tests is a module
//! here.

mod admission_rules;
mod chart;
mod deployment;
mod images;
mod kubewarden;
mod manifests;
mod python;
mod release_files;
mod security_gates;
mod version;
