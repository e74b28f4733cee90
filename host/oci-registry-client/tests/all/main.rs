//! The integration tests of the client of registries in one program: linking a program takes longer
//! than running most files of tests, and each would hold all libraries. A new file of tests is a
//! module here.

mod forward_proxies;
mod listing;
mod manifests;
mod real_registries;
mod referrers;
mod registry_quirks;
mod security_credentials;
mod security_public_addresses;
mod simulated_registries;
