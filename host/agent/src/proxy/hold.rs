//! The step's side of the proxy's life.

use crate::cancel::Cancel;
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::time::{Duration, Instant};

/// Between two attempts: the proxy is started just before the step.
const PAUSE: Duration = Duration::from_millis(10);

/// Waits for the proxy, and keeps it alive as long as the result is kept.
///
/// # Errors
/// A sentence, when it does not answer for as long as `patience`, or nobody waits any more.
pub fn hold(socket: &Path, patience: Duration, cancel: &Cancel) -> Result<UnixStream, String> {
    let start = Instant::now();
    loop {
        match UnixStream::connect(socket) {
            Ok(stream) => return Ok(stream),
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
