//! Accepts connections, and ends when no step needs the proxy any more.
//!
//! A step keeps a connection open as long as it runs. When a pod ends, a sidecar may get SIGTERM
//! before the step has pushed its output. Therefore the proxy ends after SIGTERM only when the last
//! connection is closed.

use super::forward::Forward;
use crate::log::Log;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use nix::sys::signal::{SigSet, Signal};
use std::convert::Infallible;
use std::fs::Permissions;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::time::Duration;
use tokio::net::UnixListener;
use tokio::sync::watch;

/// The signals that end the proxy. They are blocked before the first thread is started.
pub struct Signals(SigSet);

impl Signals {
    pub fn block() -> Self {
        let mut set = SigSet::empty();
        set.add(Signal::SIGTERM);
        set.add(Signal::SIGINT);
        // This fails for wrong arguments only.
        let _ = set.thread_block();
        Signals(set)
    }
}

/// Serves until a signal has come and the last connection is closed.
///
/// # Errors
/// A sentence, when the socket cannot be created or signals cannot be waited for.
pub fn run(socket: &Path, forward: Forward, signals: Signals, log: Log) -> Result<(), String> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|error| format!("the proxy cannot start: {error}"))?;
    let (stop, stopped) = watch::channel(false);
    std::thread::spawn(move || {
        if signals.0.wait().is_ok() {
            stop.send_replace(true);
        }
    });
    let done = runtime.block_on(async {
        let listener = listen(socket)?;
        log.debug(format_args!("the proxy listens on {}", socket.display()));
        accept(&listener, forward, stopped).await
    });
    // Errors do not matter: the next proxy replaces the socket.
    let _ = std::fs::remove_file(socket);
    runtime.shutdown_timeout(Duration::from_secs(1));
    done
}

/// Creates the socket under another name first, so that it appears with its mode, and replaces the
/// socket of a proxy that was killed.
fn listen(socket: &Path) -> Result<UnixListener, String> {
    let wrong = |error: std::io::Error| format!("the socket {} cannot be made: {error}", socket.display());
    let mut name =
        socket.file_name().ok_or_else(|| format!("{} is no path of a socket", socket.display()))?.to_owned();
    name.push(".new");
    let new: PathBuf = socket.with_file_name(name);
    match std::fs::remove_file(&new) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => return Err(wrong(error)),
        _ => {}
    }
    let listener = UnixListener::bind(&new).map_err(wrong)?;
    // The step may run as any user.
    std::fs::set_permissions(&new, Permissions::from_mode(0o666)).map_err(wrong)?;
    std::fs::rename(&new, socket).map_err(wrong)?;
    Ok(listener)
}

async fn accept(
    listener: &UnixListener,
    forward: Forward,
    mut stopped: watch::Receiver<bool>,
) -> Result<(), String> {
    let (open, mut is_open) = watch::channel(0_usize);
    loop {
        let is_stopping = *stopped.borrow();
        let stream = tokio::select! {
            biased;
            accepted = listener.accept() => match accepted {
                Ok((stream, _)) => stream,
                // There may be too many open files, of which some will be closed.
                Err(_) => {
                    tokio::time::sleep(Duration::from_millis(50)).await;
                    continue;
                }
            },
            changed = stopped.changed(), if !is_stopping => {
                if changed.is_err() {
                    return Err("the proxy's signals cannot be waited for".to_owned());
                }
                continue;
            }
            _ = is_open.wait_for(|count| *count == 0), if is_stopping => return Ok(()),
        };
        let counted = OpenConnection::new(&open);
        let forward = forward.clone();
        tokio::spawn(async move {
            let service = service_fn(move |request| {
                let forward = forward.clone();
                async move { Ok::<_, Infallible>(forward.answer(request).await) }
            });
            // The client notices an error of its connection itself.
            let _ = http1::Builder::new().serve_connection(TokioIo::new(stream), service).await;
            drop(counted);
        });
    }
}

/// Counts an open connection until its task ends, also by a panic.
struct OpenConnection(watch::Sender<usize>);

impl OpenConnection {
    fn new(open: &watch::Sender<usize>) -> Self {
        open.send_modify(|count| *count += 1);
        OpenConnection(open.clone())
    }
}

impl Drop for OpenConnection {
    fn drop(&mut self) {
        self.0.send_modify(|count| *count -= 1);
    }
}
