//! The socket on standard input, and its lines.

use rustix::fs::{Mode, OFlags};
use serde::Serialize;
use serde::de::DeserializeOwned;
use std::io::{self, Read, Write};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::net::UnixStream;

/// A socket with one JSON document a line.
pub(super) struct Socket {
    stream: UnixStream,
    buffer: Vec<u8>,
}

impl Socket {
    pub(super) fn new(stream: UnixStream) -> Self {
        Socket { stream, buffer: Vec::new() }
    }

    /// Takes the socket from standard input, which becomes `/dev/null`. Programs that this one
    /// starts do not get the socket.
    pub(super) fn from_standard_input() -> io::Result<Self> {
        let stream = UnixStream::from(io::stdin().as_fd().try_clone_to_owned()?);
        let null = rustix::fs::open("/dev/null", OFlags::RDONLY | OFlags::CLOEXEC, Mode::empty())?;
        rustix::stdio::dup2_stdin(null)?;
        Ok(Socket::new(stream))
    }

    /// Sends a document. An error means that the other side has ended, which is noticed by reading.
    pub(super) fn send(&self, document: &impl Serialize) {
        if let Ok(mut line) = serde_json::to_vec(document) {
            line.push(b'\n');
            let _ = (&self.stream).write_all(&line);
        }
    }

    /// Waits for a document; `None` when the other side has ended.
    pub(super) fn receive<T: DeserializeOwned>(&mut self) -> io::Result<Option<T>> {
        loop {
            if let Some(document) = self.buffered()? {
                return Ok(Some(document));
            }
            if self.fill()? == 0 {
                return Ok(None);
            }
        }
    }

    /// Reads what has arrived, and returns the number of bytes. None means that the other side has
    /// ended.
    pub(super) fn fill(&mut self) -> io::Result<usize> {
        let mut bytes = [0; 4096];
        let count = self.stream.read(&mut bytes)?;
        self.buffer.extend(bytes.iter().take(count));
        Ok(count)
    }

    /// The next document among those that have arrived.
    pub(super) fn buffered<T: DeserializeOwned>(&mut self) -> io::Result<Option<T>> {
        let Some(end) = self.buffer.iter().position(|byte| *byte == b'\n') else { return Ok(None) };
        let line: Vec<u8> = self.buffer.drain(..=end).collect();
        Ok(Some(serde_json::from_slice(&line)?))
    }

    /// A socket for a program that this one starts, as its standard input.
    pub(super) fn pair() -> io::Result<(Self, OwnedFd)> {
        let (ours, theirs) = UnixStream::pair()?;
        Ok((Socket::new(ours), theirs.into()))
    }
}

impl AsFd for Socket {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.stream.as_fd()
    }
}
