//! Reads a log as `pods/NAME/log` returns it.

use std::sync::Arc;

use bytes::{BufMut, Bytes, BytesMut};
use futures::StreamExt;
use futures::stream::{self, BoxStream};
use jiff::Timestamp;
use tokio::sync::watch;

use super::lines::{Line, Log, OutputStream};
use crate::cluster::stopped;

/// How many lines are sent at a time.
const AT_ONCE: usize = 256;

/// What a client wants of a log (core/v1 `PodLogOptions`).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LogOptions {
    /// Whether later lines are sent as they come, until the container ends.
    pub follow: bool,
    /// How many of the lines that exist are considered, counted from the end.
    pub tail: Option<u64>,
    /// Lines that are older are left out.
    pub since: Option<Timestamp>,
    /// Whether each line begins with its time.
    pub timestamps: bool,
    /// After so many bytes the answer ends.
    pub limit: Option<u64>,
    /// Only lines of this stream.
    pub stream: Option<OutputStream>,
}

struct Reading {
    log: Arc<Log>,
    options: LogOptions,
    next: u64,
    changed: watch::Receiver<u64>,
    stop: watch::Receiver<bool>,
    ended: bool,
}

/// The content of a log. `stop` becomes true when the server stops.
pub fn read(
    log: Arc<Log>,
    options: LogOptions,
    stop: watch::Receiver<bool>,
) -> BoxStream<'static, std::io::Result<Bytes>> {
    let next = options.tail.map_or(0, |lines| log.before_end(lines));
    let changed = log.subscribe();
    let reading = Reading { log, options, next, changed, stop, ended: false };
    let chunks = stream::unfold(reading, |mut reading| async move {
        let chunk = reading.chunk().await?;
        Some((Ok(chunk), reading))
    });
    chunks.boxed()
}

impl Reading {
    /// The next lines; `None` at the end.
    async fn chunk(&mut self) -> Option<Bytes> {
        while !self.ended {
            self.changed.mark_unchanged();
            let (lines, next, is_last) = self.log.from(self.next, AT_ONCE);
            self.next = next;
            let is_empty = lines.is_empty();
            self.ended = is_last || (is_empty && !self.options.follow);
            let chunk = self.format(&lines);
            if !chunk.is_empty() {
                return Some(chunk);
            }
            if is_empty && !self.ended {
                tokio::select! {
                    changed = self.changed.changed() => self.ended = changed.is_err(),
                    () = stopped(&mut self.stop) => self.ended = true,
                }
            }
        }
        None
    }

    fn format(&mut self, lines: &[Line]) -> Bytes {
        let mut text = BytesMut::new();
        for line in lines {
            let is_old = self.options.since.is_some_and(|since| line.time < since);
            if is_old || self.options.stream.is_some_and(|stream| line.stream != stream) {
                continue;
            }
            if self.options.timestamps {
                text.put_slice(format!("{:.9} ", line.time).as_bytes());
            }
            text.put_slice(&line.text);
        }
        if let Some(left) = self.options.limit {
            text.truncate(usize::try_from(left).unwrap_or(usize::MAX));
            let left = left.saturating_sub(text.len() as u64);
            self.options.limit = Some(left);
            self.ended |= left == 0;
        }
        text.freeze()
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use futures::StreamExt;
    use tokio::sync::watch;

    use super::{LogOptions, read};
    use crate::logs::lines::{Log, OutputStream};

    async fn all(log: &Arc<Log>, options: LogOptions) -> String {
        let (_stop, stopping) = watch::channel(false);
        let chunks: Vec<_> = read(log.clone(), options, stopping).collect().await;
        chunks.into_iter().map(|chunk| String::from_utf8_lossy(&chunk.unwrap()).into_owned()).collect()
    }

    #[tokio::test]
    async fn options_choose_lines() {
        let log = Arc::new(Log::default());
        log.write(OutputStream::Stdout, b"one\ntwo\n");
        log.write(OutputStream::Stderr, b"three\n");
        let options = LogOptions::default;
        assert_eq!(all(&log, options()).await, "one\ntwo\nthree\n");
        assert_eq!(all(&log, LogOptions { tail: Some(2), ..options() }).await, "two\nthree\n");
        assert_eq!(all(&log, LogOptions { tail: Some(0), ..options() }).await, "");
        assert_eq!(all(&log, LogOptions { limit: Some(5), ..options() }).await, "one\nt");
        let stderr = LogOptions { stream: Some(OutputStream::Stderr), timestamps: true, ..options() };
        let line = all(&log, stderr).await;
        let (time, text) = line.split_once(' ').unwrap();
        assert!(time.ends_with('Z') && time.len() == "2026-01-01T00:00:00.123456789Z".len(), "{line}");
        assert_eq!(text, "three\n");
        let later = "9999-01-01T00:00:00Z".parse().unwrap();
        assert_eq!(all(&log, LogOptions { since: Some(later), ..options() }).await, "");
    }

    #[tokio::test]
    async fn following_ends_with_the_log() {
        let log = Arc::new(Log::default());
        log.write(OutputStream::Stdout, b"one\n");
        let (_stop, stopping) = watch::channel(false);
        let follow = LogOptions { follow: true, ..LogOptions::default() };
        let mut chunks = read(log.clone(), follow, stopping);
        assert_eq!(chunks.next().await.unwrap().unwrap(), "one\n");
        let next = tokio::spawn(async move { (chunks.next().await, chunks) });
        log.write(OutputStream::Stdout, b"two\n");
        let (chunk, mut chunks) = next.await.unwrap();
        assert_eq!(chunk.unwrap().unwrap(), "two\n");
        log.close();
        assert!(chunks.next().await.is_none());
    }

    #[tokio::test]
    async fn following_ends_with_the_server() {
        let (stop, stopping) = watch::channel(false);
        let follow = LogOptions { follow: true, ..LogOptions::default() };
        let mut chunks = read(Arc::new(Log::default()), follow, stopping);
        stop.send_replace(true);
        assert!(chunks.next().await.is_none());
    }
}
