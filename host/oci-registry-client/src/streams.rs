//! Bridges between requests, which are asynchronous, and files and archives, which block.

use std::io::{self, Read};
use std::pin::Pin;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll};

use bytes::{Buf, Bytes, BytesMut};
use hyper::body::{Body as HttpBody, Frame, SizeHint};
use tokio::sync::mpsc;

use crate::error::Error;

/// Largest number of pieces that wait between the two sides. With [`PIECE`] this bounds memory.
const PIECES: usize = 16;
/// Size of a piece that is read from a file, in bytes. Larger pieces are slower, since allocators
/// map and unmap memory for them.
const PIECE: usize = 64 * 1024;

enum Item {
    Bytes(Bytes),
    End,
}

/// The side of a [`channel`] that [`Client::pull_blob`](crate::Client::pull_blob) writes to.
pub struct Sender(mpsc::Sender<Item>);

impl Sender {
    pub(crate) async fn send(&self, bytes: Bytes) -> Result<(), Error> {
        self.0.send(Item::Bytes(bytes)).await.map_err(|_| Error::Stopped)
    }

    pub(crate) async fn end(&self) -> Result<(), Error> {
        self.0.send(Item::End).await.map_err(|_| Error::Stopped)
    }
}

/// The side of a [`channel`] that is read on a thread that may block. The end is reached without an
/// error only when the sender has sent everything; a sender that was dropped before is an error of
/// kind `ConnectionAborted`.
pub struct ChannelReader {
    from: mpsc::Receiver<Item>,
    current: Bytes,
    ended: bool,
}

/// A bounded channel from a transfer to a reader.
///
/// ```
/// let (sender, mut reader) = oci_registry_client::channel();
/// drop(sender);
/// let error = std::io::Read::read(&mut reader, &mut [0]).unwrap_err();
/// assert_eq!(error.kind(), std::io::ErrorKind::ConnectionAborted);
/// ```
pub fn channel() -> (Sender, ChannelReader) {
    let (sender, from) = mpsc::channel(PIECES);
    (Sender(sender), ChannelReader { from, current: Bytes::new(), ended: false })
}

impl Read for ChannelReader {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        while self.current.is_empty() && !self.ended {
            match self.from.blocking_recv() {
                Some(Item::Bytes(bytes)) => self.current = bytes,
                Some(Item::End) => self.ended = true,
                None => return Err(io::Error::new(io::ErrorKind::ConnectionAborted, "the transfer was cut")),
            }
        }
        let count = buffer.len().min(self.current.len());
        if let Some(target) = buffer.get_mut(..count) {
            self.current.copy_to_slice(target);
        }
        Ok(count)
    }
}

/// How many bytes of a body were sent, and why its source failed.
#[derive(Clone, Default)]
pub(crate) struct BodyProgress {
    sent: Arc<AtomicU64>,
    failure: Arc<Mutex<Option<io::Error>>>,
}

impl BodyProgress {
    pub(crate) fn sent(&self) -> u64 {
        self.sent.load(Ordering::Relaxed)
    }

    pub(crate) fn failure(&self) -> Option<io::Error> {
        self.failure.lock().unwrap_or_else(std::sync::PoisonError::into_inner).take()
    }

    fn fail(&self, error: io::Error) -> io::Error {
        let copy = io::Error::new(error.kind(), error.to_string());
        *self.failure.lock().unwrap_or_else(std::sync::PoisonError::into_inner) = Some(error);
        copy
    }
}

/// A request body of known length. A blocking reader fills it, on a thread of its own.
pub struct ReaderBody {
    from: mpsc::Receiver<io::Result<Bytes>>,
    left: u64,
    progress: BodyProgress,
}

impl ReaderBody {
    /// Starts the thread that reads. It needs a Tokio runtime, and ends when the body is dropped.
    pub(crate) fn start(mut reader: Box<dyn Read + Send>, length: u64, progress: BodyProgress) -> Self {
        let (to, from) = mpsc::channel(PIECES);
        tokio::task::spawn_blocking(move || {
            loop {
                let mut piece = BytesMut::zeroed(PIECE);
                let item = match fill(reader.as_mut(), &mut piece) {
                    Ok(0) => break,
                    Ok(count) => {
                        piece.truncate(count);
                        Ok(piece.freeze())
                    }
                    Err(error) => Err(error),
                };
                let is_last = item.is_err();
                if to.blocking_send(item).is_err() || is_last {
                    break;
                }
            }
        });
        ReaderBody { from, left: length, progress }
    }
}

/// Reads until the buffer is full or the content ends.
fn fill(reader: &mut dyn Read, buffer: &mut [u8]) -> io::Result<usize> {
    let mut filled = 0;
    while let Some(rest) = buffer.get_mut(filled..).filter(|rest| !rest.is_empty()) {
        match reader.read(rest) {
            Ok(0) => break,
            Ok(count) => filled += count,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(filled)
}

impl HttpBody for ReaderBody {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<io::Result<Frame<Bytes>>>> {
        match self.from.poll_recv(cx) {
            Poll::Pending => Poll::Pending,
            Poll::Ready(Some(Ok(bytes))) => {
                let count = bytes.len() as u64;
                if count > self.left {
                    let error = io::Error::other("the content grew while it was sent");
                    return Poll::Ready(Some(Err(self.progress.fail(error))));
                }
                self.left -= count;
                self.progress.sent.fetch_add(count, Ordering::Relaxed);
                Poll::Ready(Some(Ok(Frame::data(bytes))))
            }
            Poll::Ready(Some(Err(error))) => Poll::Ready(Some(Err(self.progress.fail(error)))),
            Poll::Ready(None) if self.left > 0 => {
                self.left = 0;
                let error = io::Error::other("the content shrank while it was sent");
                Poll::Ready(Some(Err(self.progress.fail(error))))
            }
            Poll::Ready(None) => Poll::Ready(None),
        }
    }

    fn is_end_stream(&self) -> bool {
        self.left == 0
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.left)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use http_body_util::BodyExt;

    #[tokio::test]
    async fn a_reader_whose_sender_was_dropped_fails() {
        for is_whole in [true, false] {
            let (sender, mut reader) = channel();
            let read = tokio::task::spawn_blocking(move || {
                let mut text = String::new();
                reader.read_to_string(&mut text).map(|_| text)
            });
            sender.send(Bytes::from_static(b"one ")).await.unwrap();
            sender.send(Bytes::from_static(b"two")).await.unwrap();
            if is_whole {
                sender.end().await.unwrap();
            }
            drop(sender);
            let read = read.await.unwrap();
            if is_whole {
                assert_eq!(read.unwrap(), "one two");
            } else {
                assert_eq!(read.unwrap_err().kind(), io::ErrorKind::ConnectionAborted);
            }
        }
    }

    #[tokio::test]
    async fn a_body_of_another_length_fails() {
        let content = vec![7_u8; 3 * PIECE + 5];
        for (length, sentence) in [
            (content.len() as u64, ""),
            (content.len() as u64 - 1, "grew while it was sent"),
            (content.len() as u64 + 1, "shrank while it was sent"),
        ] {
            let progress = BodyProgress::default();
            let body =
                ReaderBody::start(Box::new(io::Cursor::new(content.clone())), length, progress.clone());
            let collected = body.collect().await;
            if sentence.is_empty() {
                assert_eq!(collected.unwrap().to_bytes(), content);
                assert_eq!(progress.sent(), length);
            } else {
                assert!(collected.is_err());
                assert!(progress.failure().unwrap().to_string().contains(sentence));
            }
        }
    }
}
