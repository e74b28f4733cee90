//! Logs of containers, in memory. Whoever runs containers writes them; `pods/NAME/log` reads them.

mod lines;
mod read;

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use lines::Log;
pub use lines::OutputStream;
pub use read::{LogOptions, read};

/// The logs of all containers. Clones share them.
///
/// Each container has the log of its current run and that of the run before, with the last 4 MiB of
/// each.
///
/// ```
/// use fake_kube_server::{Logs, OutputStream};
///
/// let logs = Logs::default();
/// let log = logs.begin("uid-of-the-pod", "app");
/// log.write(OutputStream::Stdout, b"one\ntwo\n");
/// assert_eq!(log.tail(1, 100), "two\n");
/// ```
#[derive(Clone, Default)]
pub struct Logs(Arc<Mutex<HashMap<String, PodLogs>>>);

/// The logs of a pod's containers, by name.
type PodLogs = HashMap<String, ContainerLogs>;

struct ContainerLogs {
    current: Arc<Log>,
    previous: Option<Arc<Log>>,
}

impl Logs {
    fn pods(&self) -> MutexGuard<'_, HashMap<String, PodLogs>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Begins the log of another run of a container. The log of the run before becomes the previous
    /// one.
    pub fn begin(&self, pod_uid: &str, container: &str) -> LogWriter {
        let log = Arc::new(Log::default());
        let mut pods = self.pods();
        let containers = pods.entry(pod_uid.to_owned()).or_default();
        let previous = containers.remove(container).map(|logs| logs.current);
        containers.insert(container.to_owned(), ContainerLogs { current: log.clone(), previous });
        LogWriter(log)
    }

    /// Forgets the logs of a pod.
    pub fn remove(&self, pod_uid: &str) {
        self.pods().remove(pod_uid);
    }

    /// The log of the current run of a container, or of the run before.
    pub(crate) fn find(&self, pod_uid: &str, container: &str, previous: bool) -> Option<Arc<Log>> {
        let pods = self.pods();
        let logs = pods.get(pod_uid)?.get(container)?;
        if previous { logs.previous.clone() } else { Some(logs.current.clone()) }
    }
}

/// Writes the log of one run of a container. Dropping it ends the log, so that those who follow it
/// stop.
pub struct LogWriter(Arc<Log>);

impl LogWriter {
    /// Appends output. Lines get the time at which they are complete.
    pub fn write(&self, stream: OutputStream, bytes: &[u8]) {
        self.0.write(stream, bytes);
    }

    /// The last lines, at most so many and at most so many bytes.
    pub fn tail(&self, lines: usize, bytes: usize) -> String {
        self.0.tail(lines, bytes)
    }
}

impl Drop for LogWriter {
    fn drop(&mut self) {
        self.0.close();
    }
}

#[cfg(test)]
mod tests {
    use super::{Logs, OutputStream};

    #[test]
    fn another_run_keeps_the_log_of_the_run_before() {
        let logs = Logs::default();
        let first = logs.begin("1", "c");
        assert!(logs.find("1", "c", true).is_none());
        first.write(OutputStream::Stdout, b"first\n");
        drop(first);
        logs.begin("1", "c").write(OutputStream::Stdout, b"second\n");
        let tail = |previous| logs.find("1", "c", previous).map(|log| log.tail(9, 99));
        assert_eq!((tail(true).as_deref(), tail(false).as_deref()), (Some("first\n"), Some("second\n")));
        logs.remove("1");
        assert!(logs.find("1", "c", false).is_none());
    }
}
