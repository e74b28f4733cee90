//! The certificate that connections are served with, and where it can come from.

mod files;
mod pem;
mod resolver;
#[cfg(test)]
mod test_pair;

pub use files::{CertificateFiles, CertificateFilesOptions};
pub use pem::CertificateError;
pub(crate) use pem::{LoadedCertificate, load, read_certificates};
pub use resolver::CertificateResolver;
