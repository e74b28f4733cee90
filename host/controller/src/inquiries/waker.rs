//! Early looks: somebody says that artifacts changed.
//!
//! Whoever says so is not believed: the only effect is an early look, and
//! [`Pace::early`](super::Pace::early) says how early. What is reported faster than it is followed
//! is dropped.

use super::Inner;
use std::collections::HashSet;
use std::sync::Weak;
use std::time::Duration;
use tokio::sync::mpsc;
use tokio::time::sleep;

/// Most reports that wait.
const MOST: usize = 1_000;

/// Has registries asked early about artifacts of some repositories. Clones do the same.
#[derive(Clone, Debug)]
pub struct Waker(mpsc::Sender<String>);

impl Waker {
    pub(super) fn start(inquiries: Weak<Inner>, every: Duration) -> Self {
        let (reports, reported) = mpsc::channel(MOST);
        tokio::spawn(follow(reported, inquiries, every));
        Self(reports)
    }

    /// Has the questions about artifacts of this repository asked soon, in whatever registry it is.
    pub fn wake(&self, repository: &str) {
        // A full channel and a controller that has ended need no report.
        let _ = self.0.try_send(repository.to_owned());
    }
}

/// Ends with the last waker, or with the controller.
async fn follow(mut reported: mpsc::Receiver<String>, inquiries: Weak<Inner>, every: Duration) {
    while let Some(first) = reported.recv().await {
        let mut repositories = HashSet::from([first]);
        while let Ok(repository) = reported.try_recv() {
            repositories.insert(repository);
        }
        let Some(inquiries) = inquiries.upgrade() else { return };
        inquiries.wake(&repositories);
        drop(inquiries);
        sleep(every).await;
    }
}
