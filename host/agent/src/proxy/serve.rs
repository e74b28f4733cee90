//! Accepts connections, and ends when nobody needs it any more.
//!
//! A step holds a connection as long as it runs. When the pod ends, a sidecar may be told so before the step has pushed its
//! output: SIGTERM is obeyed once the last connection is gone.

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

/// Signals that end the proxy, blocked before any thread exists.
pub struct Signals(SigSet);

impl Signals {
    pub fn block() -> Self {
        let mut set = SigSet::empty();
        set.add(Signal::SIGTERM);
        set.add(Signal::SIGINT);
        // It fails for wrong arguments only.
        let _ = set.thread_block();
        Signals(set)
    }
}

/// Serves until a signal has come and the last connection is gone.
///
/// # Errors
/// A sentence, when the socket cannot be made or the system gives no more connections.
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
    // It may have been replaced by that of a successor, which then makes its own again.
    let _ = std::fs::remove_file(socket);
    runtime.shutdown_timeout(Duration::from_secs(1));
    done
}

/// Makes the socket under another name first: nobody sees it before everybody may use it, and a left one does not disturb.
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
                // Too many open files, for instance: others may end meanwhile.
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
        let counted = Counted::new(&open);
        let forward = forward.clone();
        tokio::spawn(async move {
            let service = service_fn(move |request| {
                let forward = forward.clone();
                async move { Ok::<_, Infallible>(forward.answer(request).await) }
            });
            // However it ends, it was the client's connection.
            let _ = http1::Builder::new().serve_connection(TokioIo::new(stream), service).await;
            drop(counted);
        });
    }
}

/// One of the open connections, however its task ends.
struct Counted(watch::Sender<usize>);

impl Counted {
    fn new(open: &watch::Sender<usize>) -> Self {
        open.send_modify(|count| *count += 1);
        Counted(open.clone())
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        self.0.send_modify(|count| *count -= 1);
    }
}
