//! What the operator's image has beside the programs: compiled code of the component that the operator
//! embeds, and certificates of authorities. Both follow from the sources and the lock file alone, so
//! that every machine makes the same files.
//!
//! ```
//! let bundle = image_files::certificates();
//! assert!(bundle.starts_with("-----BEGIN CERTIFICATE-----\n"));
//! ```

use anyhow::Context;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use orascache_runtime::{CompiledCode, Limits, compile_ahead};
use std::fs;
use std::path::Path;

/// The component that the operator embeds.
const COMPONENT: &[u8] = include_bytes!(env!("ORASCACHE_COMPONENT_PATH"));
/// Folder of compiled code in the image. `orascache` looks there.
pub const CODE_FOLDER: &str = "usr/lib/orascache";
/// The file in which programs of most distributions find authorities.
pub const CERTIFICATES: &str = "etc/ssl/certs/ca-certificates.crt";
/// Characters in a line of PEM (RFC 7468, section 2).
const LINE: usize = 64;

/// The authorities that Mozilla trusts to certify servers, as PEM.
pub fn certificates() -> String {
    let mut bundle = String::new();
    for certificate in webpki_root_certs::TLS_SERVER_ROOT_CERTS {
        let mut text = STANDARD.encode(certificate);
        bundle.push_str("-----BEGIN CERTIFICATE-----\n");
        while text.len() > LINE {
            let rest = text.split_off(LINE);
            bundle.push_str(&text);
            bundle.push('\n');
            text = rest;
        }
        bundle.push_str(&text);
        bundle.push_str("\n-----END CERTIFICATE-----\n");
    }
    bundle
}

/// The component's code for any processor of an architecture, which a target triple names.
///
/// # Errors
/// When this build has no compiler for that architecture.
pub fn code(target: &str) -> anyhow::Result<CompiledCode> {
    compile_ahead(COMPONENT, target, Limits::default())
        .context("other architectures than this machine's need `--features other-architectures`")
}

/// Writes all files below `root`, which is the root of the image's file system. Returns the digest of
/// the code, which the operator must be built with.
///
/// # Errors
/// As [`code`], and when a file cannot be written.
pub fn write(target: &str, root: &Path) -> anyhow::Result<String> {
    let code = code(target)?;
    let code_file = Path::new(CODE_FOLDER).join(&code.file_name);
    for (path, content) in
        [(code_file.as_path(), code.content.as_slice()), (CERTIFICATES.as_ref(), certificates().as_bytes())]
    {
        let path = root.join(path);
        let folder = path.parent().unwrap_or(root);
        fs::create_dir_all(folder)
            .and_then(|()| fs::write(&path, content))
            .with_context(|| format!("{} cannot be written", path.display()))?;
    }
    Ok(code.digest)
}

#[cfg(test)]
mod tests {
    use super::{CERTIFICATES, CODE_FOLDER, certificates, code, write};
    use rustls_pki_types::CertificateDer;
    use rustls_pki_types::pem::PemObject;

    #[test]
    fn the_bundle_has_every_authority() {
        let read: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(certificates().as_bytes()).collect();
        assert_eq!(read.expect("PEM"), webpki_root_certs::TLS_SERVER_ROOT_CERTS);
    }

    #[test]
    fn the_same_files_are_made_each_time() {
        let target = format!("{}-unknown-linux-musl", std::env::consts::ARCH);
        let root = tempfile::tempdir().expect("a folder");
        let digest = write(&target, root.path()).expect("written");
        let code = code(&target).expect("code");
        assert_eq!(code.digest, digest);
        let path = root.path().join(CODE_FOLDER).join(&code.file_name);
        assert_eq!(orascache_runtime::digest(&std::fs::read(path).expect("written")), digest);
        assert!(root.path().join(CERTIFICATES).is_file());
    }

    #[test]
    fn an_architecture_without_a_compiler_is_refused() {
        let made = code("s390x-unknown-linux-musl").map(|code| code.digest);
        let error = made.expect_err("no compiler");
        assert!(
            format!("{error:#}").contains("code for s390x-unknown-linux-musl cannot be made here"),
            "{error:#}"
        );
    }
}
