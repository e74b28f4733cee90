//! The certificate that connections are served with, the CAs of clients, and where both can come
//! from.

mod client_authority;
mod files;
mod pem;
mod resolver;
#[cfg(test)]
mod test_pair;
mod watched_file;

pub use client_authority::{
    ClientAuthority, ClientAuthorityError, ClientAuthorityFile, ClientAuthorityFollower,
};
pub use files::{CertificateFiles, CertificateFilesOptions};
pub use pem::CertificateError;
pub(crate) use pem::{LoadedCertificate, load};
pub use resolver::CertificateResolver;
