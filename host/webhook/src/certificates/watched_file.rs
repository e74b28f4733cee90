//! Reads files that another program replaces, such as the entries of a mounted Secret.
//!
//! Contents are compared, since the kubelet replaces a symbolic link above the files, and not every
//! file system reports that.

use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;
use tokio::io::AsyncReadExt;
use tokio::task::JoinHandle;
use tokio_util::sync::{CancellationToken, DropGuard};

/// Largest file that is read. A Secret holds at most 1 MiB.
pub(super) const FILE_BYTES: u64 = 1 << 20;
/// Time between two reads of a file.
pub(super) const PERIOD: Duration = Duration::from_secs(5);

/// Why a file cannot be read.
#[derive(Debug, thiserror::Error)]
pub(super) enum FileError {
    #[error("{path} cannot be read: {source}", path = path.display())]
    Read { path: PathBuf, source: io::Error },
    #[error(
        "{path} is larger than {FILE_BYTES} bytes; write PEM certificates, or one PEM key",
        path = path.display()
    )]
    TooLarge { path: PathBuf },
}

/// Reads a file.
pub(super) async fn read(path: &Path) -> Result<Vec<u8>, FileError> {
    let failed = |source| FileError::Read { path: path.to_owned(), source };
    let mut content = Vec::new();
    let file = tokio::fs::File::open(path).await.map_err(failed)?;
    file.take(FILE_BYTES + 1).read_to_end(&mut content).await.map_err(failed)?;
    if content.len() as u64 > FILE_BYTES {
        return Err(FileError::TooLarge { path: path.to_owned() });
    }
    Ok(content)
}

/// What is read again and again.
pub(super) trait Watched: Send + 'static {
    /// Reads it once.
    fn check(&mut self) -> impl Future<Output = ()> + Send;
}

/// Reads after each period, until it is dropped.
#[derive(Debug)]
pub(super) struct Following {
    stop: DropGuard,
    task: JoinHandle<()>,
}

impl Following {
    pub(super) fn start(mut watched: impl Watched, period: Duration) -> Self {
        let stop = CancellationToken::new();
        let stopped = stop.clone();
        let task = tokio::spawn(async move {
            loop {
                tokio::select! {
                    () = stopped.cancelled() => return,
                    () = tokio::time::sleep(period) => watched.check().await,
                }
            }
        });
        Self { stop: stop.drop_guard(), task }
    }

    /// Waits until nothing is read any more.
    pub(super) async fn shutdown(self) {
        drop(self.stop);
        // The only error is a panic, which was reported where it happened.
        let _ = self.task.await;
    }
}

/// The problem that was logged last, so that a lasting one is logged once.
#[derive(Debug, Default)]
pub(super) struct LastProblem(String);

impl LastProblem {
    /// Whether a problem has not been logged yet.
    pub(super) fn is_new(&mut self, problem: &str) -> bool {
        let is_new = self.0 != problem;
        if is_new {
            problem.clone_into(&mut self.0);
        }
        is_new
    }

    /// The problem is over.
    pub(super) fn clear(&mut self) {
        self.0.clear();
    }
}
