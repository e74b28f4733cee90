//! Copies the standard output of the command to the standard output of the agent and to a file.

use crate::log::Log;
use nix::unistd::close;
use rustix::event::{PollFd, PollFlags, poll};
use rustix::io::ioctl_fionread;
use std::fmt::Display;
use std::fs::{File, create_dir_all};
use std::io::{self, ErrorKind, PipeReader, PipeWriter, Read, Write, pipe};
use std::os::fd::AsFd;
use std::path::{Path, PathBuf};
use std::thread::{Builder, JoinHandle};

/// Capacity of a pipe, in bytes (pipe(7), "Pipe capacity").
const CHUNK: usize = 65536;

/// A tee before the start of the command.
#[derive(Debug)]
pub struct Tee {
    source: PipeReader,
    sinks: Sinks,
}

/// A tee that copies, on a thread of its own.
#[derive(Debug)]
pub struct RunningTee {
    /// A writing end of the pipe. It is closed when the command has ended.
    command: PipeWriter,
    thread: JoinHandle<Sinks>,
}

impl Tee {
    /// Creates the file, or empties it. Missing directories are created. Also returns the pipe that
    /// the command writes to.
    ///
    /// # Errors
    /// A sentence.
    pub fn open(path: &Path, log: Log) -> Result<(Self, PipeWriter), String> {
        let failed = |error: io::Error| {
            format!("cannot write the standard output of the command to {}: {error}", path.display())
        };
        if let Some(parent) = path.parent().filter(|parent| !parent.as_os_str().is_empty()) {
            create_dir_all(parent).map_err(failed)?;
        }
        let file = File::create(path).map_err(failed)?;
        let stdout = File::from(io::stdout().as_fd().try_clone_to_owned().map_err(failed)?);
        let (source, writer) = pipe().map_err(failed)?;
        let sinks =
            Sinks { path: path.to_owned(), file: Some(file), stdout: Some(stdout), failure: None, log };
        Ok((Tee { source, sinks }, writer))
    }

    /// Starts to copy.
    ///
    /// # Errors
    /// A sentence.
    pub fn start(self) -> Result<RunningTee, String> {
        let failed = |error: io::Error| format!("cannot copy the standard output of the command: {error}");
        let (end, command) = pipe().map_err(failed)?;
        let thread = Builder::new().name("tee".to_owned()).spawn(move || self.copy(&end)).map_err(failed)?;
        Ok(RunningTee { command, thread })
    }

    /// Copies everything that is written before the other end of `end` is closed.
    fn copy(mut self, end: &PipeReader) -> Sinks {
        if let Err(error) = copy(&mut self.source, end, &mut self.sinks) {
            self.sinks.fail(error);
        }
        self.sinks
    }
}

impl RunningTee {
    /// Waits until everything that was written so far is copied. Other processes may keep the pipe
    /// open.
    ///
    /// # Errors
    /// A sentence, if the file is not complete.
    pub fn finish(self) -> Result<(), String> {
        drop(self.command);
        match self.thread.join() {
            Ok(sinks) => sinks.close(),
            Err(_) => Err("the standard output of the command could not be copied to its end".to_owned()),
        }
    }
}

fn copy(source: &mut PipeReader, end: &PipeReader, sinks: &mut Sinks) -> io::Result<()> {
    let mut buffer = vec![0; CHUNK];
    loop {
        let mut watched = [PollFd::new(&*source, PollFlags::IN), PollFd::new(end, PollFlags::IN)];
        match poll(&mut watched, None) {
            Ok(_) | Err(rustix::io::Errno::INTR) => {}
            Err(error) => return Err(error.into()),
        }
        let [_, ended] = watched.map(|watched| !watched.revents().is_empty());
        // This is checked first: a process that never stops writing must not keep this thread busy.
        if ended {
            return drain(source, &mut buffer, sinks);
        }
        let length = read(source, &mut buffer)?;
        let chunk = buffer.get(..length).unwrap_or_default();
        if chunk.is_empty() {
            return Ok(());
        }
        sinks.write(chunk);
        // When standard output is closed, the pipe is closed too, so that the command notices. Its
        // output up to then must not be lost.
        if sinks.stdout.is_none() {
            return drain(source, &mut buffer, sinks);
        }
    }
}

/// Copies the current content of the pipe.
fn drain(source: &mut PipeReader, buffer: &mut [u8], sinks: &mut Sinks) -> io::Result<()> {
    let mut left = usize::try_from(ioctl_fionread(&*source)?).unwrap_or(usize::MAX);
    while left > 0 {
        let most = left.min(buffer.len());
        let length = read(source, buffer.get_mut(..most).unwrap_or_default())?;
        if length == 0 {
            break;
        }
        sinks.write(buffer.get(..length).unwrap_or_default());
        left -= length;
    }
    Ok(())
}

fn read(source: &mut PipeReader, buffer: &mut [u8]) -> io::Result<usize> {
    loop {
        match source.read(buffer) {
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            other => return other,
        }
    }
}

/// The destinations of the output. One that fails is not written to again.
#[derive(Debug)]
struct Sinks {
    path: PathBuf,
    file: Option<File>,
    stdout: Option<File>,
    /// Why the file is not complete.
    failure: Option<String>,
    log: Log,
}

impl Sinks {
    fn write(&mut self, chunk: &[u8]) {
        if let Some(file) = &mut self.file
            && let Err(error) = file.write_all(chunk)
        {
            self.fail(error);
        }
        if let Some(stdout) = &mut self.stdout
            && let Err(error) = write_all(stdout, chunk)
        {
            self.stdout = None;
            self.log.debug(format_args!("standard output is closed: {error}"));
        }
    }

    fn fail(&mut self, error: impl Display) {
        self.file = None;
        let path = self.path.display();
        let sentence =
            format!("the standard output of the command could not be written to {path} to its end: {error}");
        self.failure.get_or_insert(sentence);
    }

    /// Closes the file. Some file systems report a full disk only then.
    fn close(mut self) -> Result<(), String> {
        if let Some(file) = self.file.take()
            && let Err(error) = close(file)
        {
            self.fail(error);
        }
        self.failure.map_or(Ok(()), Err)
    }
}

/// As [`Write::write_all`], but waits where another process has made the standard output
/// non-blocking.
fn write_all(stdout: &mut File, mut chunk: &[u8]) -> io::Result<()> {
    while !chunk.is_empty() {
        match stdout.write(chunk) {
            Ok(0) => return Err(ErrorKind::WriteZero.into()),
            Ok(length) => chunk = chunk.get(length..).unwrap_or_default(),
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) if error.kind() == ErrorKind::WouldBlock => {
                poll(&mut [PollFd::new(&*stdout, PollFlags::OUT)], None)?;
            }
            Err(error) => return Err(error),
        }
    }
    Ok(())
}
