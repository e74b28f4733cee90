//! The runtime of the asynchronous part of the agent.

use super::TransferFailure;
use crate::cancel::Cancel;
use std::time::Duration;

/// Time that threads have to end after a cancelled run. One may hang in the resolver of the system.
const GRACE: Duration = Duration::from_secs(2);

/// Runs a future to its end, or until it is cancelled.
///
/// # Errors
/// When it is cancelled, or the system gives no more threads.
pub fn run<T>(cancel: &Cancel, future: impl Future<Output = T>) -> Result<T, TransferFailure> {
    // One thread transfers all bytes. Files and archives have threads of their own.
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|error| TransferFailure::Failed(format!("the transfer cannot start: {error}")))?;
    let result = runtime.block_on(async {
        tokio::select! {
            biased;
            () = cancel.cancelled() => Err(TransferFailure::Cancelled),
            result = future => Ok(result),
        }
    });
    // These threads remove the files of transfers that were cancelled.
    runtime.shutdown_timeout(GRACE);
    result
}
