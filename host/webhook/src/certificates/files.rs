//! Follows a certificate in two files, such as a Secret that cert-manager writes and the kubelet
//! mounts.

use super::pem::{CertificateError, LoadedCertificate, load};
use super::resolver::CertificateResolver;
use super::watched_file::{self, FileError, Following, LastProblem, Watched};
use crate::metrics::CertificateMetrics;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;
use time::OffsetDateTime;

/// File of the certificate: its key in Secrets of type `kubernetes.io/tls`.
const CERTIFICATE: &str = "tls.crt";
/// File of the private key: its key in Secrets of type `kubernetes.io/tls`.
const KEY: &str = "tls.key";

/// Where the files are, and how often they are read.
#[derive(Clone, Debug)]
pub struct CertificateFilesOptions {
    /// Folder with `tls.crt` and `tls.key`.
    pub directory: PathBuf,
    /// Time between two reads.
    pub period: Duration,
}

impl CertificateFilesOptions {
    /// Reads the files every five seconds.
    pub fn new(directory: impl Into<PathBuf>) -> Self {
        Self { directory: directory.into(), period: watched_file::PERIOD }
    }
}

/// Follows a certificate in two files. When this is dropped, following ends; the certificate stays.
#[derive(Debug)]
pub struct CertificateFiles(Following);

#[derive(Debug, thiserror::Error)]
enum PairError {
    #[error(transparent)]
    File(#[from] FileError),
    #[error("{CERTIFICATE} and {KEY} in {directory} cannot be used: {source}", directory = directory.display())]
    Unusable { directory: PathBuf, source: CertificateError },
}

impl CertificateFiles {
    /// Reads the files once, returns, and keeps following them. If they are missing or unusable,
    /// that is logged and tried again: [`CertificateResolver::loaded`] waits for the first success.
    /// Only a matching pair replaces the certificate in use.
    pub async fn start(
        options: CertificateFilesOptions,
        metrics: CertificateMetrics,
    ) -> (Arc<CertificateResolver>, Self) {
        let resolver = Arc::new(CertificateResolver::new());
        let mut follower = Follower {
            options,
            metrics,
            resolver: resolver.clone(),
            served: None,
            last_problem: LastProblem::default(),
        };
        follower.check().await;
        let period = follower.options.period;
        (resolver, Self(Following::start(follower, period)))
    }

    /// Ends following, and waits for the task to end.
    pub async fn shutdown(self) {
        self.0.shutdown().await;
    }
}

struct Follower {
    options: CertificateFilesOptions,
    metrics: CertificateMetrics,
    resolver: Arc<CertificateResolver>,
    /// Contents of both files that are in use.
    served: Option<(Vec<u8>, Vec<u8>)>,
    last_problem: LastProblem,
}

impl Watched for Follower {
    async fn check(&mut self) {
        self.metrics.reads.inc();
        match self.reload().await {
            Ok(None) => self.last_problem.clear(),
            Ok(Some(expires)) => {
                self.last_problem.clear();
                self.metrics.expires.set(expires.unix_timestamp());
                let directory = self.options.directory.display();
                tracing::info!(%directory, %expires, "certificate loaded");
                if expires <= OffsetDateTime::now_utc() {
                    tracing::warn!(
                        %directory, %expires,
                        "the certificate has expired; API servers will not trust it"
                    );
                }
            }
            Err(error) => {
                self.metrics.errors.inc();
                let problem = error.to_string();
                if self.last_problem.is_new(&problem) {
                    tracing::warn!("{problem}; the certificate in use stays, and the files are read again");
                }
            }
        }
    }
}

impl Follower {
    /// Uses the files if their contents changed. Returns when a new certificate expires.
    async fn reload(&mut self) -> Result<Option<OffsetDateTime>, PairError> {
        let certificate = watched_file::read(&self.options.directory.join(CERTIFICATE)).await?;
        let key = watched_file::read(&self.options.directory.join(KEY)).await?;
        let pair = (certificate, key);
        if self.served.as_ref() == Some(&pair) {
            return Ok(None);
        }
        let loaded: LoadedCertificate = load(&pair.0, &pair.1)
            .map_err(|source| PairError::Unusable { directory: self.options.directory.clone(), source })?;
        self.resolver.replace(&loaded);
        self.served = Some(pair);
        Ok(Some(loaded.expires))
    }
}

#[cfg(test)]
mod tests {
    use super::super::test_pair::pair;
    use super::*;
    use orascache_telemetry::testing::CapturedLog;
    use std::fs;
    use std::os::unix::fs::symlink;
    use std::path::Path;

    fn write(directory: &Path, certificate: &str, key: &str) {
        fs::write(directory.join(CERTIFICATE), certificate).unwrap();
        fs::write(directory.join(KEY), key).unwrap();
    }

    fn follower(directory: &Path) -> Follower {
        Follower {
            options: CertificateFilesOptions::new(directory),
            metrics: CertificateMetrics::default(),
            resolver: Arc::new(CertificateResolver::new()),
            served: None,
            last_problem: LastProblem::default(),
        }
    }

    fn served(follower: &Follower) -> Option<Vec<u8>> {
        follower.resolver.current().map(|key| key.cert[0].to_vec())
    }

    #[tokio::test]
    async fn files_that_appear_later_are_loaded() {
        let directory = tempfile::tempdir().unwrap();
        let mut follower = follower(directory.path());
        follower.check().await;
        assert_eq!(served(&follower), None);
        assert_eq!(follower.metrics.errors.get(), 1);
        let pair = pair();
        write(directory.path(), &pair.certificate, &pair.key);
        follower.check().await;
        assert_eq!(served(&follower), Some(pair.der));
        follower.check().await;
        assert_eq!((follower.metrics.reads.get(), follower.metrics.errors.get()), (3, 1));
    }

    #[tokio::test]
    async fn a_replaced_link_above_the_files_is_noticed() {
        let directory = tempfile::tempdir().unwrap();
        let at = |name: &str| directory.path().join(name);
        let (old, new) = (pair(), pair());
        for (name, pair) in [("..old", &old), ("..new", &new)] {
            fs::create_dir(at(name)).unwrap();
            write(&at(name), &pair.certificate, &pair.key);
        }
        symlink("..old", at("..data")).unwrap();
        symlink("..data/tls.crt", at(CERTIFICATE)).unwrap();
        symlink("..data/tls.key", at(KEY)).unwrap();
        let mut follower = follower(directory.path());
        follower.check().await;
        assert_eq!(served(&follower), Some(old.der));
        symlink("..new", at("..data_tmp")).unwrap();
        fs::rename(at("..data_tmp"), at("..data")).unwrap();
        fs::remove_dir_all(at("..old")).unwrap();
        follower.check().await;
        assert_eq!(served(&follower), Some(new.der));
    }

    #[tokio::test]
    async fn the_certificate_stays_until_a_complete_new_pair_is_there() {
        let directory = tempfile::tempdir().unwrap();
        let (old, new) = (pair(), pair());
        write(directory.path(), &old.certificate, &old.key);
        let mut follower = follower(directory.path());
        follower.check().await;
        let half = &new.certificate[..new.certificate.len() / 2];
        let steps: [(&str, &str); 6] = [
            (&new.certificate, &old.key),
            (half, &new.key),
            (&new.certificate, ""),
            ("", ""),
            ("garbage", "garbage"),
            (&new.certificate, &new.key[..40]),
        ];
        for (failures, (certificate, key)) in steps.iter().enumerate() {
            write(directory.path(), certificate, key);
            follower.check().await;
            assert_eq!(served(&follower), Some(old.der.clone()));
            assert_eq!(follower.metrics.errors.get(), failures as u64 + 1);
        }
        fs::remove_file(directory.path().join(KEY)).unwrap();
        follower.check().await;
        let log = CapturedLog::default();
        let guard = tracing::subscriber::set_default(log.clone());
        fs::write(directory.path().join(KEY), vec![b'x'; watched_file::FILE_BYTES as usize + 1]).unwrap();
        follower.check().await;
        drop(guard);
        assert!(log.warnings().iter().any(|text| text.contains("larger")), "{:?}", log.warnings());
        assert_eq!(served(&follower), Some(old.der));
        write(directory.path(), &new.certificate, &new.key);
        follower.check().await;
        assert_eq!(served(&follower), Some(new.der));
        assert!(follower.metrics.expires.get() > 0);
    }

    #[tokio::test]
    async fn changes_are_found_periodically() {
        let directory = tempfile::tempdir().unwrap();
        let options = CertificateFilesOptions {
            period: Duration::from_millis(5),
            ..CertificateFilesOptions::new(directory.path())
        };
        let (resolver, files) = CertificateFiles::start(options, CertificateMetrics::default()).await;
        assert!(!resolver.is_loaded());
        let pair = pair();
        write(directory.path(), &pair.certificate, &pair.key);
        tokio::time::timeout(Duration::from_secs(20), resolver.loaded()).await.unwrap();
        files.shutdown().await;
    }
}
