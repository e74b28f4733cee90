//! The connection by which a step keeps its proxy running.

use crate::cancel::Cancel;
use std::io::Read;
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::time::{Duration, Instant};

/// Pause between two attempts. It is short, since the proxy is started just before the step.
const PAUSE: Duration = Duration::from_millis(10);

/// Waits for the proxy, and keeps a connection to it open as long as this process runs, also after
/// a restart of the proxy.
///
/// # Errors
/// A sentence, when the proxy does not answer within `patience`, or the step is cancelled.
pub fn start(socket: &Path, patience: Duration, cancel: &Cancel) -> Result<(), String> {
    let start = Instant::now();
    loop {
        match UnixStream::connect(socket) {
            Ok(stream) => {
                let socket = socket.to_owned();
                std::thread::spawn(move || keep(&socket, stream));
                return Ok(());
            }
            Err(error) if start.elapsed() >= patience || cancel.is_cancelled() => {
                return Err(format!(
                    "the credential proxy does not answer at {}: {error}; the log of its container says why",
                    socket.display()
                ));
            }
            Err(_) => std::thread::sleep(PAUSE),
        }
    }
}

/// Waits for the end of the connection, and connects to the next proxy. The proxy sends nothing on
/// the connection, so that reading returns only at its end.
fn keep(socket: &Path, mut stream: UnixStream) {
    loop {
        let _ = stream.read(&mut [0]);
        stream = loop {
            std::thread::sleep(PAUSE);
            if let Ok(stream) = UnixStream::connect(socket) {
                break stream;
            }
        };
    }
}
