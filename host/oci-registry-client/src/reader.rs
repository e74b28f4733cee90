//! Between requests, which are asynchronous, and files and archives, which are not.

use std::io::{self, Read};
use std::pin::Pin;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll};

use bytes::{Buf, Bytes, BytesMut};
use hyper::body::{Body as HttpBody, Frame, SizeHint};
use tokio::sync::mpsc;

use crate::error::Error;

/// Pieces on the way between the two sides. With [`PIECE`] this bounds memory.
const PIECES: usize = 16;
/// Size of a piece that is read from a file. Larger ones are slower: allocators map and unmap them.
const PIECE: usize = 64 * 1024;

enum Item {
    Bytes(Bytes),
    End,
}

/// Where [`super::Client::pull_blob`] puts what it gets.
pub struct Sender(mpsc::Sender<Item>);

impl Sender {
    pub(crate) async fn send(&self, bytes: Bytes) -> Result<(), Error> {
        self.0.send(Item::Bytes(bytes)).await.map_err(|_| Error::Stopped)
    }

    pub(crate) async fn end(&self) -> Result<(), Error> {
        self.0.send(Item::End).await.map_err(|_| Error::Stopped)
    }
}

/// Reads, on a thread that may block, what is sent on the other side. Ends well only when the sender said that it ended.
pub struct ChannelReader {
    from: mpsc::Receiver<Item>,
    current: Bytes,
    ended: bool,
}

/// A bounded channel from a transfer to a reader.
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

/// How far a body was taken, and why its source failed.
#[derive(Clone, Default)]
pub(crate) struct Watch {
    taken: Arc<AtomicU64>,
    failure: Arc<Mutex<Option<io::Error>>>,
}

impl Watch {
    pub(crate) fn taken(&self) -> u64 {
        self.taken.load(Ordering::Relaxed)
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

/// A request body of known length that a blocking reader fills, on a thread of its own.
pub struct BodyOf {
    from: mpsc::Receiver<io::Result<Bytes>>,
    left: u64,
    watch: Watch,
}

impl BodyOf {
    /// Starts to read. Needs a Tokio runtime; dropping the body ends the thread.
    pub(crate) fn start(mut reader: Box<dyn Read + Send>, length: u64, watch: Watch) -> Self {
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
        BodyOf { from, left: length, watch }
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

impl HttpBody for BodyOf {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<io::Result<Frame<Bytes>>>> {
        match self.from.poll_recv(cx) {
            Poll::Pending => Poll::Pending,
            Poll::Ready(Some(Ok(bytes))) => {
                let count = bytes.len() as u64;
                if count > self.left {
                    let error = io::Error::other("the content grew while it was sent");
                    return Poll::Ready(Some(Err(self.watch.fail(error))));
                }
                self.left -= count;
                self.watch.taken.fetch_add(count, Ordering::Relaxed);
                Poll::Ready(Some(Ok(Frame::data(bytes))))
            }
            Poll::Ready(Some(Err(error))) => Poll::Ready(Some(Err(self.watch.fail(error)))),
            Poll::Ready(None) if self.left > 0 => {
                self.left = 0;
                let error = io::Error::other("the content shrank while it was sent");
                Poll::Ready(Some(Err(self.watch.fail(error))))
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
    async fn a_reader_ends_well_only_when_told_so() {
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
    async fn a_body_has_its_length_or_fails() {
        let content = vec![7_u8; 3 * PIECE + 5];
        for (length, sentence) in [
            (content.len() as u64, ""),
            (content.len() as u64 - 1, "grew while it was sent"),
            (content.len() as u64 + 1, "shrank while it was sent"),
        ] {
            let watch = Watch::default();
            let body = BodyOf::start(Box::new(io::Cursor::new(content.clone())), length, watch.clone());
            let collected = body.collect().await;
            if sentence.is_empty() {
                assert_eq!(collected.unwrap().to_bytes(), content);
                assert_eq!(watch.taken(), length);
            } else {
                assert!(collected.is_err());
                assert!(watch.failure().unwrap().to_string().contains(sentence));
            }
        }
    }
}
