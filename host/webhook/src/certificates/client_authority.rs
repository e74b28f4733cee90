//! The CAs that sign the certificates of clients, and the file that they come from.

use super::pem::{CertificateError, read_certificates};
use super::watched_file::{self, FileError, Following, LastProblem, Watched};
use rustls::RootCertStore;
use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::watch;

/// CAs that sign the certificates of clients.
///
/// With it, a server closes the connection of every client that presents no certificate by one of
/// these CAs. API servers present one if their admission configuration names a kubeconfig with it:
/// <https://kubernetes.io/docs/reference/access-authn-authz/extensible-admission-controllers/#authenticate-apiservers>.
#[derive(Clone)]
pub struct ClientAuthority {
    roots: watch::Receiver<Arc<RootCertStore>>,
}

impl ClientAuthority {
    /// Reads one or more CA certificates, PEM. They are never replaced.
    ///
    /// # Errors
    /// When the text is not PEM, contains no certificate, or one that cannot be a CA.
    pub fn from_pem(text: &[u8]) -> Result<Self, CertificateError> {
        Ok(Self { roots: watch::channel(Arc::new(read_roots(text)?)).1 })
    }

    /// The CAs that count now.
    pub(crate) fn current(&mut self) -> Arc<RootCertStore> {
        self.roots.borrow_and_update().clone()
    }

    /// Returns when the CAs differ from what [`Self::current`] returned last.
    pub(crate) async fn replaced(&mut self) {
        if self.roots.changed().await.is_err() {
            // Nobody follows a file any more, so that nothing is replaced.
            std::future::pending::<()>().await;
        }
    }
}

impl fmt::Debug for ClientAuthority {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let certificates = self.roots.borrow().len();
        formatter.debug_struct("ClientAuthority").field("certificates", &certificates).finish()
    }
}

fn read_roots(text: &[u8]) -> Result<RootCertStore, CertificateError> {
    let mut roots = RootCertStore::empty();
    let certificates =
        read_certificates(text).map_err(|error| CertificateError::Authority(error.to_string()))?;
    for certificate in certificates {
        roots.add(certificate).map_err(|error| CertificateError::Authority(error.to_string()))?;
    }
    if roots.is_empty() {
        return Err(CertificateError::Authority("it has no CERTIFICATE section".to_owned()));
    }
    Ok(roots)
}

/// A PEM file with the CAs of clients, such as an entry of a mounted Secret. It was read once.
///
/// [`ClientAuthorityFile::follow`] reads it again and again. What a file contained last stays in
/// force while the file is missing or unusable: the port is neither opened to everybody nor closed
/// to the API server by a file that is just being written.
#[derive(Clone)]
pub struct ClientAuthorityFile {
    path: PathBuf,
    period: Duration,
    /// The content that is in use.
    content: Vec<u8>,
    roots: watch::Sender<Arc<RootCertStore>>,
}

/// Why a file with client CAs cannot be used.
#[derive(Debug, thiserror::Error)]
#[error(transparent)]
pub struct ClientAuthorityError(#[from] Unusable);

#[derive(Debug, thiserror::Error)]
enum Unusable {
    #[error(transparent)]
    File(#[from] FileError),
    #[error("{path} cannot be used: {source}", path = path.display())]
    Content { path: PathBuf, source: CertificateError },
}

impl ClientAuthorityFile {
    /// Reads the file.
    ///
    /// # Errors
    /// When it cannot be read, or as [`ClientAuthority::from_pem`].
    pub async fn open(path: impl Into<PathBuf>) -> Result<Self, ClientAuthorityError> {
        let path = path.into();
        let (content, roots) = load(&path).await?;
        let roots = watch::Sender::new(Arc::new(roots));
        Ok(Self { path, period: watched_file::PERIOD, content, roots })
    }

    /// The same, with this time between two reads. By default it is five seconds.
    #[must_use]
    pub fn with_period(self, period: Duration) -> Self {
        Self { period, ..self }
    }

    /// The CAs of the file, now and after each change that is found while it is followed.
    pub fn authority(&self) -> ClientAuthority {
        ClientAuthority { roots: self.roots.subscribe() }
    }

    /// Reads the file again and again. Must be called within a tokio runtime.
    pub fn follow(self) -> ClientAuthorityFollower {
        let period = self.period;
        let follower = Follower { file: self, last_problem: LastProblem::default() };
        ClientAuthorityFollower(Following::start(follower, period))
    }
}

impl fmt::Debug for ClientAuthorityFile {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("ClientAuthorityFile").field("path", &self.path).finish_non_exhaustive()
    }
}

/// Follows a file with client CAs. When this is dropped, following ends; the CAs stay.
#[derive(Debug)]
pub struct ClientAuthorityFollower(Following);

impl ClientAuthorityFollower {
    /// Ends following, and waits for the task to end.
    pub async fn shutdown(self) {
        self.0.shutdown().await;
    }
}

struct Follower {
    file: ClientAuthorityFile,
    last_problem: LastProblem,
}

impl Watched for Follower {
    async fn check(&mut self) {
        let file = &mut self.file;
        match load(&file.path).await {
            Ok((content, _)) if content == file.content => self.last_problem.clear(),
            Ok((content, roots)) => {
                self.last_problem.clear();
                tracing::info!(
                    file = %file.path.display(), certificates = roots.len(),
                    "the client CA was replaced"
                );
                file.content = content;
                file.roots.send_replace(Arc::new(roots));
            }
            Err(error) => {
                let problem = error.to_string();
                if self.last_problem.is_new(&problem) {
                    tracing::warn!("{problem}; the client CA before stays, and the file is read again");
                }
            }
        }
    }
}

async fn load(path: &Path) -> Result<(Vec<u8>, RootCertStore), Unusable> {
    let content = watched_file::read(path).await?;
    let roots = read_roots(&content).map_err(|source| Unusable::Content { path: path.to_owned(), source })?;
    Ok((content, roots))
}

#[cfg(test)]
mod tests {
    use super::super::test_pair::pair;
    use super::*;
    use orascache_telemetry::testing::CapturedLog;
    use std::fs;
    use tempfile::TempDir;

    const NAME: &str = "ca.crt";

    async fn open(folder: &TempDir, content: &str) -> (Follower, ClientAuthority) {
        let path = folder.path().join(NAME);
        fs::write(&path, content).unwrap();
        let file = ClientAuthorityFile::open(path).await.unwrap();
        let authority = file.authority();
        (Follower { file, last_problem: LastProblem::default() }, authority)
    }

    fn subjects(authority: &mut ClientAuthority) -> Vec<Vec<u8>> {
        authority.current().roots.iter().map(|root| root.subject_public_key_info.to_vec()).collect()
    }

    #[tokio::test]
    async fn the_client_ca_before_stays_while_the_file_is_unusable_and_each_problem_is_logged_once() {
        let folder = tempfile::tempdir().unwrap();
        let (old, new) = (pair().certificate, pair().certificate);
        let (mut follower, mut authority) = open(&folder, &old).await;
        let before = subjects(&mut authority);
        let log = CapturedLog::default();
        let _guard = tracing::subscriber::set_default(log.clone());
        let path = folder.path().join(NAME);
        let half = &new[..new.len() / 2];
        for (number, content) in [Some(""), Some("garbage"), Some(half), None].into_iter().enumerate() {
            match content {
                Some(content) => fs::write(&path, content).unwrap(),
                None => fs::remove_file(&path).unwrap(),
            }
            follower.check().await;
            follower.check().await;
            assert_eq!(subjects(&mut authority), before);
            // An empty file and one without PEM are the same problem.
            assert_eq!(log.warnings().len(), number.max(1), "{:?}", log.warnings());
        }
        assert!(log.warnings().iter().all(|text| text.contains("the client CA before stays")));
        fs::write(&path, &new).unwrap();
        follower.check().await;
        assert_ne!(subjects(&mut authority), before);
        assert_eq!(log.warnings().len(), 3);
    }

    #[tokio::test]
    async fn a_file_that_did_not_change_replaces_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let (mut follower, mut authority) = open(&folder, &pair().certificate).await;
        authority.current();
        follower.check().await;
        assert!(!authority.roots.has_changed().unwrap());
    }

    #[tokio::test]
    async fn a_file_that_cannot_be_used_at_the_start_is_an_error_that_names_it() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join(NAME);
        let missing = ClientAuthorityFile::open(&path).await.unwrap_err().to_string();
        assert!(missing.contains(NAME) && missing.contains("cannot be read"), "{missing}");
        fs::write(&path, "garbage").unwrap();
        let unusable = ClientAuthorityFile::open(&path).await.unwrap_err().to_string();
        assert!(unusable.contains(NAME) && unusable.contains("no CERTIFICATE section"), "{unusable}");
    }
}
