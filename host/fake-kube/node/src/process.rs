//! A command that the helper runs.

use crate::messages::{Ending, Launch, Report, Request, StartFailure, Visit};
use fake_kube::{LogWriter, OutputStream};
use serde::Serialize;
use std::ffi::OsString;
use std::io;
use std::os::fd::OwnedFd;
use std::process::Stdio;
use std::sync::Arc;
use tokio::io::{AsyncBufReadExt, AsyncRead, AsyncReadExt, AsyncWriteExt, BufReader, Lines};
use tokio::net::UnixStream;
use tokio::net::unix::{OwnedReadHalf, OwnedWriteHalf};
use tokio::process::Command;
use tokio::sync::oneshot;
use tokio_util::task::TaskTracker;
use tokio_util::task::task_tracker::TrackedFuture;

/// How the helpers of a pod are started.
pub(crate) struct Helper {
    command: Vec<OsString>,
    /// Those that have not ended, and what may start more of them.
    running: TaskTracker,
}

/// A command that runs. Dropping it kills the command and everything that it has started.
pub(crate) struct Process {
    /// The helper ends the command when this is closed.
    control: OwnedWriteHalf,
    id: i32,
    ending: oneshot::Receiver<Ending>,
}

impl Helper {
    pub(crate) fn new(command: Vec<OsString>, running: TaskTracker) -> Self {
        Self { command, running }
    }

    /// Counts the future of a container among what has to end before the pod's folder is deleted: it
    /// may start a helper until it is dropped.
    pub(crate) fn track<F: Future>(&self, future: F) -> TrackedFuture<F> {
        self.running.track_future(future)
    }

    /// Starts a container, whose output goes to the log.
    pub(crate) async fn launch(&self, launch: &Launch, log: Arc<LogWriter>) -> Result<Process, StartFailure> {
        self.start("contain", launch, Some(log)).await
    }

    /// Runs a further command in a container. Its output is not kept.
    pub(crate) async fn visit(&self, visit: &Visit) -> Result<Process, StartFailure> {
        self.start("enter", visit, None).await
    }

    async fn start(
        &self,
        mode: &str,
        document: &impl Serialize,
        log: Option<Arc<LogWriter>>,
    ) -> Result<Process, StartFailure> {
        let broken =
            |error: io::Error| StartFailure::Container(format!("the helper cannot be used: {error}"));
        let (child, socket) = self.spawn(mode, log.is_some()).map_err(broken)?;
        let (reports, mut control) = socket.into_split();
        let mut line = serde_json::to_vec(document).map_err(|error| broken(error.into()))?;
        line.push(b'\n');
        let (end, ended) = oneshot::channel();
        let (start, started) = oneshot::channel();
        self.running.spawn(follow(child, BufReader::new(reports).lines(), log, start, end));
        // When the helper has ended already, its report says why.
        let _ = control.write_all(&line).await;
        match started.await {
            Ok(Ok(id)) => Ok(Process { control, id, ending: ended }),
            Ok(Err(failure)) => Err(failure),
            Err(_) => Err(broken(io::Error::other("it ended without a word"))),
        }
    }

    fn spawn(&self, mode: &str, has_output: bool) -> io::Result<(tokio::process::Child, UnixStream)> {
        let (ours, theirs) = std::os::unix::net::UnixStream::pair()?;
        ours.set_nonblocking(true)?;
        let (program, arguments) =
            self.command.split_first().ok_or_else(|| io::Error::other("no helper is named"))?;
        let output = || if has_output { Stdio::piped() } else { Stdio::null() };
        let child = Command::new(program)
            .args(arguments)
            .arg(mode)
            .env_clear()
            .stdin(Stdio::from(OwnedFd::from(theirs)))
            .stdout(output())
            .stderr(output())
            // Ctrl-C is for the node, which then stops its containers in order.
            .process_group(0)
            .spawn()?;
        Ok((child, UnixStream::from_std(ours)?))
    }
}

impl Process {
    /// The process ID of the command.
    pub(crate) fn id(&self) -> i32 {
        self.id
    }

    /// Sends a signal.
    pub(crate) async fn signal(&mut self, number: i32) {
        if let Ok(mut line) = serde_json::to_vec(&Request::Signal(number)) {
            line.push(b'\n');
            // When the helper has ended, so has the command.
            let _ = self.control.write_all(&line).await;
        }
    }

    /// Waits until the command has ended and all its output has been read.
    pub(crate) async fn ended(&mut self) -> Ending {
        // Without a report, somebody has killed the helper, and the kernel the command with it.
        (&mut self.ending).await.unwrap_or(Ending::Signal(9))
    }
}

/// Reads reports and output of a helper until it has ended.
async fn follow(
    mut child: tokio::process::Child,
    mut reports: Lines<BufReader<OwnedReadHalf>>,
    log: Option<Arc<LogWriter>>,
    start: oneshot::Sender<Result<i32, StartFailure>>,
    end: oneshot::Sender<Ending>,
) {
    let (stdout, stderr) = (child.stdout.take(), child.stderr.take());
    let report = async {
        let mut start = Some(start);
        let mut ending = None;
        while let Some(report) = next(&mut reports).await {
            match report {
                Report::Started(id) => {
                    let _ = start.take().map(|start| start.send(Ok(id)));
                }
                Report::Failed(failure) => {
                    let _ = start.take().map(|start| start.send(Err(failure)));
                }
                Report::Ended(how) => ending = Some(how),
            }
        }
        ending
    };
    let (ending, (), (), _) = tokio::join!(
        report,
        copy(stdout, log.as_deref(), OutputStream::Stdout),
        copy(stderr, log.as_deref(), OutputStream::Stderr),
        child.wait(),
    );
    drop(log);
    if let Some(ending) = ending {
        let _ = end.send(ending);
    }
}

async fn next(reports: &mut Lines<BufReader<OwnedReadHalf>>) -> Option<Report> {
    let line = reports.next_line().await.ok()??;
    serde_json::from_str(&line).ok()
}

/// Copies output to the log until its end.
async fn copy(output: Option<impl AsyncRead + Unpin>, log: Option<&LogWriter>, stream: OutputStream) {
    let (Some(mut output), Some(log)) = (output, log) else { return };
    let mut buffer = vec![0; 16 << 10];
    while let Ok(count @ 1..) = output.read(&mut buffer).await {
        log.write(stream, buffer.get(..count).unwrap_or_default());
    }
}
