//! The asynchronous part of the agent.

use super::Failure;
use crate::cancel::Cancel;
use std::time::Duration;

/// How long threads may take to notice that nobody waits for them: one may hang in the system's resolver.
const GRACE: Duration = Duration::from_secs(2);

/// Runs something to its end, or until the flag is set.
///
/// # Errors
/// When the flag is set, or the system gives no more threads.
pub fn run<T>(cancel: &Cancel, future: impl Future<Output = T>) -> Result<T, Failure> {
    // One thread moves all bytes; files and archives have threads of their own.
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|error| Failure::Failed(format!("the transfer cannot start: {error}")))?;
    let result = runtime.block_on(async {
        tokio::select! {
            biased;
            () = cancel.cancelled() => Err(Failure::Cancelled),
            result = future => Ok(result),
        }
    });
    // What was begun is cleaned up by these threads.
    runtime.shutdown_timeout(GRACE);
    result
}
