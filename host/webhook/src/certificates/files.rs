//! A certificate in two files, such as a Secret that cert-manager looks after and the kubelet mounts.

use super::{CertificateError, Certificates, Loaded, load};
use crate::metrics::CertificateMetrics;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;
use time::OffsetDateTime;
use tokio::io::AsyncReadExt;
use tokio_util::sync::{CancellationToken, DropGuard};

/// Name of the certificate's file, as Secrets of type `kubernetes.io/tls` name it.
const CERTIFICATE: &str = "tls.crt";
/// Name of the key's file.
const KEY: &str = "tls.key";
/// A Secret cannot be larger.
const FILE_BYTES: u64 = 1 << 20;

/// Where the files are, and how often they are looked at.
#[derive(Clone, Debug)]
pub struct FilesOptions {
    /// Folder with `tls.crt` and `tls.key`.
    pub directory: PathBuf,
    /// Time between two looks. Changes are found by content: the kubelet swaps a symbolic link above the files, and
    /// not every file system says so.
    pub period: Duration,
}

impl FilesOptions {
    /// Looks every five seconds.
    pub fn new(directory: impl Into<PathBuf>) -> Self {
        Self { directory: directory.into(), period: Duration::from_secs(5) }
    }
}

/// Follows a certificate in two files. Dropping it ends that; the certificate stays.
#[derive(Debug)]
pub struct Files {
    stop: DropGuard,
    task: tokio::task::JoinHandle<()>,
}

#[derive(Debug, thiserror::Error)]
enum FileError {
    #[error("{path} cannot be read: {source}", path = path.display())]
    Read { path: PathBuf, source: io::Error },
    #[error("{path} is larger than {FILE_BYTES} bytes, so it is not a certificate or key", path = path.display())]
    TooLarge { path: PathBuf },
    #[error("{CERTIFICATE} and {KEY} in {directory} cannot be used: {source}", directory = directory.display())]
    Unusable { directory: PathBuf, source: CertificateError },
}

impl Files {
    /// Reads the files once and returns; then goes on looking. Where they are missing or unusable, that is logged
    /// and tried again: [`Certificates::loaded`] waits for the first success. What is served is only replaced by a
    /// pair that belongs together.
    pub async fn start(options: FilesOptions, metrics: CertificateMetrics) -> (Arc<Certificates>, Self) {
        let certificates = Arc::new(Certificates::new());
        let stop = CancellationToken::new();
        let mut follower = Follower {
            options,
            metrics,
            certificates: certificates.clone(),
            served: None,
            complaint: String::new(),
        };
        follower.look().await;
        let task = tokio::spawn(follower.run(stop.clone()));
        (certificates, Self { stop: stop.drop_guard(), task })
    }

    /// Ends following, and waits for that.
    pub async fn shutdown(self) {
        drop(self.stop);
        // It ends by itself; a panic in it was reported where it happened.
        let _ = self.task.await;
    }
}

struct Follower {
    options: FilesOptions,
    metrics: CertificateMetrics,
    certificates: Arc<Certificates>,
    /// Content of both files as it is served.
    served: Option<(Vec<u8>, Vec<u8>)>,
    /// What was logged last, so that a lasting problem is logged once.
    complaint: String,
}

impl Follower {
    async fn run(mut self, stop: CancellationToken) {
        loop {
            tokio::select! {
                () = stop.cancelled() => return,
                () = tokio::time::sleep(self.options.period) => self.look().await,
            }
        }
    }

    async fn look(&mut self) {
        self.metrics.reads.inc();
        match self.reload().await {
            Ok(None) => self.complaint.clear(),
            Ok(Some(expires)) => {
                self.complaint.clear();
                self.metrics.expires.set(expires.unix_timestamp());
                let directory = self.options.directory.display();
                tracing::info!(%directory, %expires, "certificate loaded");
                if expires <= OffsetDateTime::now_utc() {
                    tracing::warn!(%directory, %expires, "the certificate has expired; API servers will not trust it");
                }
            }
            Err(error) => {
                self.metrics.errors.inc();
                let complaint = error.to_string();
                if complaint != self.complaint {
                    tracing::warn!("{complaint}; what was served before stays, and it is tried again");
                    self.complaint = complaint;
                }
            }
        }
    }

    /// Serves the files' content if it is new. Returns when a new certificate expires.
    async fn reload(&mut self) -> Result<Option<OffsetDateTime>, FileError> {
        let certificate = read(&self.options.directory.join(CERTIFICATE)).await?;
        let key = read(&self.options.directory.join(KEY)).await?;
        let pair = (certificate, key);
        if self.served.as_ref() == Some(&pair) {
            return Ok(None);
        }
        let loaded: Loaded = load(&pair.0, &pair.1)
            .map_err(|source| FileError::Unusable { directory: self.options.directory.clone(), source })?;
        self.certificates.replace(&loaded);
        self.served = Some(pair);
        Ok(Some(loaded.expires))
    }
}

async fn read(path: &Path) -> Result<Vec<u8>, FileError> {
    let failed = |source| FileError::Read { path: path.to_owned(), source };
    let mut content = Vec::new();
    let file = tokio::fs::File::open(path).await.map_err(failed)?;
    file.take(FILE_BYTES + 1).read_to_end(&mut content).await.map_err(failed)?;
    if content.len() as u64 > FILE_BYTES {
        return Err(FileError::TooLarge { path: path.to_owned() });
    }
    Ok(content)
}

#[cfg(test)]
mod tests {
    use super::*;
    use rustls::sign::CertifiedKey;
    use std::fs;
    use std::os::unix::fs::symlink;

    struct Pair {
        certificate: String,
        key: String,
        der: Vec<u8>,
    }

    fn pair() -> Pair {
        let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
        Pair {
            certificate: made.cert.pem(),
            key: made.signing_key.serialize_pem(),
            der: made.cert.der().to_vec(),
        }
    }

    fn write(directory: &Path, certificate: &str, key: &str) {
        fs::write(directory.join(CERTIFICATE), certificate).unwrap();
        fs::write(directory.join(KEY), key).unwrap();
    }

    fn follower(directory: &Path) -> Follower {
        Follower {
            options: FilesOptions::new(directory),
            metrics: CertificateMetrics::default(),
            certificates: Arc::new(Certificates::new()),
            served: None,
            complaint: String::new(),
        }
    }

    fn served(follower: &Follower) -> Option<Vec<u8>> {
        let current: Option<Arc<CertifiedKey>> = follower.certificates.current.load_full();
        current.map(|key| key.cert[0].to_vec())
    }

    #[tokio::test]
    async fn missing_then_there() {
        let directory = tempfile::tempdir().unwrap();
        let mut follower = follower(directory.path());
        follower.look().await;
        assert_eq!(served(&follower), None);
        assert_eq!(follower.metrics.errors.get(), 1);
        let pair = pair();
        write(directory.path(), &pair.certificate, &pair.key);
        follower.look().await;
        assert_eq!(served(&follower), Some(pair.der));
        follower.look().await;
        assert_eq!((follower.metrics.reads.get(), follower.metrics.errors.get()), (3, 1));
    }

    #[tokio::test]
    async fn the_kubelet_swaps_a_link() {
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
        follower.look().await;
        assert_eq!(served(&follower), Some(old.der));
        symlink("..new", at("..data_tmp")).unwrap();
        fs::rename(at("..data_tmp"), at("..data")).unwrap();
        fs::remove_dir_all(at("..old")).unwrap();
        follower.look().await;
        assert_eq!(served(&follower), Some(new.der));
    }

    #[tokio::test]
    async fn the_old_one_stays_until_the_new_pair_is_complete() {
        let directory = tempfile::tempdir().unwrap();
        let (old, new) = (pair(), pair());
        write(directory.path(), &old.certificate, &old.key);
        let mut follower = follower(directory.path());
        follower.look().await;
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
            follower.look().await;
            assert_eq!(served(&follower), Some(old.der.clone()));
            assert_eq!(follower.metrics.errors.get(), failures as u64 + 1);
        }
        fs::remove_file(directory.path().join(KEY)).unwrap();
        follower.look().await;
        fs::write(directory.path().join(KEY), vec![b'x'; FILE_BYTES as usize + 1]).unwrap();
        follower.look().await;
        assert!(follower.complaint.contains("larger"), "{}", follower.complaint);
        assert_eq!(served(&follower), Some(old.der));
        write(directory.path(), &new.certificate, &new.key);
        follower.look().await;
        assert_eq!(served(&follower), Some(new.der));
        assert!(follower.metrics.expires.get() > 0);
    }

    #[tokio::test]
    async fn the_task_finds_changes_by_itself() {
        let directory = tempfile::tempdir().unwrap();
        let options =
            FilesOptions { period: Duration::from_millis(5), ..FilesOptions::new(directory.path()) };
        let (certificates, files) = Files::start(options, CertificateMetrics::default()).await;
        assert!(!certificates.is_loaded());
        let pair = pair();
        write(directory.path(), &pair.certificate, &pair.key);
        tokio::time::timeout(Duration::from_secs(20), certificates.loaded()).await.unwrap();
        files.shutdown().await;
    }
}
