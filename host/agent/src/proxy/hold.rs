//! The step's side of the proxy's life.

use crate::cancel::Cancel;
use std::io::Read;
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::time::{Duration, Instant};

/// Between two attempts: the proxy is started just before the step.
const PAUSE: Duration = Duration::from_millis(10);

/// Waits for the proxy, and keeps it alive for as long as this process lives, also where it is started anew meanwhile.
///
/// # Errors
/// A sentence, when it does not answer for as long as `patience`, or nobody waits any more.
pub fn hold(socket: &Path, patience: Duration, cancel: &Cancel) -> Result<(), String> {
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

/// The proxy sends nothing here: whatever comes is its end, and a successor is held as soon as there is one.
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
